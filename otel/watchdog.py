"""The watchdog: acts shortly before the deadline, so that a timed-out invocation is not a blank."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread

MARGIN_SECONDS = 1.0
"""How long before the deadline it strikes: enough to flush, late enough to leave the event its time."""


class Watchdog:
    """One thread for the sandbox's life, asleep nearly always.

    A thread, not a signal: it still runs when the event's own thread is stuck where Python cannot interrupt it (name
    resolution). While events follow one another it is not even woken: the next deadline is later than the one it sleeps
    to, so it looks again then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._condition = Condition()
        self._strike_at: float | None = None
        self._on_strike: Callable[[], None] | None = None
        self._wakes_at = math.inf
        self._thread: Thread | None = None

    def arm(self, remaining_seconds: float, on_strike: Callable[[], None]) -> None:
        """Call `on_strike` from another thread shortly before `remaining_seconds` are over, unless disarmed before.

        Args:
            remaining_seconds: until Lambda's deadline.
            on_strike: must not raise.
        """
        margin = min(MARGIN_SECONDS, remaining_seconds / 4)
        with self._condition:
            self._strike_at = self._clock() + remaining_seconds - margin
            self._on_strike = on_strike
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif self._strike_at < self._wakes_at:
                self._condition.notify()

    def disarm(self) -> None:
        """Forget the deadline: the event is over."""
        with self._condition:
            self._strike_at = None
            self._on_strike = None

    def _watch(self) -> None:
        while True:
            with self._condition:
                strike = self._wait()
            # It must not raise; if it does, the events to come need their watchdog all the more.
            with suppress(Exception):
                strike()

    def _wait(self) -> Callable[[], None]:
        """Sleep until a deadline that is still armed has come; return what is to be called."""
        while True:
            if self._strike_at is None:
                self._wakes_at = math.inf
                self._condition.wait()
                continue
            left = self._strike_at - self._clock()
            if left > 0:
                self._wakes_at = self._strike_at
                self._condition.wait(left)
            elif (strike := self._on_strike) is not None:
                self._strike_at = None
                self._on_strike = None
                return strike
