"""Timeline entries: the common form of spans, log lines, audit entries and dead letters."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.trace.sources import Gap
from otel.event_types import EventType

type Kind = Literal["span", "backoff", "log", "audit", "dead_letter"]
type Severity = Literal["ok", "warning", "error"]

_COMMON_FIELDS = frozenset(
    {"timestamp", "level", "message", "service", "environment", "correlation_id", "request_id", "trace_id", "span_id"}
)
_SEVERITIES: Mapping[str, Severity] = {"WARN": "warning", "WARNING": "warning", "ERROR": "error", "FATAL": "error"}
_DEAD_LETTER_TITLES = {
    DeadLetterSource.HANDLER: "dead letter of the function",
    DeadLetterSource.ON_FAILURE: "Lambda's on-failure record",
    DeadLetterSource.RULE: "dead letter of the EventBridge rule",
    DeadLetterSource.LAMBDA: "dead letter of Lambda's queue",
    DeadLetterSource.SUBSCRIBER: "dead-letter record of the bus",
    DeadLetterSource.UNKNOWN: "unrecognised message",
}


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

    @property
    def end(self) -> int:
        """End time, nanoseconds since 1970."""
        return self.at + int((self.duration_ms or 0) * 1e6)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object, with its start time as text as well.

        The output of `mep trace --json` is public: it has older names for severity and attributes.
        """
        values = asdict(self)
        severity = values.pop("severity")
        values["gravity"] = "fine" if severity == "ok" else severity
        values["facts"] = values.pop("attributes")
        return {"timestamp": time_text(self.at), **values}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one search found.

    Attributes:
        entries: Entries in any order.
        rows: The calendar rows that the entries name, in their current state.
        notes: Remarks, one sentence each.
        gaps: Sources that could not be read.
    """

    entries: tuple[Entry, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


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


def span_entries(span: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the entries of one span in the format of `spans.jsonl`: the span, and each of its backoff events."""
    attributes = span["attributes"]
    start = int(span["start_time_unix_nano"])
    yield Entry(
        at=start,
        kind="span",
        title=span["name"],
        severity="error" if span["status"] == "ERROR" else "ok",
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
    """Return the entry of a log line of the function or of Lambda's runtime client; None if it has no time."""
    at = nanoseconds(line.get("timestamp"))
    if at is None:
        return None
    trace_id, span_id, request_id = (str(line.get(name) or "") for name in ("trace_id", "span_id", "request_id"))
    attributes = {name: value for name, value in line.items() if name not in _COMMON_FIELDS and value is not None}
    if line.get("event_type") == EventType.RETRY_BACKOFF:
        return _backoff(at, attributes, trace_id, span_id, request_id)
    if "errorMessage" in line:  # the runtime client's line about an exception of the function
        request_id = str(line.get("requestId") or "")
        attributes = {name: attributes[name] for name in ("errorType", "errorMessage") if name in attributes}
    return Entry(
        at=at,
        kind="log",
        title=str(line.get("message") or line.get("errorType") or "a log line"),
        severity=_SEVERITIES.get(str(line.get("level") or line.get("log_level")).upper(), "ok"),
        trace_id=trace_id,
        span_id=span_id,
        request_id=request_id,
        attributes=attributes,
    )


def _backoff(at: int, attributes: Mapping[str, Any], trace_id: str, span_id: str, request_id: str = "") -> Entry:
    values = {name: attributes.get(name) for name in ("attempt", "delay_ms", "error_category")}
    if attributes.get("throttling_reasons"):
        values["throttling_reasons"] = attributes["throttling_reasons"]
    delay = values["delay_ms"]
    return Entry(
        at=at,
        kind="backoff",
        title=f"waiting after attempt {values['attempt']}",
        severity="warning",
        duration_ms=float(delay) if isinstance(delay, int | float) else None,
        trace_id=trace_id,
        span_id=span_id,
        request_id=request_id,
        attributes=values,
    )


def audit_entry(item: Mapping[str, Any]) -> Entry | None:
    """Return the timeline entry of an audit entry, given as plain JSON; None if it has no time."""
    at = nanoseconds(item.get("recorded_at"))
    if at is None:
        return None
    shown_elsewhere = ("trace_id", "request_id", "correlation_id", "recorded_at")
    return Entry(
        at=at,
        kind="audit",
        title=f"audit entry: {item.get('action')}",
        trace_id=str(item.get("trace_id") or ""),
        request_id=str(item.get("request_id") or ""),
        attributes={name: value for name, value in item.items() if name not in shown_elsewhere},
    )


def dead_letter_entry(dead_letter: DeadLetter, others: Iterable[Entry]) -> Entry:
    """Return the entry of a dead letter.

    Args:
        dead_letter: The dead letter.
        others: The other entries; they determine when it was sent, if the message does not.
    """
    return Entry(
        at=_sent_at(dead_letter, list(others)),
        kind="dead_letter",
        title=_DEAD_LETTER_TITLES[dead_letter.shape],
        severity="error",
        request_id=dead_letter.request_id,
        attributes={
            "error_category": dead_letter.group,
            "code": dead_letter.code,
            "why": dead_letter.message,
            "throttling_reasons": list(dead_letter.throttling_reasons) or None,
            "message_id": dead_letter.message_id,
            "tries": dead_letter.tries,
            "redrives": dead_letter.redrives or None,
            "body": dead_letter.body,
        },
    )


def _sent_at(dead_letter: DeadLetter, others: list[Entry]) -> int:
    if dead_letter.sent_at is not None:
        return nanoseconds_of(dead_letter.sent_at)
    if dead_letter.shape is DeadLetterSource.ON_FAILURE:
        try:
            recorded_at = nanoseconds(json.loads(dead_letter.body).get("timestamp"))
        except ValueError:
            recorded_at = None
        if recorded_at is not None:
            return recorded_at
    sending = (entry.at for entry in others if entry.attributes.get("dead_letter_id") == dead_letter.message_id)
    return next(sending, max((entry.end for entry in others), default=0))
