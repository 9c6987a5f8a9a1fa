"""The event as it is sent again: the same row, the same IDs, and a link to the trace in which it failed."""

import re
from collections.abc import Mapping
from typing import Any

from handler.event import camel_case, optional, resolve_correlation_id
from handler.validation import FieldError, parse_id
from mep.dlq.model import DeadLetter
from mep.dlq.sources import REDRIVE_COUNT

# https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
_ROOT = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?=;|$)")
_PARENT = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})(?=;|$)")
_SAMPLED = re.compile(r"(?:^|;)\s*Sampled=1(?=;|$)")


def trace_id(dead_letter: DeadLetter) -> str | None:
    """The trace in which the event failed, as 32 hex digits; None where SQS does not tell it."""
    match = _ROOT.search(dead_letter.trace_header)
    return match[1] + match[2] if match else None


def traceparent(dead_letter: DeadLetter) -> str | None:
    """The same as W3C traceparent; None where SQS tells no span to link to."""
    trace, parent = trace_id(dead_letter), _PARENT.search(dead_letter.trace_header)
    if trace is None or parent is None or not int(trace, 16) or not int(parent[1], 16):
        return None
    return f"00-{trace}-{parent[1]}-{'01' if _SAMPLED.search(dead_letter.trace_header) else '00'}"


def event_id(dead_letter: DeadLetter) -> str | None:
    """The event's identity, as the function finds it: `detail.event_id`, else the envelope's `id`."""
    event = dead_letter.event if isinstance(dead_letter.event, Mapping) else {}
    detail = event.get("detail")
    own = optional(detail, "event_id") if isinstance(detail, Mapping) else None
    try:
        return parse_id(own if own is not None else event.get("id"))
    except FieldError:
        return None


def prepare_for_redrive(dead_letter: DeadLetter) -> Any:
    """The letter's event with what must survive the journey written into `detail`.

    A new envelope gets a new `id`, so the correlation ID and the event ID that came from the old one move into
    `detail`: the function then finds the same ID in its log, and takes a second delivery for the redelivery that it is.
    `detail.traceparent` becomes the trace in which the event failed, which itself links to the producer's;
    `detail.redrive_count` grows by one. An event without a `detail` object is returned as it is.
    """
    event = dead_letter.event
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(detail, Mapping):
        return event
    new = dict(detail)
    if optional(detail, "event_id") is None and (found := event_id(dead_letter)):
        _put(new, "event_id", found)
    if dead_letter.correlation_id and resolve_correlation_id({"detail": new}).id != dead_letter.correlation_id:
        _put(new, "correlation_id", dead_letter.correlation_id)
    if parent := traceparent(dead_letter):
        _put(new, "traceparent", parent)
    new[REDRIVE_COUNT] = dead_letter.redrives + 1
    return {**event, "detail": new}


def _put(detail: dict[str, Any], name: str, value: str) -> None:
    """Write a field under one spelling only: two that differ would make the event invalid."""
    detail.pop(camel_case(name), None)
    detail[name] = value
