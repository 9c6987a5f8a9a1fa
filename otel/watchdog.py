"""The watchdog: acts shortly before the deadline, so that an invocation that times out is reported."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread

MARGIN_SECONDS = 1.0
"""Time between the watchdog's action and the deadline: long enough to flush, short enough for events."""


class Watchdog:
    """One thread for the sandbox's life, which sleeps nearly always.

    A thread, not a signal: it also runs when the event's own thread is blocked where Python cannot interrupt it, as in
    name resolution. `arm` rarely wakes it: the new deadline is usually later than the one until which it sleeps, and it
    reads the new one then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._condition = Condition()
        self._deadline: float | None = None
        self._on_deadline: Callable[[], None] | None = None
        self._wakes_at = math.inf
        self._thread: Thread | None = None

    def arm(self, remaining_seconds: float, on_deadline: Callable[[], None]) -> None:
        """Call `on_deadline` from another thread shortly before the deadline, unless disarmed before.

        Args:
            remaining_seconds: Time until Lambda's deadline.
            on_deadline: Must not raise.
        """
        margin = min(MARGIN_SECONDS, remaining_seconds / 4)
        with self._condition:
            self._deadline = self._clock() + remaining_seconds - margin
            self._on_deadline = on_deadline
            if self._thread is None:
                thread = Thread(target=self._watch, name="watchdog", daemon=True)
                with suppress(RuntimeError):  # the system has no thread left: the event is processed without a watchdog
                    thread.start()
                    self._thread = thread
            elif self._deadline < self._wakes_at:
                self._condition.notify()

    def disarm(self) -> None:
        """Cancel the deadline."""
        with self._condition:
            self._deadline = None
            self._on_deadline = None

    def _watch(self) -> None:
        while True:
            with self._condition:
                callback = self._wait()
            # It must not raise; if it does, the watchdog must survive for the next events.
            with suppress(Exception):
                callback()

    def _wait(self) -> Callable[[], None]:
        """Sleep until an armed deadline is near; return its callback."""
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
