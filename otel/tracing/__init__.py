"""Sets tracing up: the provider, the way out, the spans of one event."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.version import __version__
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel import semconv
from otel.exporters.xray_udp import XRayUdpExporter
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.tracing.ids import new_span_id, new_trace_id
from otel.tracing.span_processor import (
    EVENT_KEY,
    MOST_SECONDS,
    BufferingSpanProcessor,
    RecordOnlySampler,
    SpanExporter,
    set_xray_annotations,
)
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER, TraceOnly, read_trace_header

SCOPE = "mark-earnings-processed"
"""The instrumentation scope of the root spans."""

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


class KernelIds(IdGenerator):
    """The SDK's interface to `otel.tracing.ids`."""

    def generate_span_id(self) -> int:
        """A span ID."""
        return new_span_id()

    def generate_trace_id(self) -> int:
        """A trace ID."""
        return new_trace_id()

    def is_trace_id_random(self) -> bool:
        """Yes: the 56 bits on the right are, which is what W3C's flag says."""
        return True


class Tracing:
    """Tracing of one sandbox."""

    def __init__(self, settings: TelemetrySettings, exporter: SpanExporter) -> None:
        self._settings = settings
        self.spans = BufferingSpanProcessor(exporter)
        # No exit hook: every invocation flushes, and a sandbox is killed, not closed.
        self.provider = TracerProvider(resource=_resource(settings), id_generator=KernelIds(), shutdown_on_exit=False)
        self.provider.sampler = RecordOnlySampler(self.provider.sampler)  # the inner one comes from OTEL_TRACES_SAMPLER
        self.provider.add_span_processor(self.spans)
        self._tracer = self.provider.get_tracer(SCOPE)

    @property
    def client_tracer_provider(self) -> trace.TracerProvider:
        """Makes the spans of AWS calls."""
        return self.provider

    @contextmanager
    def event_span(self, record: EventRecord, traceparent: object, environ: Mapping[str, str]) -> Iterator[Span]:
        """The root span of one event, current inside the block.

        Args:
            record: gives the attributes; what is found out later is added by `set_event_attributes` and at the end.
            traceparent: `detail.traceparent` as it came; linked to if it is one.
            environ: where Lambda's trace header is: the trace, and the parent if it names one.
        """
        carried = {semconv.CORRELATION_ID: record.correlation_id}
        parent = self._parent(environ)
        token = context_api.attach(context_api.set_value(EVENT_KEY, carried, parent))
        try:
            with self._tracer.start_as_current_span(
                self._settings.function_name,
                kind=SpanKind.SERVER,
                attributes={
                    "faas.trigger": "pubsub",
                    "faas.invocation_id": record.request_id,
                    "faas.coldstart": record.cold_start,
                },
                links=span_links(traceparent),
            ) as span:
                if isinstance(trace.get_current_span(parent), TraceOnly):
                    # The trace and the sampler's decision came by a parent that is nowhere: it must not be exported.
                    # There is no other way to hand them to every provider; the layer's fast start knows parents only.
                    span._parent = None  # type: ignore[attr-defined] # noqa: SLF001
                context = span.get_span_context()
                record.trace_id, record.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
                try:
                    yield span
                finally:
                    end_root_span(span, record)
        finally:
            context_api.detach(token)

    def flush(self, seconds: float = MOST_SECONDS) -> int:
        """Export the spans that have ended, in no more than so many seconds; return how many were lost."""
        return self.spans.flush(seconds)

    def _parent(self, environ: Mapping[str, str]) -> context_api.Context:
        return read_trace_header(environ.get(LAMBDA_TRACE_HEADER))


def set_event_attributes(record: EventRecord) -> None:
    """Tell the current span, and those that follow, which row the event is about."""
    attributes = context_api.get_value(EVENT_KEY)
    if isinstance(attributes, dict):
        row = {semconv.ASSET_SYMBOL: record.asset_symbol, semconv.EARNINGS_DATE: record.earnings_date}
        attributes.update((name, value) for name, value in row.items() if value is not None)
        trace.get_current_span().set_attributes(attributes)


def end_root_span(span: Span, record: EventRecord) -> None:
    """Write the end of the event onto its root span."""
    found = {
        semconv.OUTCOME: record.outcome,
        semconv.ERROR_CATEGORY_ATTRIBUTE: record.error_category,
        "error.type": record.error_code,
    }
    span.set_attributes({name: value for name, value in found.items() if value is not None})
    if record.throttling_reasons:
        span.set_attribute(semconv.DYNAMODB_THROTTLING_REASONS, record.throttling_reasons)
    set_xray_annotations(span)
    if record.error_category is not None:
        span.set_status(Status(StatusCode.ERROR, record.error_category))


def span_links(traceparent: object) -> list[Link]:
    """A link to the producer's span; none if the text is not a W3C traceparent."""
    match = _TRACEPARENT.match(traceparent) if isinstance(traceparent, str) else None
    if match is None or match[1] == "ff":
        return []
    flags = TraceFlags(int(match[4], 16))
    context = SpanContext(int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=flags)
    return [Link(context)] if context.is_valid else []


def start_tracing(settings: TelemetrySettings) -> Tracing:
    """Tracing as the environment asks for it: in the provider that a layer has set up, else in one of our own."""
    provider = trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor"):  # the API's place-holder takes none
        from otel.tracing.adot_layer import LayerTracing, seed_after_restore

        seed_after_restore(os.environ)
        return LayerTracing(settings, provider)
    return Tracing(settings, create_exporter(settings))


def create_exporter(settings: TelemetrySettings) -> SpanExporter:
    """The way out that the standard variables ask for."""
    if settings.collector:
        from otel.exporters.otlp_http import OtlpHttpExporter

        return OtlpHttpExporter()
    return XRayUdpExporter(settings.daemon)


def _resource(settings: TelemetrySettings) -> Resource:
    # Not Resource.create(): it searches the metadata of every package for detectors.
    own: dict[str, Any] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": __version__,
        "service.name": settings.service,
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": settings.region,
        "faas.name": settings.function_name,
        "faas.version": settings.function_version,
        "faas.instance": settings.log_stream,
        "faas.max_memory": settings.memory_mb * 1024 * 1024,
        "deployment.environment.name": settings.environment,
    }
    told = OTELResourceDetector().detect() if os.environ.get("OTEL_RESOURCE_ATTRIBUTES") else Resource.get_empty()
    return Resource({name: value for name, value in own.items() if value != ""}).merge(told)
