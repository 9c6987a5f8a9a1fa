"""Redaction of spans: exceptions by class only, and no optional detail under memory pressure.

The message and the stack trace of an exception may contain a URL, a role or a value from an event. An operator acts on
its class and on the error category.
"""

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from otel import semconv

_EXCEPTION_EVENT = "exception"
_EXCEPTION_TYPE = "exception.type"


def redact_span(span: ReadableSpan, *, shedding: bool) -> ReadableSpan:
    """Return the span as it may be exported: usually the same object.

    Args:
        span: A span that has ended.
        shedding: Whether to drop optional detail, under memory pressure.
    """
    recorded_exception = any(event.name == _EXCEPTION_EVENT for event in span.events)
    if not shedding and not recorded_exception:
        return span
    events = [_redact_event(event) for event in span.events if not shedding or event.name == semconv.RETRY_EVENT]
    attributes = dict(span.attributes or {})
    if shedding:
        indexed = attributes.get(semconv.XRAY_ANNOTATIONS)
        essential = semconv.ESSENTIAL_ATTRIBUTES.union(indexed if isinstance(indexed, tuple) else ())
        attributes = {name: value for name, value in attributes.items() if name in essential}
    status = span.status
    if recorded_exception and status.status_code is StatusCode.ERROR:
        # OpenTelemetry's API has set the description to "Class: message".
        status = Status(StatusCode.ERROR, str(attributes.get(semconv.ERROR_CATEGORY_ATTRIBUTE, "")) or None)
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _redact_event(event: Event) -> Event:
    if event.name != _EXCEPTION_EVENT:
        return event
    exception_type = (event.attributes or {}).get(_EXCEPTION_TYPE, "")
    return Event(event.name, {_EXCEPTION_TYPE: exception_type}, event.timestamp)
