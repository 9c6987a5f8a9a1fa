"""The collector's way out: OTLP over HTTP by the stock exporter, to `OTEL_EXPORTER_OTLP_ENDPOINT`."""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from otel.xray_udp import is_sampled

TIMEOUT_SECONDS = 0.5
"""For each of the two posts that the exporter makes where it cannot connect: well within the 2 s that every invocation
keeps for its end. `OTEL_EXPORTER_OTLP_TIMEOUT` may not outlast the invocation."""


class Collector:
    """Sends sampled spans to an OTLP endpoint; the collector has no use for the others."""

    def __init__(self) -> None:
        self._exporter = OTLPSpanExporter(timeout=TIMEOUT_SECONDS)

    def export(self, spans: Sequence[ReadableSpan]) -> int:
        """Send spans; return how many were lost."""
        sampled = [span for span in spans if is_sampled(span)]
        try:
            sent = not sampled or self._exporter.export(sampled) is SpanExportResult.SUCCESS
        except ValueError:  # it gives a retry the time that is left, also when less than none is
            sent = False
        return 0 if sent else len(sampled)

    def close(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
