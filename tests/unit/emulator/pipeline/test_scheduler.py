"""Time as a parameter: real time runs the same chain, in bounded memory, and an interruption loses nothing."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock

import pytest

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.destinations import DestinationMessage
from emulator.pipeline.model import DeliveryResult, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler, SimulatedScheduler
from tests.support.pipeline_helpers import MARKED, PAYLOAD, MemoryDestination

FAST = 1e-4


class Busy:
    """A worker that notices when two threads use it at once, and fails each event's first try if told to."""

    def __init__(self, *, fails_first: bool = False) -> None:
        self._lock = Lock()
        self._fails_first = fails_first
        self.seen: list[str] = []

    def invoke(self, payload: bytes, *, request_id: str | None = None, **_: object) -> InvocationResult:
        assert self._lock.acquire(blocking=False), "two invocations at once"
        assert payload == PAYLOAD
        again = request_id in self.seen
        self.seen.append(request_id or "")
        self._lock.release()
        fails = self._fails_first and not again
        return InvocationResult("error" if fails else "ok", MARKED, request_id or "", 0, cold_start=False)


def arrivals(count: int) -> Iterator[InputEvent]:
    return (InputEvent(PAYLOAD, number) for number in range(count))


def test_every_event_ends_once_with_several_workers_side_by_side() -> None:
    workers = [Busy() for _ in range(4)]
    endings: list[DeliveryResult] = []

    EventPipeline(RealTimeScheduler(6, scale=FAST), workers, on_result=endings.append).run(arrivals(500))

    assert sorted(delivery_result.tag for delivery_result in endings) == list(range(500))
    assert sum(len(worker.seen) for worker in workers) == 500


def test_one_worker_keeps_the_order() -> None:
    endings: list[DeliveryResult] = []

    EventPipeline(RealTimeScheduler(1), [Busy()], on_result=endings.append).run(arrivals(50))

    assert [delivery_result.tag for delivery_result in endings] == list(range(50))


def test_waits_are_scaled_and_ages_are_not() -> None:
    endings: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1, scale=FAST), [Busy(fails_first=True)], on_result=endings.append)

    pipeline.run(arrivals(3))

    assert [delivery_result.attempts for delivery_result in endings] == [2, 2, 2]
    assert all(60 <= delivery_result.age_s < 120 for delivery_result in endings), "as old as it would be on AWS"


def test_only_a_few_events_are_read_ahead() -> None:
    done: list[int] = []
    ahead: list[int] = []

    def reading() -> Iterator[InputEvent]:
        for arrival in arrivals(200):
            ahead.append(arrival.tag - len(done))
            yield arrival

    EventPipeline(
        RealTimeScheduler(2), [Busy(), Busy()], on_result=lambda delivery_result: done.append(delivery_result.tag)
    ).run(reading())

    assert max(ahead) <= 8


@pytest.mark.parametrize("time", [SimulatedScheduler, partial(RealTimeScheduler, 1, scale=FAST)])
def test_no_more_than_so_many_are_on_their_way(time: Callable[[], SimulatedScheduler | RealTimeScheduler]) -> None:
    live: list[int] = []

    class Failing(Busy):
        def invoke(self, payload: bytes, **more: object) -> InvocationResult:
            live.append(pipeline.counters.live)
            del payload, more
            return InvocationResult("error", b"{}", "", 0, cold_start=False)

    pipeline = EventPipeline(time(), [Failing()], PipelineSettings(live_limit=20))

    pipeline.run(arrivals(200))

    assert pipeline.counters.dispositions[Disposition.DROPPED] == 200
    assert max(live) <= 20


def test_a_failure_of_a_callback_ends_the_run() -> None:
    def fail(delivery_result: DeliveryResult) -> None:
        if delivery_result.tag == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        EventPipeline(RealTimeScheduler(1), [Busy()], on_result=fail).run(arrivals(10_000))


@pytest.mark.parametrize("time", [SimulatedScheduler, partial(RealTimeScheduler, 2, scale=FAST)])
def test_an_interruption_brings_to_its_end_what_was_taken_in(
    time: Callable[[], SimulatedScheduler | RealTimeScheduler],
) -> None:
    workers = [Busy(fails_first=True), Busy(fails_first=True)]
    destination = MemoryDestination()
    pipeline = EventPipeline(time(), workers, destinations=FailureDestinations(on_failure=destination))

    def interrupted() -> Iterator[InputEvent]:
        yield from arrivals(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(interrupted())

    assert pipeline.counters.live == 0
    assert pipeline.counters.received == 20
    assert pipeline.counters.finished == 20


def test_the_end_of_the_program_does_not_wait_for_what_is_to_be_tried_again() -> None:
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy(fails_first=True)])

    def ended() -> Iterator[InputEvent]:
        yield InputEvent(PAYLOAD)
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        pipeline.run(ended())

    assert pipeline.counters.live == 1, "it was to be tried again in a minute"


def test_a_chain_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an invoker"):
        EventPipeline(SimulatedScheduler(), [])


def test_things_may_be_put_in_from_another_thread_while_it_runs() -> None:
    endings: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy()], on_result=endings.append)

    def slowly() -> Iterator[InputEvent]:
        yield InputEvent(PAYLOAD, "input")
        other = threading.Thread(target=pipeline.put_event, args=(PAYLOAD, "bus"))
        other.start()
        other.join()
        pipeline.invoke_async(PAYLOAD, "function")
        yield InputEvent(PAYLOAD, "input")

    pipeline.run(slowly())

    assert sorted(delivery_result.tag for delivery_result in endings) == ["bus", "function", "input", "input"]


def test_a_net_is_cast_beside_what_else_happens() -> None:
    threads: set[str] = set()

    def destination(_: DestinationMessage) -> None:
        threads.add(threading.current_thread().name)

    class Failing(Busy):
        def invoke(self, *_: object, **__: object) -> InvocationResult:
            return InvocationResult("error", b"{}", "", 0, cold_start=False)

    EventPipeline(
        RealTimeScheduler(2, scale=FAST), [Failing()], destinations=FailureDestinations(on_failure=destination)
    ).run(arrivals(3))

    assert "pipeline" not in threads
    assert all(name.startswith("pipeline") for name in threads)


def test_a_chain_runs_again() -> None:
    endings: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy()], on_result=endings.append)

    pipeline.run(arrivals(2))
    pipeline.run(arrivals(3))

    assert len(endings) == 5


def test_simulated_time_may_stop_in_between() -> None:
    timeline = SimulatedScheduler(1000)
    rung: list[float] = []
    for delay in (10, 20):
        timeline.call_later(delay, lambda: rung.append(timeline.now()))

    timeline.run(until=1015)
    assert (rung, timeline.now()) == ([1010], 1015)

    timeline.run()
    assert rung == [1010, 1020]
