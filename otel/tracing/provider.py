"""The function's own TracerProvider: `direct` and `collector` export modes."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as context_api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.sdk.version import __version__
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from otel import semconv
from otel.exporters.xray_udp import XRayUdpExporter
from otel.instrumentation import Instrumentation
from otel.settings import TelemetrySettings
from otel.tracing.client_tracer import ClientTracer, ClientTracerProvider
from otel.tracing.ids import new_span_id, new_trace_id
from otel.tracing.redaction import copied, redact_span
from otel.tracing.root_span import RootSpans, event_faults
from otel.tracing.span_processor import MOST_SECONDS, EventSpanProcessor, SpanExporter
from otel.tracing.tracing import Tracing

MAX_BUFFERED_SPANS = 5_000
"""Limit on buffered spans; one event makes a handful."""


def create_tracing(settings: TelemetrySettings, instrumentation: Instrumentation, exporter: SpanExporter) -> Tracing:
    """Create a TracerProvider whose spans go to this exporter."""
    # No exit hook: every invocation flushes, and a sandbox is killed, not closed.
    limits = SpanLimits()
    provider = TracerProvider(
        resource=_resource(settings), id_generator=KernelIds(), shutdown_on_exit=False, span_limits=limits
    )
    provider.sampler = RecordOnlySampler(provider.sampler)  # the inner one is the one of OTEL_TRACES_SAMPLER
    spans = BufferingSpanProcessor(exporter, limits)
    provider.add_span_processor(spans)
    tracer = provider.get_tracer(instrumentation.scope, settings.function_version, semconv.SCHEMA_URL)
    root_spans = RootSpans(tracer, settings, event_faults(settings, instrumentation), spans.set_attributes)
    clients = ClientTracerProvider(provider, lambda tracer: ClientTracer(tracer, spans.set_attributes))
    return Tracing(provider, spans, root_spans, clients)


def create_exporter(settings: TelemetrySettings, credentials: Callable[[], Any] = lambda: None) -> SpanExporter:
    """Create the exporter that the standard variables select.

    Args:
        settings: Telemetry settings.
        credentials: Returns the function's credentials, as botocore has them.
    """
    if settings.otlp is not None:
        from otel.exporters.otlp_http import OtlpHttpExporter

        return OtlpHttpExporter(settings.otlp, credentials)
    exporter = XRayUdpExporter(settings.daemon)
    if settings.application_signals:
        from otel.exporters.application_signals import ApplicationSignalsExporter

        return ApplicationSignalsExporter(exporter, settings.function_name)
    return exporter


class BufferingSpanProcessor(EventSpanProcessor, SpanProcessor):
    """Buffers the spans of an event and exports them together, before the invocation returns.

    The stock batch processor exports from a thread with a timer. Lambda freezes threads when the invocation returns:
    spans would be exported during a later invocation, or never.
    """

    can_sample_all = True

    def __init__(self, exporter: SpanExporter, limits: SpanLimits | None = None) -> None:
        super().__init__(exporter)
        self._limits = limits or SpanLimits()
        self._late: dict[int, dict[str, Any]] = {}
        """Attributes of open spans by the ID of the span, which the SDK need not check and copy one by one."""

    def set_attributes(self, span: Span, attributes: Mapping[str, Any]) -> None:
        """Set attributes on a span when it ends."""
        self._late.setdefault(span.get_span_context().span_id, {}).update(attributes)

    def on_end(self, span: ReadableSpan) -> None:
        """Buffer the span for the flush."""
        context = span.get_span_context()
        late = self._late.pop(context.span_id, None) if context is not None else None
        if late is not None:
            span = copied(span, attributes=merged(late, span.attributes, self._limits))
        if len(self._ended) < MAX_BUFFERED_SPANS:
            self._ended.append(redact_span(span, shedding=self.shedding))
        else:
            self._dropped += 1

    @contextmanager
    def exporting_to(self, exporter: SpanExporter) -> Iterator[None]:
        """Use another exporter inside the block, and close it afterwards."""
        before, self._exporter = self._exporter, exporter
        try:
            yield
        finally:
            self._exporter = before
            exporter.close()

    def flush(self, seconds: float = MOST_SECONDS, *, all_sampled: bool = False) -> int:
        """Export the spans that have ended; see `EventSpanProcessor.flush`."""
        self._late.clear()  # of spans that nobody ends any more
        return super().flush(seconds, all_sampled=all_sampled)


def merged(late: Mapping[str, Any], own: Any, limits: SpanLimits) -> Mapping[str, Any]:
    """Return the attributes of a span that has ended, those that were set late first, within the limits of the SDK.

    Args:
        late: Set by `BufferingSpanProcessor.set_attributes`.
        own: Set on the span: a proxy of the SDK's attributes, whose copy costs less than to iterate over it.
        limits: Of `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` and the variables beside it.
    """
    own = own.copy()
    indexed, results = late.get(semconv.XRAY_ANNOTATIONS, ()), own.get(semconv.XRAY_ANNOTATIONS, ())
    attributes = {
        **late,
        **own,
        semconv.XRAY_ANNOTATIONS: (*indexed, *(name for name in results if name not in indexed)),
    }
    most, length = limits.max_span_attributes, limits.max_span_attribute_length
    if length is None and (most is None or len(attributes) <= most):
        return attributes
    return BoundedAttributes(most, attributes, max_value_len=length)


class RecordOnlySampler(Sampler):
    """Records the spans that another sampler drops: they are exported as unsampled.

    X-Ray counts them in its statistics; the decision of the sampler is the same otherwise.
    """

    def __init__(self, decide: Sampler) -> None:
        self._decide = decide

    def should_sample(
        self,
        parent_context: context_api.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the sampler's decision, with `RECORD_ONLY` in place of `DROP`."""
        result = self._decide.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """Return a name with the name of the other sampler."""
        return f"RecordUnsampled({self._decide.get_description()})"


class KernelIds(IdGenerator):
    """The SDK's interface to `otel.tracing.ids`."""

    def generate_span_id(self) -> int:
        """Return a new span ID."""
        return new_span_id()

    def generate_trace_id(self) -> int:
        """Return a new trace ID."""
        return new_trace_id()

    def is_trace_id_random(self) -> bool:
        """Return True: W3C's flag is about the rightmost 56 bits, which are random."""
        return True


def _resource(settings: TelemetrySettings) -> Resource:
    # Not Resource.create(): it searches the metadata of every package for detectors.
    own: dict[str, Any] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": __version__,
        "service.name": settings.service,
        "service.version": settings.service_version,
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": settings.region,
        "faas.name": settings.function_name,
        "faas.version": settings.function_version,
        "faas.instance": settings.log_stream,
        "faas.max_memory": settings.memory_mb * 1024 * 1024,
        "deployment.environment.name": settings.environment,
        "aws.log.group.names": (settings.log_group,) if settings.log_group else "",
    }
    from_env = OTELResourceDetector().detect() if os.environ.get("OTEL_RESOURCE_ATTRIBUTES") else Resource.get_empty()
    return Resource({name: value for name, value in own.items() if value != ""}, semconv.SCHEMA_URL).merge(from_env)
