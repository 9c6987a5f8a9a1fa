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
        self._deadline: float | None = None
        self._on_deadline: Callable[[], None] | None = None
        self._wakes_at = math.inf
        self._thread: Thread | None = None

    def arm(self, remaining_seconds: float, on_deadline: Callable[[], None]) -> None:
        """Call `on_deadline` from another thread shortly before `remaining_seconds` are over, unless disarmed before.

        Args:
            remaining_seconds: until Lambda's deadline.
            on_deadline: must not raise.
        """
        margin = min(MARGIN_SECONDS, remaining_seconds / 4)
        with self._condition:
            self._deadline = self._clock() + remaining_seconds - margin
            self._on_deadline = on_deadline
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif self._deadline < self._wakes_at:
                self._condition.notify()

    def disarm(self) -> None:
        """Forget the deadline: the event is over."""
        with self._condition:
            self._deadline = None
            self._on_deadline = None

    def _watch(self) -> None:
        while True:
            with self._condition:
                callback = self._wait()
            # It must not raise; if it does, the events to come need their watchdog all the more.
            with suppress(Exception):
                callback()

    def _wait(self) -> Callable[[], None]:
        """Sleep until a deadline that is still armed has come; return what is to be called."""
        while True:
            if self._deadline is None:
                self._wakes_at = math.inf
                self._condition.wait()
                continue
            left = self._deadline - self._clock()
            if left > 0:
                self._wakes_at = self._deadline
                self._condition.wait(left)
            elif (callback := self._on_deadline) is not None:
                self._deadline = None
                self._on_deadline = None
                return callback
