"""What the automatic redrive may send, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handler.errors import ErrorCategory
from mep.dlq.model import DeadLetter
from mep.dlq.redrive import skip_reason

CATEGORIES = frozenset(
    {
        *(ErrorCategory.THROTTLING, ErrorCategory.NETWORK, ErrorCategory.CONFLICT, ErrorCategory.DYNAMODB),
        ErrorCategory.TIMEOUT,
    }
)
"""Categories that pass by themselves. Not `internal`: a defect of the function needs a person."""

MAX_REDRIVES = 3
"""How often one event is sent; then it is left for a person."""

PROBE_WAITS = (timedelta(), timedelta(hours=1), timedelta(hours=6))
"""How long after its last attempt an event may be a probe again, by the number of its attempts.

A probe that fails counts as an attempt. The waits add up to more than an outage of six hours, so that an event which is
alone in the queue is not given up in the first hour of it.
"""

MAX_PROBES = 5
"""Events that are tried as probes in one run. Only a probe that proves nothing is followed by another one."""

MAX_FAILURES = 3
"""Consecutive events that fail again after a good probe, and end the run."""

MAX_MESSAGES = 5_000
"""Messages that one run reads."""

MAX_CHARACTERS = 16_000_000
"""Characters of the bodies of messages whose events one run holds: as objects, they take up to 20 times more memory."""

MAX_HISTORIES = 1_000
"""Messages whose history is read before the first event is sent, besides those that are left for a person.

That of others is read when their turn comes.
"""

RATE = 10.0
"""Events per second."""

RESERVE_S = 60.0
"""Seconds before the end of this function's time in which no event is sent: one slow invocation, and the release."""


class Kept(StrEnum):
    """Why a message is still in the queue after a run."""

    NOT_TRANSIENT = "not_transient"
    """Its category needs a person, or it contains no event that can be sent."""
    LIMIT_REACHED = "limit_reached"
    """Its event was sent `MAX_REDRIVES` times: a person must decide."""
    NOT_DUE = "not_due"
    """No event may be a probe yet, this one included."""
    PROBE_FAILED = "probe_failed"
    """The probe failed: what it failed of is still there."""
    FAILED = "failed"
    """Its own event failed again."""
    STOPPED = "stopped"
    """Several events failed in a row, or a call of this function failed."""
    NO_ROOM = "no_room"
    """Its event did not fit into the memory of this run, besides those that were read before it."""
    NO_TIME = "no_time"
    """This function's time was over."""


@dataclass(frozen=True, slots=True)
class History:
    """The attempts to redrive an event.

    Attributes:
        count: Their number, those of a person included.
        last: The last one of this function; None without one.
    """

    count: int
    last: datetime | None = None

    @property
    def limit_reached(self) -> bool:
        """Whether the event is left for a person."""
        return self.count >= MAX_REDRIVES

    def may_probe(self, now: datetime) -> bool:
        """Return whether the event may be a probe."""
        if self.limit_reached:
            return False
        return self.last is None or now - self.last >= PROBE_WAITS[self.count]


def is_candidate(dead_letter: DeadLetter) -> bool:
    """Return whether a message may be redriven without a person."""
    return dead_letter.category in CATEGORIES and not skip_reason(dead_letter, force=False)


def choose_probe(
    candidates: Sequence[DeadLetter], histories: Mapping[str, History], now: datetime
) -> DeadLetter | None:
    """Return the event to try first: the one with the fewest attempts, and among those the newest.

    An event that never succeeds so does not stop the others: the next run tries another one.

    Args:
        candidates: The messages, the oldest first.
        histories: By message ID. A message without a history is no probe.
        now: The time of day.

    Returns:
        None if no event may be a probe yet.
    """
    due = [
        (history.count, -number, dead_letter)
        for number, dead_letter in enumerate(candidates)
        if (history := histories.get(dead_letter.message_id)) is not None and history.may_probe(now)
    ]
    return min(due, key=lambda entry: entry[:2])[2] if due else None


def oldest_ages(dead_letters: Sequence[DeadLetter], now: datetime) -> dict[str, float]:
    """Return the age of the oldest message of each category that is in the queue, in seconds."""
    ages: dict[str, float] = {}
    for dead_letter in dead_letters:
        age = dead_letter.age(now)
        if age is not None:
            ages[dead_letter.group] = max(age.total_seconds(), ages.get(dead_letter.group, 0.0))
    return ages
