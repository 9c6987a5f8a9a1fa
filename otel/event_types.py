"""The kinds of log lines, and their texts.

Saved queries, alarms, tools and tests match `event_type`. The text is for people, and may be reworded at any time.
"""

from collections.abc import Mapping
from enum import StrEnum


class EventType(StrEnum):
    """Value of the log field `event_type`: what a line is about."""

    EVENT_OUTCOME = "event_outcome"
    """One line per event: how it ended."""
    ATTEMPT = "attempt"
    """One attempt at a call has ended, whatever its result."""
    RETRY_BACKOFF = "retry_backoff"
    """A wait before the next attempt."""
    ACCESS_DENIED = "access_denied"
    """AWS denied a call."""
    METRICS_NOT_WRITTEN = "metrics_not_written"
    """Standard output did not take metrics; they are kept for the next event."""
    SPANS_LOST = "spans_lost"
    """The exporter could not deliver some spans."""
    SPANS_NOT_EXPORTED = "spans_not_exported"
    """The exporter failed with an exception."""
    MEMORY_PRESSURE = "memory_pressure"
    """Memory use is high: optional detail is dropped from now on."""
    LIBRARY = "library"
    """A library logged a warning or an error."""
    START_FAILED = "start_failed"
    """The function cannot start."""


MESSAGES: Mapping[str, str] = {
    EventType.ATTEMPT: "attempt at DynamoDB over",
    EventType.RETRY_BACKOFF: "waiting before another attempt",
    EventType.ACCESS_DENIED: "access denied by AWS",
    EventType.METRICS_NOT_WRITTEN: "metrics not written, kept for the next event",
    EventType.SPANS_LOST: "spans lost on their way out",
    EventType.SPANS_NOT_EXPORTED: "spans not exported",
    EventType.MEMORY_PRESSURE: "memory is short: debug lines and optional span detail are left out from now on",
    EventType.START_FAILED: "the function cannot start",
}
"""The text of each kind of line but two: an outcome has its own, a library's line has the library's."""

OUTCOME_MESSAGES: Mapping[str, str] = {
    "marked": "event processed: the row is marked",
    "duplicate": "event processed: the row was marked before",
    "dead_lettered": "event dead-lettered: more tries cannot help",
    "retry": "event not processed: Lambda will deliver it again",
}
"""The text of an `event_outcome` line, by outcome."""
