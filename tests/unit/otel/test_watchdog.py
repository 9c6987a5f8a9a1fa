"""The watchdog: a real thread, and a clock that the test moves."""

from threading import Event, current_thread

import pytest

from otel.watchdog import MARGIN_SECONDS, Watchdog
from tests.support.telemetry import FakeClock, eventually


class Watched:
    """A watchdog with a clock of its own, and what it did."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.dog = Watchdog(self.clock)
        self.strikes: list[str] = []
        self._looked = Event()

    def arm(self, remaining: float, name: str = "strike") -> None:
        self.dog.arm(remaining, lambda: self.strikes.append(name))

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let the thread look at it as if it had slept so long."""
        self.clock.advance(seconds)
        with self.dog._condition:
            self.dog._condition.notify_all()
        self.settle()

    def settle(self) -> None:
        """Wait until the thread sleeps again, having acted on all that is due."""
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


def test_it_strikes_once_before_the_deadline(watched: Watched) -> None:
    watched.arm(30)

    watched.pass_time(30 - MARGIN_SECONDS - 0.001)
    assert watched.strikes == []
    watched.pass_time(0.001)
    assert watched.strikes == ["strike"]
    watched.pass_time(100)
    assert watched.strikes == ["strike"]


def test_a_short_time_out_keeps_three_quarters_for_the_event(watched: Watched) -> None:
    watched.arm(2)

    watched.pass_time(1.499)
    assert watched.strikes == []
    watched.pass_time(0.001)
    assert watched.strikes == ["strike"]


@pytest.mark.parametrize("remaining", [0, -5])
def test_no_time_left_strikes_at_once(remaining: float, watched: Watched) -> None:
    watched.arm(remaining)
    watched.settle()

    assert watched.strikes == ["strike"]


def test_disarmed_it_stays_silent(watched: Watched) -> None:
    watched.arm(30)
    watched.dog.disarm()
    watched.pass_time(1_000)

    assert watched.strikes == []


def test_disarming_twice_or_before_is_nothing(watched: Watched) -> None:
    watched.dog.disarm()
    watched.arm(30)
    watched.dog.disarm()
    watched.dog.disarm()
    watched.pass_time(100)

    assert watched.strikes == []


def test_armed_again_with_a_later_deadline_it_waits_for_that(watched: Watched) -> None:
    watched.arm(10, "first")
    watched.settle()
    watched.dog.disarm()
    watched.arm(30, "second")

    watched.pass_time(15)  # it wakes for the first deadline, and finds it gone
    assert watched.strikes == []
    watched.pass_time(14)
    assert watched.strikes == ["second"]


def test_armed_again_with_an_earlier_deadline_it_wakes_for_that(watched: Watched) -> None:
    watched.arm(3_600, "first")  # it sleeps longer than this test waits
    watched.settle()
    watched.dog.disarm()
    watched.clock.advance(1)
    watched.arm(0, "second")  # nobody nudges the thread here but `arm` itself

    eventually(lambda: watched.strikes == ["second"])
    watched.pass_time(4_000)
    assert watched.strikes == ["second"]


def test_armed_again_after_a_strike_it_strikes_again(watched: Watched) -> None:
    for name in ("first", "second", "third"):
        watched.arm(10, name)
        watched.pass_time(10)

    assert watched.strikes == ["first", "second", "third"]


def test_a_strike_that_fails_does_not_end_the_watch(watched: Watched) -> None:
    def fail() -> None:
        raise RuntimeError

    watched.dog.arm(30, fail)
    watched.pass_time(30)
    watched.arm(30)
    watched.pass_time(30)
    assert watched.strikes == ["strike"]


def test_a_real_deadline_is_kept_by_the_real_clock() -> None:
    timed_out, threads = Event(), []

    def strike() -> None:
        threads.append(current_thread())
        timed_out.set()

    Watchdog().arm(0.02, strike)

    assert timed_out.wait(60)
    assert threads[0] is not current_thread()
    assert threads[0].daemon  # it never keeps the process from ending


def test_one_thread_serves_all_events(watched: Watched) -> None:
    watched.arm(10)
    thread = watched.dog._thread
    for _ in range(20):
        watched.dog.disarm()
        watched.arm(10)

    assert watched.dog._thread is thread
    assert thread is not None
    assert thread.is_alive()
