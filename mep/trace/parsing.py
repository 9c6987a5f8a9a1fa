"""Parses spans, log lines, audit entries and dead letters into timeline entries."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handler.contract import AUDIT
from mep.dlq.audit import NO_ROW_KEY, earnings_key
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.trace.entries import Entry, Severity, nanoseconds, nanoseconds_of
from otel.event_types import EventType

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


def log_entry(line: Mapping[str, Any], received_at: int | None = None) -> Entry | None:
    """Return the entry of a log line of the function, of Lambda's runtime client or of Lambda.

    Args:
        line: The log line.
        received_at: When CloudWatch Logs received it, nanoseconds since 1970. It replaces the time of the runtime
            client's line, which has whole seconds.

    Returns:
        The entry; None if the line has no time, or is Lambda's and neither start nor report of an invocation.
    """
    if str(line.get("type")).startswith("platform."):
        return _platform_entry(line)
    at = nanoseconds(line.get("timestamp"))
    if at is None:
        return None
    trace_id, span_id, request_id = (str(line.get(name) or "") for name in ("trace_id", "span_id", "request_id"))
    attributes = {name: value for name, value in line.items() if name not in _COMMON_FIELDS and value is not None}
    if line.get("event_type") == EventType.RETRY_BACKOFF:
        return _backoff(at, attributes, trace_id, span_id, request_id)
    is_raised = "errorMessage" in line and "event_type" not in line
    if is_raised:
        request_id = str(line.get("requestId") or "")
        attributes = {name: attributes[name] for name in ("errorType", "errorMessage") if name in attributes}
        at = max(at, received_at or 0)
    return Entry(
        at=at,
        kind="log",
        title=str(line.get("message") or line.get("errorType") or "a log line"),
        severity=_SEVERITIES.get(str(line.get("level") or line.get("log_level")).upper(), "ok"),
        trace_id=trace_id,
        span_id=span_id,
        request_id=request_id,
        attributes=attributes,
        writer="runtime_client" if is_raised else "function",
    )


def platform_request_id(line: Mapping[str, Any]) -> str:
    """Return the request ID of a line of Lambda or its runtime client; empty if it has none."""
    record = line.get("record")
    platform = record.get("requestId") if isinstance(record, Mapping) else None
    return str(line.get("requestId") or platform or "")


def _platform_entry(line: Mapping[str, Any]) -> Entry | None:
    """Return the entry of Lambda's line about the start or the end of an invocation; None for others.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    record, at = line.get("record"), nanoseconds(line.get("time"))
    if not isinstance(record, Mapping) or at is None:
        return None
    request_id = str(record.get("requestId", ""))
    if line["type"] == "platform.start":
        return Entry(at, "log", "Lambda starts the invocation", request_id=request_id, writer="lambda_start")
    if line["type"] != "platform.report":
        return None
    metrics = record.get("metrics")
    attributes = dict(metrics) if isinstance(metrics, Mapping) else {}
    if "errorType" in record:
        attributes["errorType"] = record["errorType"]
    status = str(record.get("status", "success"))
    return Entry(
        at=at,
        kind="log",
        title=f"Lambda's report: {status}",
        severity="ok" if status == "success" else "error",
        request_id=request_id,
        attributes=attributes,
        writer="lambda_report",
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
        writer="operator" if "operator" in item else "function",
    )


def dead_letter_entry(dead_letter: DeadLetter, others: Iterable[Entry]) -> Entry:
    """Return the entry of a dead letter.

    Args:
        dead_letter: The dead letter.
        others: The other entries; they determine when it was sent, if the message does not.
    """
    row = earnings_key(dead_letter)
    return Entry(
        at=_sent_at(dead_letter, list(others)),
        kind="dead_letter",
        title=_DEAD_LETTER_TITLES[dead_letter.shape],
        severity="error",
        request_id=dead_letter.request_id,
        attributes={
            AUDIT.key[0]: None if row.startswith(f"{NO_ROW_KEY}#") else row,
            "error_category": dead_letter.group,
            "code": dead_letter.code,
            "why": dead_letter.message,
            "throttling_reasons": list(dead_letter.throttling_reasons) or None,
            "message_id": dead_letter.message_id,
            "envelope_id": envelope_id(dead_letter) or None,
            "tries": dead_letter.tries,
            "redrives": dead_letter.redrives or None,
            "shape": dead_letter.shape.value,
            "body": dead_letter.body,
        },
        writer="function" if dead_letter.shape is DeadLetterSource.HANDLER else "lambda",
    )


def envelope_id(dead_letter: DeadLetter) -> str:
    """Return the `id` of the event in a dead letter; empty if it has none."""
    found = dead_letter.event.get("id") if isinstance(dead_letter.event, Mapping) else None
    return found if isinstance(found, str) else ""


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
