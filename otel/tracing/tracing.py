"""Tracing of one sandbox, as the rest of the package uses it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

from otel.record import EventRecord
from otel.tracing.root_span import RootSpans, account_attribute
from otel.tracing.span_processor import MOST_SECONDS, EventSpanProcessor


class Tracing:
    """Tracing of one sandbox, whoever has set up the TracerProvider.

    Args:
        provider: Has `spans` among its span processors.
        spans: Exports the spans.
        root_spans: Makes the root span of each event.
        client_tracer_provider: Makes the spans of AWS calls; None for `provider`.
    """

    def __init__(
        self,
        provider: Any,
        spans: EventSpanProcessor,
        root_spans: RootSpans,
        client_tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        self.provider = provider
        self.spans = spans
        self._root_spans = root_spans
        self.client_tracer_provider: trace.TracerProvider = client_tracer_provider or provider

    def event_span(
        self, record: EventRecord, traceparent: object, environ: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        """Start the root span of an event; see `RootSpans.start`."""
        self.spans.account = account_attribute(record.invoked_arn)
        return self._root_spans.start(record, traceparent, environ)

    def set_event_attributes(self, record: EventRecord) -> None:
        """Set the subject of the event on its spans; see `RootSpans.set_event_attributes`."""
        self._root_spans.set_event_attributes(record)

    def flush(self, seconds: float = MOST_SECONDS, *, all_sampled: bool = False) -> int:
        """Export the spans that have ended; see `EventSpanProcessor.flush`."""
        return self.spans.flush(seconds, all_sampled=all_sampled)
