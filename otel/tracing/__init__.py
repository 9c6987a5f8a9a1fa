"""Distributed tracing: one root span per event, client spans of AWS calls, and their export before Lambda freezes."""

import os

from opentelemetry import trace

from otel.instrumentation import Instrumentation
from otel.settings import TelemetrySettings
from otel.tracing.tracing import Tracing


def start_tracing(settings: TelemetrySettings, instrumentation: Instrumentation) -> Tracing:
    """Start tracing: in the TracerProvider that ADOT's layer has set up, otherwise in one of our own."""
    provider = trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor"):  # the placeholder of the API has no such method
        from otel.tracing.adot_layer import join_layer, seed_after_restore

        seed_after_restore(os.environ)
        return join_layer(settings, instrumentation, provider)
    from otel.tracing.provider import create_exporter, create_tracing

    return create_tracing(settings, instrumentation, create_exporter(settings))
