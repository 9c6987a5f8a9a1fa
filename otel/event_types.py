"""The kinds of log lines, and their messages.

Saved queries, alarms, tools and tests match `event_type`. The message is for people and free to change.
"""

from collections.abc import Mapping
from enum import StrEnum


class EventType(StrEnum):
    """Values of the log field `event_type`."""

    EVENT_OUTCOME = "event_outcome"
    """One line per event: its outcome."""
    ATTEMPT = "attempt"
    """One attempt at a call has ended, with whatever result."""
    RETRY_BACKOFF = "retry_backoff"
    """A wait before the next attempt."""
    ACCESS_DENIED = "access_denied"
    """AWS denied a call."""
    METRICS_NOT_WRITTEN = "metrics_not_written"
    """Standard output did not take metrics; they are retained for the next event."""
    SPANS_LOST = "spans_lost"
    """The exporter could not deliver some spans."""
    SPANS_NOT_EXPORTED = "spans_not_exported"
    """The exporter failed with an exception."""
    MEMORY_PRESSURE = "memory_pressure"
    """Memory use is high: optional detail is dropped from now on."""
    LIBRARY = "library"
    """A library logged a warning or an error."""
    SETTINGS_WITHOUT_EFFECT = "settings_without_effect"
    """Some `OTEL_*` variables are set and have no effect in this export mode."""
    START_FAILED = "start_failed"
    """The function cannot start."""


MESSAGES: Mapping[str, str] = {
    EventType.ATTEMPT: "DynamoDB attempt ended",
    EventType.RETRY_BACKOFF: "waiting before the next attempt",
    EventType.ACCESS_DENIED: "access denied by AWS",
    EventType.METRICS_NOT_WRITTEN: "metrics not written: retained for the next event",
    EventType.SPANS_LOST: "span export failed",
    EventType.SPANS_NOT_EXPORTED: "span exporter raised an exception",
    EventType.MEMORY_PRESSURE: "memory use is high: debug lines and optional span detail are dropped from now on",
    EventType.SETTINGS_WITHOUT_EFFECT: "some variables have no effect in this export mode",
    EventType.START_FAILED: "function failed to start",
}
"""The message of each kind of line except two: outcomes have `OutcomeTelemetry.message`, libraries their own texts."""
