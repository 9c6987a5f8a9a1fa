"""Timeline entries: the common form of spans, log lines, audit entries and dead letters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mep.trace.sources import Gap

type Kind = Literal["span", "backoff", "log", "audit", "dead_letter", "bus"]
type Severity = Literal["ok", "warning", "error"]
type Writer = Literal[
    "function", "runtime_client", "lambda_start", "lambda_report", "lambda", "operator", "eventbridge"
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline.

    Attributes:
        at: Start time, nanoseconds since 1970.
        kind: What it was made of.
        title: A short text.
        severity: The severity.
        duration_ms: Duration in milliseconds; None where it has none.
        trace_id: Trace ID, 32 hexadecimal digits; empty where it has none.
        span_id: The span's own ID; for a log line, the span in which it was written.
        parent_id: For a span, its parent.
        request_id: Lambda's request ID.
        attributes: Further values by name.
        writer: The function; Lambda's runtime client (its line about an exception); Lambda, with its lines about the
            start and the end of an invocation distinguished; an operator; EventBridge, in the log of the bus.
    """

    at: int
    kind: Kind
    title: str
    severity: Severity = "ok"
    duration_ms: float | None = None
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    request_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    writer: Writer = "function"

    @property
    def end(self) -> int:
        """End time, nanoseconds since 1970."""
        return self.at + int((self.duration_ms or 0) * 1e6)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object, with its start time as text as well, which is null where it is unknown.

        The output of `mep trace --json` is public: it has older names for severity and attributes.
        """
        values = asdict(self)
        severity = values.pop("severity")
        values["gravity"] = "fine" if severity == "ok" else severity
        values["facts"] = values.pop("attributes")
        values["at"] = self.at or None
        return {"timestamp": time_text(self.at) if self.at else None, **values}

    @property
    def has_whole_seconds(self) -> bool:
        """Return whether the start time may be up to a second too early."""
        return self.at % 1_000_000_000 == 0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one search found.

    Attributes:
        entries: Log lines in the order in which they were written; other entries in any order.
        rows: The calendar rows that the entries name, in their current state.
        notes: Remarks, one sentence each.
        gaps: Sources that could not be read.
        queue_was_skipped: Whether the dead-letter queue was not to be read.
    """

    entries: tuple[Entry, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    queue_was_skipped: bool = False


def time_text(nanoseconds: int) -> str:
    """Return a time in the format of the log."""
    seconds = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000 // 1000:06d}Z"


def nanoseconds(text: object) -> int | None:
    """Parse a time in the format of the log, the audit entries or Lambda's records; None if it is invalid."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return nanoseconds_of(time if time.tzinfo is not None else time.replace(tzinfo=UTC))


def nanoseconds_of(time: datetime) -> int:
    """Return a time in nanoseconds since 1970, exact to the microsecond."""
    utc = time.astimezone(UTC)
    return int(utc.timestamp()) * 1_000_000_000 + utc.microsecond * 1000
