"""Time that passes only when a test advances it: the clock, Lambda's context, and the watchdog."""

import math
from collections.abc import Callable

from otel.watchdog import MARGIN_SECONDS, Watchdog


class Clock:
    """A clock that moves only when it is advanced, with one alarm.

    Attributes:
        now: Seconds since the test began.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._alarm: tuple[float, Callable[[], None]] | None = None

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        if self._alarm is not None and self._alarm[0] <= end:
            (self.now, on_alarm), self._alarm = self._alarm, None
            on_alarm()
        self.now = end

    def set_alarm(self, at: float, on_alarm: Callable[[], None]) -> None:
        """Call `on_alarm` at that time; it replaces an earlier alarm."""
        self._alarm = (at, on_alarm)

    def clear_alarm(self) -> None:
        """Forget the alarm."""
        self._alarm = None


FUNCTION_ARN = "arn:aws:lambda:us-east-1:111122223333:function:mark-earnings-processed"
INVOKED_ARN = f"{FUNCTION_ARN}:live"


class Invocation:
    """Lambda's context object, its deadline on a test's clock.

    Args:
        clock: The clock of the deadline.
        timeout: Seconds until the deadline.
        request_id: Lambda's request ID.
    """

    def __init__(self, clock: Clock, timeout: float, request_id: str = "request-1") -> None:
        self._clock = clock
        self._deadline = clock.now + timeout
        self.aws_request_id = request_id
        self.invoked_function_arn = INVOKED_ARN

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, exactly."""
        return self._deadline - self._clock.now

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole milliseconds until the deadline, as Lambda does."""
        return max(0, math.floor(self.remaining * 1000))


class ClockWatchdog(Watchdog):
    """The watchdog on a test's clock: it reports in the thread that advances the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._test_clock = clock

    def arm(self, remaining_seconds: float, on_deadline: Callable[[], None]) -> None:
        """Set the alarm of the deadline, without a thread."""
        margin = min(MARGIN_SECONDS, remaining_seconds / 4)
        self._test_clock.set_alarm(self._test_clock.now + remaining_seconds - margin, on_deadline)

    def disarm(self) -> None:
        """Clear the alarm."""
        self._test_clock.clear_alarm()
