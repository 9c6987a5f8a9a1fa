"""The schedulers: in real time the pipeline uses bounded memory, and an interrupt loses no event."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import Any

import pytest

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.destinations import DestinationMessage
from emulator.pipeline.model import DeliveryResult, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler, SimulatedScheduler
from tests.support.pipeline_helpers import MARKED, PAYLOAD, MemoryDestination

FAST = 1e-4


class Busy:
    """A worker that detects concurrent use, and fails the first attempt of each event if `fails_first`."""

    def __init__(self, *, fails_first: bool = False) -> None:
        self._lock = Lock()
        self._fails_first = fails_first
        self.seen: list[str] = []

    def invoke(self, payload: bytes, *, request_id: str | None = None, **_: object) -> InvocationResult:
        assert self._lock.acquire(blocking=False), "two invocations at once"
        assert payload == PAYLOAD
        is_retry = request_id in self.seen
        self.seen.append(request_id or "")
        self._lock.release()
        fails = self._fails_first and not is_retry
        return InvocationResult("error" if fails else "ok", MARKED, request_id or "", 0, cold_start=False)


def arrivals(count: int) -> Iterator[InputEvent]:
    return (InputEvent(PAYLOAD, number) for number in range(count))


def test_concurrent_workers_finish_every_event_once() -> None:
    workers = [Busy() for _ in range(4)]
    results: list[DeliveryResult] = []

    EventPipeline(RealTimeScheduler(6, scale=FAST), workers, on_result=results.append).run(arrivals(500))

    assert sorted(result.tag for result in results) == list(range(500))
    assert sum(len(worker.seen) for worker in workers) == 500


def test_one_worker_preserves_the_order() -> None:
    results: list[DeliveryResult] = []

    EventPipeline(RealTimeScheduler(1), [Busy()], on_result=results.append).run(arrivals(50))

    assert [result.tag for result in results] == list(range(50))


def test_waits_are_scaled_and_ages_are_not() -> None:
    results: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1, scale=FAST), [Busy(fails_first=True)], on_result=results.append)

    pipeline.run(arrivals(3))

    assert [result.attempts for result in results] == [2, 2, 2]
    assert all(60 <= result.age_s < 120 for result in results), "as old as it would be on AWS"


def test_input_is_read_a_few_events_ahead() -> None:
    done: list[int] = []
    ahead: list[int] = []

    def reading() -> Iterator[InputEvent]:
        for arrival in arrivals(200):
            ahead.append(arrival.tag - len(done))
            yield arrival

    EventPipeline(RealTimeScheduler(2), [Busy(), Busy()], on_result=lambda result: done.append(result.tag)).run(
        reading()
    )

    assert max(ahead) <= 8


@pytest.mark.parametrize("time", [SimulatedScheduler, partial(RealTimeScheduler, 1, scale=FAST)])
def test_live_limit(time: Callable[[], SimulatedScheduler | RealTimeScheduler]) -> None:
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


def test_failing_callback_ends_the_run() -> None:
    def fail(result: DeliveryResult) -> None:
        if result.tag == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        EventPipeline(RealTimeScheduler(1), [Busy()], on_result=fail).run(arrivals(10_000))


@pytest.mark.parametrize("time", [SimulatedScheduler, partial(RealTimeScheduler, 2, scale=FAST)])
def test_a_failing_input_finishes_accepted_events(
    time: Callable[[], SimulatedScheduler | RealTimeScheduler],
) -> None:
    workers = [Busy(fails_first=True), Busy(fails_first=True)]
    destination = MemoryDestination()
    pipeline = EventPipeline(time(), workers, destinations=FailureDestinations(on_failure=destination))

    def failing() -> Iterator[InputEvent]:
        yield from arrivals(20)
        raise OSError("cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        pipeline.run(failing())

    assert pipeline.counters.live == 0
    assert pipeline.counters.received == 20
    assert pipeline.counters.finished == 20


class Held(Busy):
    """A worker whose invocations last until they are released, or abandoned."""

    def __init__(self) -> None:
        super().__init__()
        self.running = threading.Event()
        self.released = threading.Event()

    def invoke(self, payload: bytes, **more: Any) -> InvocationResult:
        self.running.set()
        assert self.released.wait(60)
        return super().invoke(payload, **more)


def interrupting(worker: Held, kind: type[BaseException], *, release: bool) -> Iterator[InputEvent]:
    yield from arrivals(2)
    assert worker.running.wait(60)
    if release:
        worker.released.set()
    raise kind


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_finishes_the_works_in_progress_only(kind: type[BaseException]) -> None:
    worker = Held()
    pipeline = EventPipeline(RealTimeScheduler(1), [worker])

    with pytest.raises(kind):
        pipeline.run(interrupting(worker, kind, release=True))

    assert pipeline.counters.finished in {1, 2}, "the second may have started before"
    assert len(worker.seen) == pipeline.counters.finished


def test_an_interrupt_does_not_wait_for_retries() -> None:
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy(fails_first=True)])

    def ended() -> Iterator[InputEvent]:
        yield InputEvent(PAYLOAD)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(ended())

    assert pipeline.counters.live <= 1, "its retry is due in a minute"


def test_works_that_do_not_end_are_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.pipeline.scheduler.GRACE_S", 0)
    worker = Held()
    pipeline = EventPipeline(RealTimeScheduler(1, abandon=worker.released.set), [worker])

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(interrupting(worker, KeyboardInterrupt, release=False))


def test_pipeline_without_workers_is_rejected() -> None:
    with pytest.raises(ValueError, match="needs an invoker"):
        EventPipeline(SimulatedScheduler(), [])


def test_events_may_be_put_from_another_thread() -> None:
    results: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy()], on_result=results.append)

    def slowly() -> Iterator[InputEvent]:
        yield InputEvent(PAYLOAD, "input")
        other = threading.Thread(target=pipeline.put_event, args=(PAYLOAD, "bus"))
        other.start()
        other.join()
        pipeline.invoke_async(PAYLOAD, "function")
        yield InputEvent(PAYLOAD, "input")

    pipeline.run(slowly())

    assert sorted(result.tag for result in results) == ["bus", "function", "input", "input"]


def test_destinations_are_called_in_threads_of_their_own() -> None:
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


def test_pipeline_may_run_again() -> None:
    results: list[DeliveryResult] = []
    pipeline = EventPipeline(RealTimeScheduler(1), [Busy()], on_result=results.append)

    pipeline.run(arrivals(2))
    pipeline.run(arrivals(3))

    assert len(results) == 5


def test_simulated_time_may_stop() -> None:
    scheduler = SimulatedScheduler(1000)
    times: list[float] = []
    for delay in (10, 20):
        scheduler.call_later(delay, lambda: times.append(scheduler.now()))

    scheduler.run(until=1015)
    assert (times, scheduler.now()) == ([1010], 1015)

    scheduler.run()
    assert times == [1010, 1020]
