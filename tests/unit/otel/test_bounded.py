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
    eventually(lambda: threads() == 0)  # the next test counts its own


@pytest.fixture
def gate(bounded: Bounded) -> Iterator[threading.Event]:
    """What tasks wait at; open when the test is over, before the thread is waited for."""
    del bounded
    made = threading.Event()
    yield made
    made.set()


def threads() -> int:
    return sum(thread.name == "under test" for thread in threading.enumerate())


def test_a_task_gives_what_it_returns_or_raises(bounded: Bounded) -> None:
    def fail() -> None:
        raise KeyError("x")

    assert bounded.run(lambda: "done", LONG) == "done"
    with pytest.raises(KeyError):
        bounded.run(fail, LONG)
    assert bounded.run(lambda: None, LONG) is None


def test_even_what_ends_a_thread_is_the_callers(bounded: Bounded) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bounded.run(leave, LONG)
    assert bounded.run(lambda: 1, LONG) == 1


def test_all_tasks_share_one_thread_and_none_is_there_before(bounded: Bounded) -> None:
    assert threads() == 0
    seen = {bounded.run(threading.get_ident, LONG) for _ in range(5)}

    assert len(seen) == threads() == 1
    assert threading.get_ident() not in seen


def test_a_task_that_hangs_is_left_alone_and_the_next_are_refused(bounded: Bounded, gate: threading.Event) -> None:
    for _ in range(20):
        with pytest.raises(TimeoutError):
            bounded.run(gate.wait, 0.01)

    assert threads() == 1
    gate.set()

    def works() -> bool:
        try:
            return bounded.run(lambda: True, LONG)
        except TimeoutError:  # the one that hung is on its way
            return False

    eventually(works)


def test_what_a_late_task_returns_is_nobodys(bounded: Bounded, gate: threading.Event) -> None:
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


def test_an_aborted_task_may_still_answer(bounded: Bounded, gate: threading.Event) -> None:
    def asked() -> str:
        gate.wait(LONG)
        return "ended as it was told to"

    assert bounded.run(asked, 2.0, gate.set) == "ended as it was told to"


def test_a_task_that_does_not_care_is_left_alone(bounded: Bounded, gate: threading.Event) -> None:
    asked: list[bool] = []
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, 0.05, lambda: asked.append(True))

    assert asked == [True]


def test_a_task_in_time_is_not_aborted(bounded: Bounded) -> None:
    asked: list[bool] = []
    assert bounded.run(lambda: 1, LONG, lambda: asked.append(True)) == 1

    assert asked == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, -5.0])
def test_no_time_is_no_wait(bounded: Bounded, gate: threading.Event, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, seconds)
    with pytest.raises(TimeoutError):
        bounded.run(gate.wait, seconds, lambda: None)


def test_two_at_once_is_one_and_a_refusal(bounded: Bounded, gate: threading.Event) -> None:
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


def test_without_a_thread_it_says_so_and_can_be_asked_again(bounded: Bounded, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            bounded.run(lambda: None, LONG)

    assert bounded.run(lambda: 1, LONG) == 1


def test_after_close_the_thread_ends_and_the_next_task_has_another(bounded: Bounded) -> None:
    bounded.close()
    first = bounded.run(threading.current_thread, LONG)
    bounded.close()
    first.join(LONG)

    assert not first.is_alive()
    assert bounded.run(lambda: 1, LONG) == 1
