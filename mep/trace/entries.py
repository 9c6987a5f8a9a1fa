"""What happened, one thing at a time: the common form of spans, log lines, audit entries and dead letters."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mep.trace.gaps import Gap
from otel.event_types import EventType

type Kind = Literal["span", "backoff", "log", "audit", "dead_letter"]
type Severity = Literal["fine", "warning", "error"]

_ON_EVERY_LINE = frozenset(
    {"timestamp", "level", "message", "service", "environment", "correlation_id", "request_id", "trace_id", "span_id"}
)
_SEVERITIES: Mapping[str, Severity] = {"WARN": "warning", "WARNING": "warning", "ERROR": "error", "FATAL": "error"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: when it began, nanoseconds since 1970.
        kind: what it is.
        title: what to call it.
        severity: how bad it is.
        duration_ms: how long it took; None for what has no length.
        trace_id: the trace it belongs to, 32 hexadecimal digits; empty where it is in none.
        span_id: its own for a span, the span it was written in for a log line.
        parent_id: of a span, the span above it.
        request_id: Lambda's.
        attributes: the rest, by name.
    """

    at: int
    kind: Kind
    title: str
    severity: Severity = "fine"
    duration_ms: float | None = None
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    request_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """When it was over, nanoseconds since 1970."""
        return self.at + int((self.duration_ms or 0) * 1e6)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON would have it, with the time as text as well."""
        return {"timestamp": time_text(self.at), **asdict(self), "facts": dict(self.attributes)}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one source knows of a correlation ID.

    Attributes:
        entries: in any order.
        rows: the calendar rows that the moments are about, as they are now.
        notes: what is worth knowing; one sentence each.
        gaps: what could not be asked.
    """

    entries: tuple[Entry, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


def time_text(nanoseconds: int) -> str:
    """A time as the log writes it."""
    entry = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{entry:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000 // 1000:06d}Z"


def nanoseconds(text: object) -> int | None:
    """Read a time as the log, the audit entry and Lambda's records write it; None if it is none."""
    try:
        entry = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    if entry.tzinfo is None:
        entry = entry.replace(tzinfo=UTC)
    return int(entry.timestamp()) * 1_000_000_000 + entry.microsecond * 1000


def span_entries(span: Mapping[str, Any]) -> Iterator[Entry]:
    """The moments of one span, in the form of `spans.jsonl`: itself, and each wait that it tells of."""
    attributes = span["attributes"]
    start = int(span["start_time_unix_nano"])
    yield Entry(
        at=start,
        kind="span",
        title=span["name"],
        severity="error" if span["status"] == "ERROR" else "fine",
        duration_ms=(int(span["end_time_unix_nano"]) - start) / 1e6,
        trace_id=span["trace_id"],
        span_id=span["span_id"],
        parent_id=span["parent_span_id"] or "",
        request_id=str(attributes.get("faas.invocation_id", "")),
        attributes={
            "kind": span["kind"],
            **attributes,
            **({"links": [link["trace_id"] for link in span["links"]]} if span["links"] else {}),
        },
    )
    for event in span["events"]:
        if event["name"] == "retry.backoff":
            yield _backoff(int(event["time_unix_nano"]), event["attributes"], span["trace_id"], span["span_id"])


def log_entry(line: Mapping[str, Any]) -> Entry | None:
    """The moment of one log line of the function, or of Lambda's runtime client; None for one without a time."""
    at = nanoseconds(line.get("timestamp"))
    if at is None:
        return None
    trace_id, span_id, request_id = (str(line.get(name) or "") for name in ("trace_id", "span_id", "request_id"))
    attributes = {name: value for name, value in line.items() if name not in _ON_EVERY_LINE and value is not None}
    if line.get("event_type") == EventType.RETRY_BACKOFF:
        return _backoff(at, attributes, trace_id, span_id, request_id)
    if "errorMessage" in line:  # the runtime client's own words for what the function raised
        request_id = str(line.get("requestId") or "")
        attributes = {name: attributes[name] for name in ("errorType", "errorMessage") if name in attributes}
    return Entry(
        at=at,
        kind="log",
        title=str(line.get("message") or line.get("errorType") or "a log line"),
        severity=_SEVERITIES.get(str(line.get("level") or line.get("log_level")).upper(), "fine"),
        trace_id=trace_id,
        span_id=span_id,
        request_id=request_id,
        attributes=attributes,
    )


def _backoff(at: int, attributes: Mapping[str, Any], trace_id: str, span_id: str, request_id: str = "") -> Entry:
    named = {name: attributes.get(name) for name in ("attempt", "delay_ms", "error_category")}
    if attributes.get("throttling_reasons"):
        named["throttling_reasons"] = attributes["throttling_reasons"]
    delay = named["delay_ms"]
    return Entry(
        at=at,
        kind="backoff",
        title=f"waiting after attempt {named['attempt']}",
        severity="warning",
        duration_ms=float(delay) if isinstance(delay, int | float) else None,
        trace_id=trace_id,
        span_id=span_id,
        request_id=request_id,
        attributes=named,
    )


def audit_entry(entry: Mapping[str, Any]) -> Entry | None:
    """The moment of one audit entry, as plain JSON; None for one without a time."""
    at = nanoseconds(entry.get("recorded_at"))
    if at is None:
        return None
    told = ("trace_id", "request_id", "correlation_id", "recorded_at")
    return Entry(
        at=at,
        kind="audit",
        title=f"audit entry: {entry.get('action')}",
        trace_id=str(entry.get("trace_id") or ""),
        request_id=str(entry.get("request_id") or ""),
        attributes={name: value for name, value in entry.items() if name not in told},
    )


def deduplicate(entries: Iterable[Entry]) -> list[Entry]:
    """Leave out a wait that both the span and the log tell of: the log's, which knows the request, stays."""
    every = list(entries)
    logged = {
        (each.span_id, each.attributes.get("attempt"), each.attributes.get("delay_ms"))
        for each in every
        if each.kind == "backoff" and each.request_id
    }
    return [
        each
        for each in every
        if each.kind != "backoff"
        or each.request_id
        or (each.span_id, each.attributes.get("attempt"), each.attributes.get("delay_ms")) not in logged
    ]
