"""Redaction of spans: exceptions by class only, and no optional detail under memory pressure.

The message and the stack trace of an exception may contain a URL, a role or a value from an event. An operator acts on
its class and on the error category.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Status, StatusCode

from otel import semconv

_RETAINED = frozenset({semconv.RETRY_EVENT, semconv.EXCEPTION_EVENT})
"""Span events that are retained under memory pressure."""


def redact_span(span: ReadableSpan, *, shedding: bool) -> ReadableSpan:
    """Return the span as it may be exported: usually the same object.

    Args:
        span: A span that has ended.
        shedding: Whether to drop optional detail, under memory pressure.
    """
    recorded_exception = any(event.name == semconv.EXCEPTION_EVENT for event in span.events)
    if not shedding and not recorded_exception:
        return span
    attributes = dict(span.attributes or {})
    category = attributes.get(semconv.ERROR_CATEGORY_ATTRIBUTE)
    events = _redact_events([event for event in span.events if not shedding or event.name in _RETAINED], category)
    if shedding:
        indexed = attributes.get(semconv.XRAY_ANNOTATIONS)
        essential = semconv.ESSENTIAL_ATTRIBUTES.union(indexed if isinstance(indexed, tuple) else ())
        attributes = {name: value for name, value in attributes.items() if name in essential}
    status = span.status
    if recorded_exception and status.status_code is StatusCode.ERROR:
        # OpenTelemetry's API has set the description to "Class: message".
        status = Status(StatusCode.ERROR, str(category or "") or None)
    return copied(span, attributes=attributes, events=events, status=status)


def copied(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    """Return a copy of a span that has ended, with changes: a span cannot be changed any more.

    Args:
        span: The span.
        changes: As the constructor of `ReadableSpan` takes them.
    """
    members: dict[str, Any] = {
        "context": span.get_span_context(),
        "parent": span.parent,
        "resource": span.resource,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    members |= changes
    if span.dropped_events:
        members["events"] = _with_dropped(members["events"], span.dropped_events)
    if span.dropped_links:
        members["links"] = _with_dropped(members["links"], span.dropped_links)
    return ReadableSpan(span.name, **members)


def _with_dropped(entries: Sequence[Any], dropped: int) -> Sequence[Any]:
    """Return the events or links of a span with the number of those that its limits have dropped."""
    bounded = BoundedList.from_seq(len(entries), entries)
    bounded.dropped = dropped
    return bounded


def _redact_events(events: Sequence[Event], category: object) -> list[Event]:
    """Return the events without what an exception says; of two records of one exception, the function's own."""
    exceptions = [event for event in events if event.name == semconv.EXCEPTION_EVENT]
    own = [event for event in exceptions if category and _attribute(event, semconv.EXCEPTION_MESSAGE) == category]
    if own:
        return [event for event in events if event.name != semconv.EXCEPTION_EVENT or event in own]
    return [_redact_event(event) if event.name == semconv.EXCEPTION_EVENT else event for event in events]


def _redact_event(event: Event) -> Event:
    return Event(event.name, {semconv.EXCEPTION_TYPE: _attribute(event, semconv.EXCEPTION_TYPE)}, event.timestamp)


def _attribute(event: Event, name: str) -> str:
    return str((event.attributes or {}).get(name, ""))
