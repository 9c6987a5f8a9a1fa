"""Tasks that hang, in real threads."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from otel.exporters.bounded import Bounded
from tests.support.telemetry import eventually

LONG = 60.0


@pytest.fixture
def bounded() -> Iterator[Bounded]:
    with closing(Bounded("under test")) as made:
        yield made
    eventually(lambda: threads() == 0)  # the next test counts threads


@pytest.fixture
def gate(bounded: Bounded) -> Iterator[threading.Event]:
    """Blocks tasks; opened when the test ends, before the thread is joined."""
    del bounded
    made = threading.Event()
    yield made
    made.set()


def threads() -> int:
    return sum(thread.name == "under test" for thread in threading.enumerate())


def test_the_result_or_the_exception_of_a_task(bounded: Bounded) -> None:
    def fail() -> None:
        raise KeyError("x")

    assert bounded.run(lambda: "done", LONG) == "done"
    with pytest.raises(KeyError):
        bounded.run(fail, LONG)
    assert bounded.run(lambda: None, LONG) is None


def test_system_exit_is_raised_in_the_caller(bounded: Bounded) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bounded.run(leave, LONG)
    assert bounded.run(lambda: 1, LONG) == 1


def test_one_thread_started_by_the_first_task(bounded: Bounded) -> None:
    assert threads() == 0
    seen = {bounded.run(threading.get_ident, LONG) for _ in range(5)}

    assert len(seen) == threads() == 1
    assert threading.get_ident() not in seen


def test_a_hanging_task_rejects_the_next(bounded: Bounded, gate: threading.Event) -> None:
    for _ in range(20):
        with pytest.raises(TimeoutError):
            bounded.run(gate.wait, 0.01)

    assert threads() == 1
    gate.set()

    def works() -> bool:
        try:
            return bounded.run(lambda: True, LONG)
        except TimeoutError:  # the hanging task is about to end
            return False

    eventually(works)


def test_a_late_result_is_dropped(bounded: Bounded, gate: threading.Event) -> None:
    def late() -> str:
        gate.wait(LONG)
        return "late"

    with pytest.raises(TimeoutError):
        bounded.run(late, 0.01)
    gate.set()
    results: list[str] = []

    def next_one() -> bool:
        try:
            results.append(bounded.run(lambda: "next", LONG))
        except TimeoutError:
            return False
        return True

    eventually(next_one)
    assert results == ["next"]


def test_an_aborted_task_may_return_a_result(bounded: Bounded, gate: threading.Event) -> None:
    def asked() -> str:
        gate.wait(LONG)
        return "ended when aborted"

    assert bounded.run(asked, 2.0, gate.set) == "ended when aborted"


def test_a_task_that_ignores_abort_times_out(bounded: Bounded, gate: threading.Event) -> None:
    asked: list[bool] = []
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, 0.05, lambda: asked.append(True))

    assert asked == [True]


def test_a_task_in_time_is_not_aborted(bounded: Bounded) -> None:
    asked: list[bool] = []
    assert bounded.run(lambda: 1, LONG, lambda: asked.append(True)) == 1

    assert asked == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, -5.0])
def test_without_time_it_does_not_wait(bounded: Bounded, gate: threading.Event, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, seconds)
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, seconds, lambda: None)


def test_a_second_task_is_rejected(bounded: Bounded, gate: threading.Event) -> None:
    begun = threading.Event()
    results: list[bool] = []

    def task() -> bool:
        begun.set()
        return gate.wait(LONG)

    def first() -> None:
        results.append(bounded.run(task, LONG))

    caller = threading.Thread(target=first)
    caller.start()
    assert begun.wait(LONG)
    with pytest.raises(TimeoutError):
        bounded.run(lambda: None, LONG)
    gate.set()
    caller.join()

    assert results == [True]


def test_a_thread_that_cannot_start(bounded: Bounded, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            bounded.run(lambda: None, LONG)

    assert bounded.run(lambda: 1, LONG) == 1


def test_after_close_a_new_thread_starts(bounded: Bounded) -> None:
    bounded.close()
    first = bounded.run(threading.current_thread, LONG)
    bounded.close()
    first.join(LONG)

    assert not first.is_alive()
    assert bounded.run(lambda: 1, LONG) == 1
