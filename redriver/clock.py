"""The time of one run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of one run.

    Attributes:
        remaining_s: Returns the seconds until Lambda ends the run.
        now: The time of day, UTC.
        sleep: Waits for that many seconds.
    """

    remaining_s: Callable[[], float]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
