"""The watchdog: a real thread, and a clock that the test moves."""

from threading import Event, Thread, current_thread

import pytest

from otel.watchdog import MARGIN_SECONDS, Watchdog
from tests.support.telemetry import FakeClock, eventually


class Watched:
    """A watchdog, its clock, and its callbacks."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.dog = Watchdog(self.clock)
        self.calls: list[str] = []
        self._looked = Event()

    def arm(self, remaining: float, name: str = "call") -> None:
        self.dog.arm(remaining, lambda: self.calls.append(name))

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and wake the thread."""
        self.clock.advance(seconds)
        with self.dog._condition:
            self.dog._condition.notify_all()
        self.settle()

    def settle(self) -> None:
        """Wait until the thread has made the callbacks that are due."""
        eventually(self._asleep)

    def _asleep(self) -> bool:
        condition = self.dog._condition
        with condition:
            waiting = len(condition._waiters)  # type: ignore[attr-defined]
            due = self.dog._deadline is not None and self.dog._deadline <= self.clock()
        return waiting == 1 and not due


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_it_calls_back_once_before_the_deadline(watched: Watched) -> None:
    watched.arm(30)

    watched.pass_time(30 - MARGIN_SECONDS - 0.001)
    assert watched.calls == []
    watched.pass_time(0.001)
    assert watched.calls == ["call"]
    watched.pass_time(100)
    assert watched.calls == ["call"]


def test_the_margin_of_a_short_timeout(watched: Watched) -> None:
    watched.arm(2)

    watched.pass_time(1.499)
    assert watched.calls == []
    watched.pass_time(0.001)
    assert watched.calls == ["call"]


@pytest.mark.parametrize("remaining", [0, -5])
def test_without_time_it_calls_back_at_once(remaining: float, watched: Watched) -> None:
    watched.arm(remaining)
    watched.settle()

    assert watched.calls == ["call"]


def test_disarmed(watched: Watched) -> None:
    watched.arm(30)
    watched.dog.disarm()
    watched.pass_time(1_000)

    assert watched.calls == []


def test_disarmed_twice(watched: Watched) -> None:
    watched.dog.disarm()
    watched.arm(30)
    watched.dog.disarm()
    watched.dog.disarm()
    watched.pass_time(100)

    assert watched.calls == []


def test_a_later_deadline(watched: Watched) -> None:
    watched.arm(10, "first")
    watched.settle()
    watched.dog.disarm()
    watched.arm(30, "second")

    watched.pass_time(15)  # it wakes for the first deadline, which is cancelled
    assert watched.calls == []
    watched.pass_time(14)
    assert watched.calls == ["second"]


def test_an_earlier_deadline(watched: Watched) -> None:
    watched.arm(3_600, "first")  # it sleeps longer than this test waits
    watched.settle()
    watched.dog.disarm()
    watched.clock.advance(1)
    watched.arm(0, "second")  # only `arm` wakes the thread

    eventually(lambda: watched.calls == ["second"])
    watched.pass_time(4_000)
    assert watched.calls == ["second"]


def test_armed_again_after_a_callback(watched: Watched) -> None:
    for name in ("first", "second", "third"):
        watched.arm(10, name)
        watched.pass_time(10)

    assert watched.calls == ["first", "second", "third"]


def test_a_callback_that_raises(watched: Watched) -> None:
    def fail() -> None:
        raise RuntimeError

    watched.dog.arm(30, fail)
    watched.pass_time(30)
    watched.arm(30)
    watched.pass_time(30)
    assert watched.calls == ["call"]


def test_without_a_free_thread_the_event_goes_on_and_the_next_has_a_watchdog(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", no_thread)
        watched.arm(30)
    watched.dog.disarm()
    watched.arm(30, "next")
    watched.pass_time(30)
    assert watched.calls == ["next"]


def test_the_real_clock() -> None:
    timed_out, threads = Event(), []

    def callback() -> None:
        threads.append(current_thread())
        timed_out.set()

    Watchdog().arm(0.02, callback)

    assert timed_out.wait(60)
    assert threads[0] is not current_thread()
    assert threads[0].daemon  # it does not keep the process alive


def test_one_thread_serves_all_events(watched: Watched) -> None:
    watched.arm(10)
    thread = watched.dog._thread
    for _ in range(20):
        watched.dog.disarm()
        watched.arm(10)

    assert watched.dog._thread is thread
    assert thread is not None
    assert thread.is_alive()
