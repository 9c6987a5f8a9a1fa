"""Many events, several workers: every line once, a few ahead, nothing swallowed."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from local.crew import deliver_all, start_all
from local.delivery import AsyncDelivery, Delivery
from local.environment import FunctionConfig
from local.errors import RunError
from local.lines import EventLine
from local.worker import InvocationResult, Worker

DELIVERY = AsyncDelivery("arn", lambda _: None)


class FakeWorker:
    """Marks everything; notices when two threads use it at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.invocations = 0

    def invoke(self, payload: bytes, *, request_id: str | None = None, **_: object) -> InvocationResult:
        assert self._lock.acquire(blocking=False), "two invocations at once"
        self.invocations += payload == b"{}"
        self._lock.release()
        return InvocationResult("ok", b'{"outcome": "marked"}', request_id or "", 0, cold_start=False)


def lines(count: int) -> list[EventLine]:
    return [EventLine(number, b"{}", 2) for number in range(1, count + 1)]


def test_every_line_is_delivered_once() -> None:
    workers = [FakeWorker() for _ in range(4)]
    done: list[int] = []

    deliver_all(lines(500), workers=workers, delivery=DELIVERY, on_done=lambda line, _: done.append(line.number))

    assert sorted(done) == list(range(1, 501))
    assert sum(worker.invocations for worker in workers) == 500


def test_one_worker_keeps_the_order() -> None:
    done: list[int] = []

    deliver_all(lines(50), workers=[FakeWorker()], delivery=DELIVERY, on_done=lambda line, _: done.append(line.number))

    assert done == list(range(1, 51))


def test_only_a_few_lines_are_read_ahead() -> None:
    done: list[int] = []
    ahead: list[int] = []

    def reading() -> Iterator[EventLine]:
        for line in lines(200):
            ahead.append(line.number - len(done))
            yield line

    deliver_all(
        reading(),
        workers=[FakeWorker(), FakeWorker()],
        delivery=DELIVERY,
        on_done=lambda line, _: done.append(line.number),
    )

    assert max(ahead) <= 6


def test_a_failure_of_ours_ends_the_delivery() -> None:
    def fail(line: EventLine, _: Delivery) -> None:
        if line.number == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        deliver_all(lines(10_000), workers=[FakeWorker()], delivery=DELIVERY, on_done=fail)


def test_an_interruption_waits_for_what_is_under_way_and_goes_on() -> None:
    workers = [FakeWorker(), FakeWorker()]
    done: list[int] = []

    def interrupted() -> Iterator[EventLine]:
        yield from lines(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_all(
            interrupted(),
            workers=workers,
            delivery=DELIVERY,
            on_done=lambda line, _: done.append(line.number),
        )

    assert len(done) == sum(worker.invocations for worker in workers), "what was invoked was reported"


def test_a_function_that_does_not_start_says_why() -> None:
    function = FunctionConfig("broken_import.handler", python_path=(Path(__file__).parent / "fixtures",))
    with (
        Worker(function, lambda *_: None) as one,
        Worker(function, lambda *_: None) as two,
        pytest.raises(RunError, match="ImportModuleError") as caught,
    ):
        start_all([one, two])

    assert "\n" not in str(caught.value)
