"""What may leave in a span: exceptions by class only, and under memory pressure nothing that is optional.

An exception's message and stack trace may quote a URL, a role, a value from an event; the class and our category are
what an operator acts on.
"""

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from otel import semconv

_EXCEPTION_EVENT = "exception"
_EXCEPTION_TYPE = "exception.type"

ESSENTIAL_ATTRIBUTES = frozenset(
    {
        *(semconv.XRAY_ANNOTATIONS, *semconv.ANNOTATIONS),
        *("rpc.system", "rpc.service", "rpc.method", "error.type", "aws.request_id", "aws.dynamodb.table_names"),
        *("faas.invocation_id", "http.status_code", semconv.DYNAMODB_THROTTLING_REASONS),
    }
)
"""Span attributes that stay even when memory runs short."""


def redact_span(span: ReadableSpan, *, shedding: bool) -> ReadableSpan:
    """The span as it may be exported.

    Args:
        span: as it ended.
        shedding: leave out what is optional, for want of memory.

    Returns:
        The same object where there is nothing to change, which is the rule.
    """
    recorded_exception = any(event.name == _EXCEPTION_EVENT for event in span.events)
    if not shedding and not recorded_exception:
        return span
    events = [_redact_event(event) for event in span.events if not shedding or event.name == semconv.RETRY_EVENT]
    attributes = dict(span.attributes or {})
    if shedding:
        attributes = {name: value for name, value in attributes.items() if name in ESSENTIAL_ATTRIBUTES}
    status = span.status
    if recorded_exception and status.status_code is StatusCode.ERROR:
        # The API wrote "Class: message" into the description.
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
    kind = (event.attributes or {}).get(_EXCEPTION_TYPE, "")
    return Event(event.name, {_EXCEPTION_TYPE: kind}, event.timestamp)
