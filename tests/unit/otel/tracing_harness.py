"""One event at a time through tracing, and what arrives of it."""

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from handler.outcome import INSTRUMENTATION
from otel import semconv
from otel.record import EventRecord
from otel.tracing.provider import create_tracing
from otel.tracing.span_processor import SpanExporter
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER
from otel.tracing.tracing import Tracing
from tests.support.telemetry import TRACE_HEADER, attributes, event_record, telemetry_settings
from tests.support.udp import Datagram, SpanSocket

NewTracing = Callable[[], Tracing]
PRODUCER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def tracing_to(exporter: SpanExporter) -> Tracing:
    return create_tracing(telemetry_settings(), INSTRUMENTATION, exporter)


def run_event(
    tracing: Tracing,
    record: EventRecord | None = None,
    *,
    traceparent: object = None,
    header: str | None = TRACE_HEADER,
    inside: Callable[[], None] = lambda: None,
) -> EventRecord:
    """One event from start to flush."""
    record = record or event_record()
    environ = {} if header is None else {LAMBDA_TRACE_HEADER: header}
    with tracing.event_span(record, traceparent, environ):
        inside()
    assert tracing.flush() == 0
    return record


def only(spans: SpanSocket) -> tuple[Datagram, Span]:
    (datagram,) = spans.take()
    (span,) = datagram.spans
    return datagram, span


def check_annotations(span: Span) -> None:
    found = attributes(span.attributes)
    assert found[semconv.XRAY_ANNOTATIONS] == [name for name in INSTRUMENTATION.annotations if name in found]


def make_child(tracing: Tracing, name: str = "child", scope: str = "a library", **more: Any) -> Callable[[], None]:
    tracer = tracing.provider.get_tracer(scope)
    return lambda: tracer.start_span(name, **more).end()
