"""The function's own TracerProvider: `direct` and `collector` export modes."""

import os
from typing import Any

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.version import __version__

from otel.exporters.xray_udp import XRayUdpExporter
from otel.instrumentation import Instrumentation
from otel.settings import TelemetrySettings
from otel.tracing.buffering import BufferingSpanProcessor, RecordOnlySampler
from otel.tracing.ids import new_span_id, new_trace_id
from otel.tracing.root_span import RootSpans
from otel.tracing.span_processor import SpanExporter
from otel.tracing.tracing import Tracing


def create_tracing(settings: TelemetrySettings, instrumentation: Instrumentation, exporter: SpanExporter) -> Tracing:
    """Create a TracerProvider whose spans go to this exporter."""
    # No exit hook: every invocation flushes, and a sandbox is killed, not closed.
    provider = TracerProvider(resource=_resource(settings), id_generator=KernelIds(), shutdown_on_exit=False)
    provider.sampler = RecordOnlySampler(provider.sampler)  # the inner one is the one of OTEL_TRACES_SAMPLER
    spans = BufferingSpanProcessor(exporter)
    provider.add_span_processor(spans)
    return Tracing(provider, spans, RootSpans(provider.get_tracer(instrumentation.scope), settings.function_name))


def create_exporter(settings: TelemetrySettings) -> SpanExporter:
    """Create the exporter that the standard variables select."""
    if settings.collector:
        from otel.exporters.otlp_http import OtlpHttpExporter

        return OtlpHttpExporter()
    return XRayUdpExporter(settings.daemon)


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
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": settings.region,
        "faas.name": settings.function_name,
        "faas.version": settings.function_version,
        "faas.instance": settings.log_stream,
        "faas.max_memory": settings.memory_mb * 1024 * 1024,
        "deployment.environment.name": settings.environment,
    }
    from_env = OTELResourceDetector().detect() if os.environ.get("OTEL_RESOURCE_ATTRIBUTES") else Resource.get_empty()
    return Resource({name: value for name, value in own.items() if value != ""}).merge(from_env)
