"""The span processor: sets the event's attributes on every span and buffers the spans until the flush."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceState
from opentelemetry.util.types import Attributes

from otel import semconv
from otel.tracing.redaction import redact_span

EVENT_KEY = context_api.create_key("event-attributes")
"""Context key of the attributes that every span of an event carries."""

MOST_SECONDS = 1.0
"""Limit on the duration of an export: half of the 2 s that every invocation reserves for its end."""

MAX_BUFFERED_SPANS = 5_000
"""Limit on buffered spans; one event makes a handful."""


class SpanExporter(Protocol):
    """Sends spans to a backend."""

    def export(self, spans: Sequence[ReadableSpan], seconds: float, /) -> int:
        """Send spans within this time; return how many were lost."""

    def close(self) -> None:
        """Close the sockets."""


class BufferingSpanProcessor(SpanProcessor):
    """Buffers the spans of an event and exports them together, before the invocation returns.

    The stock batch processor exports from a thread with a timer. Lambda freezes threads when the invocation returns:
    spans would be exported during a later invocation, or never.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []
        self._dropped = 0
        self.shedding = False

    def on_start(self, span: Span, parent_context: context_api.Context | None = None) -> None:
        """Set the attributes of the event on the span."""
        attributes = context_api.get_value(EVENT_KEY, parent_context)
        if isinstance(attributes, Mapping):
            span.set_attributes({**attributes, semconv.XRAY_ANNOTATIONS: tuple(attributes)})
        self._open[id(span)] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Buffer the span for the flush."""
        if len(self._ended) < MAX_BUFFERED_SPANS:
            self._ended.append(redact_span(span, shedding=self.shedding))
        else:
            self._dropped += 1

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


class RecordOnlySampler(Sampler):
    """Records the spans that another sampler drops: they are exported as unsampled.

    X-Ray counts them in its statistics; the decision of the sampler is the same otherwise.
    """

    def __init__(self, decide: Sampler) -> None:
        self._decide = decide

    def should_sample(
        self,
        parent_context: context_api.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the sampler's decision, with `RECORD_ONLY` in place of `DROP`."""
        result = self._decide.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """Return a name with the name of the other sampler."""
        return f"RecordUnsampled({self._decide.get_description()})"
