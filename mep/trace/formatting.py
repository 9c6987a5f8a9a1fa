"""The attributes of an entry that text and HTML show, as short texts; JSON has all of them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from handler.contract import AUDIT, CALENDAR
from mep.trace.entries import Entry
from otel.semconv import DYNAMODB_THROTTLING_REASONS, LINKED_TRACE_ID, THROTTLING_REASONS

_OMITTED = frozenset(
    {
        *("correlation_id", "request_id", "trace_id", "span_id", "aws.xray.annotations", "kind", "cold_start"),
        *("rpc.system", "rpc.service", "rpc.method", "db.system", "db.operation", "cloud.region", "aws.region"),
        *("retry_attempts", "url.full"),
        *("server.address", "server.port", "net.peer.name", "faas.trigger", "faas.invocation_id", "operation"),
        *("messaging.system", "messaging.url", "messaging.destination", "messaging.destination.name"),
        *("messaging.message.id", "aws.queue_url", "aws.lambda.invoked_arn", "aws.account_id", "aws.region"),
        *("cloud.account.id", "cloud.resource_id"),
        *(*CALENDAR.key, *AUDIT.key),
        *(
            "action",
            "previous_state",
            "function_version",
            "body",
            "step",
            "invocation_id",
            "envelope_id",
            "attempt",
            "queue_url",
            "origin",
        ),
        "event_type",
    }
)
"""Attributes that the section or the title shows already, or that only programs need."""

_REASONS = frozenset({THROTTLING_REASONS, DYNAMODB_THROTTLING_REASONS})
_FAILED_ATTEMPTS = "failed_attempts"
_ARNS = {"rule_arn": "rule", "target_arn": "target", "target_arns": "targets"}
"""Attributes of the bus's log, and the names that the last parts of their ARNs are shown under."""

_OMITTED_IF_FALSE = frozenset({"faas.coldstart", "error", "fault", "throttle"})


def displayed_attributes(entry: Entry) -> list[tuple[str, str]]:
    """Return the names and values of the attributes to show."""
    attributes = []
    for name, value in entry.attributes.items():
        if name in _OMITTED or value is None or (value is False and name in _OMITTED_IF_FALSE):
            continue
        if value in ([], {}) or (name == "error.type" and value == entry.attributes.get("error_code")):
            continue
        if name == "links" and LINKED_TRACE_ID in entry.attributes:
            continue
        if name in _REASONS and entry.kind == "span" and "outcome" in entry.attributes:  # those of all its attempts
            continue
        if (name, entry.kind) in {("delay_ms", "backoff"), ("shape", "dead_letter")}:  # the duration, the title
            continue
        attributes.append((_ARNS.get(name, name), text_of(_shortened(name, value))))
    return attributes


def _shortened(name: str, value: Any) -> Any:
    """Return a value without what an event repeats at each attempt; the verdict of a throttled one has the ARN."""
    if name in _ARNS:
        return [_name_in(arn) for arn in value] if isinstance(value, list | tuple) else _name_in(value)
    if name in _REASONS and isinstance(value, list | tuple):
        return [re.sub(r" arn:[^:]*:[^:]*:[^:]*:[^:]*:", " ", str(reason)) for reason in value]
    if name == _FAILED_ATTEMPTS and isinstance(value, list):
        return [
            {key: member for key, member in attempt.items() if key not in _REASONS}
            if isinstance(attempt, Mapping)
            else attempt
            for attempt in value
        ]
    return value


def _name_in(arn: Any) -> str:
    """Return the name of a rule, function or queue: an ARN without its first five parts and its type."""
    return re.sub(r"^arn:(?:[^:]*:){4}(?:rule/|function:|event-bus/)?", "", str(arn))


def text_of(value: Any) -> str:
    """Return a value as text: an object as `name value`, separated by commas; a list separated by semicolons."""
    match value:
        case str():
            return value
        case Mapping():
            return ", ".join(f"{name} {text_of(member)}" for name, member in value.items())
        case Sequence():
            return "; ".join(text_of(item) for item in value)
        case float():
            return f"{value:g}"
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)


def milliseconds(value: float) -> str:
    """Return milliseconds as text, with a precision that depends on the size."""
    if abs(value) >= 60_000:
        minutes, seconds = divmod(value / 1000, 60)
        return f"{minutes:.0f} min {seconds:.0f} s"
    if abs(value) >= 10_000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if abs(value) >= 100 else f"{value:.1f} ms"
