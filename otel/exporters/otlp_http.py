"""The exporter of `collector` mode: the stock OTLP/HTTP exporter, to `OTEL_EXPORTER_OTLP_ENDPOINT`.

The timeout of the stock exporter applies to each read of a socket. Here the whole export has one deadline.
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
"""Timeout of the stock exporter. Its first backoff is at least 0.8 s, so that it does not retry."""


class OtlpHttpExporter:
    """Sends sampled spans to an OTLP endpoint; a collector does not expect others."""

    def __init__(self) -> None:
        self._adapter = BoundedAdapter()
        session = Session()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        self._exporter = OTLPSpanExporter(timeout=_NO_BACKOFF_SECONDS, session=session)
        self._worker = Bounded("collector")
        self._attempt = Attempt(0.0)

    def export(self, spans: Sequence[ReadableSpan], seconds: float = MOST_SECONDS, all_sampled: bool = False) -> int:
        """Send spans; return how many were lost.

        Args:
            spans: Spans that have ended.
            seconds: Limit on the whole export, whatever the collector does. `OTEL_EXPORTER_OTLP_TIMEOUT` is ignored: it
                could exceed the invocation.
            all_sampled: Whether to send unsampled spans, too.
        """
        sampled = [span for span in spans if all_sampled or is_sampled(span)]
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
        """Close the connection, also during an export."""
        self._attempt.abort()
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._worker.close()
