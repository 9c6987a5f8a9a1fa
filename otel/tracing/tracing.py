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

    def add_event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Add an event to the current span."""
        trace.get_current_span().add_event(name, attributes)

    def end_spans(self, root_span: Span, record: EventRecord) -> None:
        """End the open spans of an event that has reached the deadline, as failed.

        Args:
            root_span: Gets the outcome of the event.
            record: What is known of the event.
        """
        self._root_spans.set_outcome(root_span, record)
        self.spans.end_open_spans(str(record.error_category), str(record.error_code), root_span)

    def flush(self, seconds: float = MOST_SECONDS, *, all_sampled: bool = False) -> int:
        """Export the spans that have ended, within this time or `MOST_SECONDS`; see `EventSpanProcessor.flush`."""
        return self.spans.flush(min(seconds, MOST_SECONDS), all_sampled=all_sampled)
