"""Distributed tracing: one root span per event, client spans of AWS calls, and their export before Lambda freezes."""

import os
from collections.abc import Callable
from typing import Any

from opentelemetry import trace

from otel.instrumentation import Instrumentation
from otel.settings import TelemetrySettings
from otel.tracing.tracing import Tracing


def load_tracing(settings: TelemetrySettings) -> None:
    """Import what the export mode needs with tracing on, and set ADOT's fast start up if it is the mode.

    Call it before `start_tracing` and inside of the cold start, which leaves unused imports of the libraries out.

    Raises:
        Exception: ADOT cannot be set up: `start_tracing` then creates a TracerProvider of our own.
    """
    from otel.tracing import botocore  # noqa: F401 - for its imports

    if _has_provider():
        return  # AWS's own layer sets ADOT up before it imports the function
    if settings.adot_fast_start:
        from otel.tracing.adot_layer import start_adot

        start_adot()
    else:
        from otel.tracing import provider  # noqa: F401 - for its imports

        if settings.otlp is not None:
            from otel.exporters import otlp_http  # noqa: F401 - for its imports


def start_tracing(
    settings: TelemetrySettings, instrumentation: Instrumentation, credentials: Callable[[], Any] = lambda: None
) -> Tracing:
    """Start tracing: in ADOT's TracerProvider if there is one, otherwise in one of our own.

    Args:
        settings: Telemetry settings.
        instrumentation: The names of the function.
        credentials: Returns the function's credentials, as botocore has them; first called by an export.
    """
    if _has_provider():
        from otel.tracing.adot_layer import join_layer

        return join_layer(settings, instrumentation, os.environ)
    from otel.tracing.provider import create_exporter, create_tracing

    return create_tracing(settings, instrumentation, create_exporter(settings, credentials))


def _has_provider() -> bool:
    """Return whether a TracerProvider is set; the placeholder of OpenTelemetry's API takes no span processors."""
    return hasattr(trace.get_tracer_provider(), "add_span_processor")
