"""OpenTelemetry by hand, spans and metrics over OTLP/HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`."""

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from bench.variants.otel import resource, traced

_provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
_meter = _provider.get_meter("mark-earnings-processed")
_events = _meter.create_counter("EventsReceived")


def _count(outcome: str) -> None:
    _events.add(1, {"outcome": outcome})
    _provider.force_flush()


lambda_handler = traced(OTLPSpanExporter(), _count)
