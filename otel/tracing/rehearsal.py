"""Tracing and SnapStart: spans of events that prime the function, and the name of a restored sandbox.

Imported under SnapStart only.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel.settings import TelemetrySettings
from otel.tracing.tracing import Tracing

INSTANCE = "faas.instance"

_PATIENCE_SECONDS = 10


@contextmanager
def rehearsing(
    tracing: Tracing, settings: TelemetrySettings, url: str, daemon: tuple[str, int]
) -> Iterator[Tracing | None]:
    """Export spans to these addresses inside the block.

    Args:
        tracing: Of the function.
        settings: Name the export mode.
        url: In place of an OTLP endpoint.
        daemon: In place of the X-Ray daemon.

    Yields:
        The tracing to use; None with ADOT's whole set-up, which exports from a thread of its own.
    """
    if settings.adot_fast_start and isinstance(tracing.provider.resource, dict):
        with _layer_exporting_to(tracing.provider, daemon):
            yield tracing
    elif hasattr(tracing.spans, "exporting_to"):
        from otel.tracing.provider import create_exporter

        otlp = settings.otlp and settings.otlp._replace(endpoint=url)
        before = set(threading.enumerate())
        with tracing.spans.exporting_to(create_exporter(settings._replace(daemon=daemon, otlp=otlp), lambda: None)):
            yield tracing
        for thread in set(threading.enumerate()) - before:  # of the exporter, which is closed
            thread.join(_PATIENCE_SECONDS)
    else:
        with suppress_instrumentation():
            yield None


@contextmanager
def _layer_exporting_to(provider: Any, daemon: tuple[str, int]) -> Iterator[None]:
    """Have ADOT's fast start send its datagrams to another address inside the block."""
    from amazon.opentelemetry.distro.opentelemetry_lite_sdk import (  # type: ignore[import-untyped]
        BatchingSpanProcessor,
        UdpSpanExporter,
    )

    processors = vars(provider)["_span_processors"]  # it has no other way to its exporter
    (state,) = [vars(processor) for processor in processors if isinstance(processor, BatchingSpanProcessor)]
    before = state["_exporter"]
    state["_exporter"] = UdpSpanExporter(endpoint=":".join(map(str, daemon)))
    try:
        yield
    finally:
        state["_exporter"].shutdown()
        state["_exporter"] = before


def name_sandbox(provider: Any, instance: str) -> None:
    """Give the resource of a restored sandbox a name of its own: Lambda gives it no log stream to be named after.

    A name that a user has set stays. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html

    Args:
        provider: The TracerProvider.
        instance: Value of `faas.instance`.
    """
    resource = provider.resource
    if isinstance(resource, dict):  # of ADOT's fast start, whose tracers share it
        resource[INSTANCE] = resource.get(INSTANCE) or instance
    elif not resource.attributes.get(INSTANCE):
        from opentelemetry.sdk.resources import Resource

        provider._update_resource(Resource({INSTANCE: instance}))  # noqa: SLF001 - as the SDK does after a fork
