"""The span processor: sets the event's attributes on every span and keeps track of the spans until the flush.

Imports nothing of the OpenTelemetry SDK: ADOT's fast start has an SDK of its own.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from otel import semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, Span

EVENT_KEY = context_api.create_key("event-attributes")
"""Context key of the attributes that every span of an event carries."""

MOST_SECONDS = 1.0
"""Limit on the duration of an export: half of the 2 s that every invocation reserves for its end."""


class SpanExporter(Protocol):
    """Sends spans to a backend."""

    def export(self, spans: "Sequence[ReadableSpan]", seconds: float, /) -> int:
        """Send spans within this time; return how many were lost."""

    def close(self) -> None:
        """Close the sockets."""


class EventSpanProcessor:
    """Sets the attributes of the event on its spans, and flushes them before the invocation returns.

    A span processor of any provider: what a provider calls is here, and its base class is not needed.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []
        self._dropped = 0
        self.shedding = False

    def on_start(self, span: "Span", parent_context: context_api.Context | None = None) -> None:
        """Set the attributes of the event on the span."""
        attributes = context_api.get_value(EVENT_KEY, parent_context)
        if isinstance(attributes, Mapping):
            span.set_attributes({**attributes, semconv.XRAY_ANNOTATIONS: tuple(attributes)})
        self._open[id(span)] = span

    def on_end(self, span: "ReadableSpan") -> None:
        """Count the span for the flush."""
        self._ended.append(span)

    def end_open_spans(self, category: str, code: str) -> None:
        """End the open spans as failed: an operator looks for the call that hangs.

        Args:
            category: Error category.
            code: Value of `error.type`.
        """
        for span in reversed(list(self._open.values())):
            if span.is_recording():
                set_span_error(span, category, code)
                span.end()

    def flush(self, seconds: float = MOST_SECONDS) -> int:
        """Export the spans that have ended, within this time; return how many were lost."""
        self._open.clear()
        spans = self._ended[:]
        del self._ended[: len(spans)]  # not a new list: the watchdog or the event's thread may append to this one
        lost, self._dropped = self._dropped, 0
        return lost + (self._exporter.export(spans, seconds) if spans else 0)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export the spans that have ended, within this time or `MOST_SECONDS`, whichever is less."""
        return self.flush(min(timeout_millis / 1000, MOST_SECONDS)) == 0

    def shutdown(self) -> None:
        """Export the rest and close the exporter."""
        self.flush()
        self._exporter.close()


def set_span_error(span: trace.Span, category: str, code: str) -> None:
    """Set the error status and attributes of an open span.

    Args:
        span: The span.
        category: Error category.
        code: AWS's error code, or the class of an exception.
    """
    span.set_attributes({"error.type": code, semconv.ERROR_CATEGORY_ATTRIBUTE: category})
    set_xray_annotations(span)
    span.set_status(Status(StatusCode.ERROR, category))


def set_xray_annotations(span: trace.Span) -> None:
    """Have X-Ray index the result, where the span has one, besides what it indexes of the span already."""
    attributes = getattr(span, "attributes", None) or {}
    indexed = attributes.get(semconv.XRAY_ANNOTATIONS, ())
    result = (name for name in semconv.RESULT_ANNOTATIONS if name in attributes and name not in indexed)
    span.set_attribute(semconv.XRAY_ANNOTATIONS, (*indexed, *result))
