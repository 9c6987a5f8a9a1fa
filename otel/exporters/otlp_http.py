"""The collector's way out: OTLP over HTTP by the stock exporter, to `OTEL_EXPORTER_OTLP_ENDPOINT`.

The stock exporter's time-out is one for each read of a socket. Here the whole export has one deadline.
"""

from collections.abc import Sequence
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from requests import Session

from otel.exporters.bounded import Bounded
from otel.exporters.bounded_http import Attempt, BoundedAdapter
from otel.exporters.xray_udp import is_sampled
from otel.tracing.span_processor import MOST_SECONDS

_NO_BACKOFF_SECONDS = 0.5
"""What the stock exporter is told that it has. Its first wait before a retry is at least 0.8 s: it makes none."""


class OtlpHttpExporter:
    """Sends sampled spans to an OTLP endpoint; the collector has no use for the others."""

    def __init__(self) -> None:
        self._adapter = BoundedAdapter()
        session = Session()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        self._exporter = OTLPSpanExporter(timeout=_NO_BACKOFF_SECONDS, session=session)
        self._worker = Bounded("collector")
        self._attempt = Attempt(0.0)

    def export(self, spans: Sequence[ReadableSpan], seconds: float = MOST_SECONDS) -> int:
        """Send spans; return how many were lost.

        Args:
            spans: that have ended.
            seconds: what all of it may take, whatever the collector does. `OTEL_EXPORTER_OTLP_TIMEOUT` may not
                outlast the invocation, and is not looked at.
        """
        sampled = [span for span in spans if is_sampled(span)]
        if not sampled:
            return 0
        attempt = self._attempt = Attempt(monotonic() + seconds)

        def send() -> bool:
            self._adapter.begin(attempt)
            return self._exporter.export(sampled) is SpanExportResult.SUCCESS

        try:
            sent = seconds > 0 and self._worker.run(send, seconds, attempt.abort)
        except TimeoutError:
            sent = False
        return 0 if sent else len(sampled)

    def close(self) -> None:
        """Close the connection, whatever is going on."""
        self._attempt.abort()
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._worker.close()
