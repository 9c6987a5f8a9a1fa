"""The span processor: the event's IDs onto every span, ended spans kept until the flush, open ones for the watchdog."""

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

EVENT_KEY = context_api.create_key("mark-earnings-processed-event")
"""Context key of the attributes that every span of the event carries."""

MOST_SECONDS = 1.0
"""What an export may take at most: half of the 2 s that every invocation keeps for its end."""

MAX_BUFFERED_SPANS = 5_000
"""Bound on spans that wait for a flush; one event makes a handful."""


class SpanExporter(Protocol):
    """A way out for spans."""

    def export(self, spans: Sequence[ReadableSpan], seconds: float, /) -> int:
        """Send spans, in no more than so many seconds; return how many were lost."""

    def close(self) -> None:
        """Let go of sockets."""


class BufferingSpanProcessor(SpanProcessor):
    """Collects the spans of an event and exports them in one go, before the invocation returns.

    The stock batch processor exports from a thread by a timer, and the sandbox freezes threads when the invocation
    returns: spans would leave with a later event, or never.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []
        self._dropped = 0
        self.shedding = False

    def on_start(self, span: Span, parent_context: context_api.Context | None = None) -> None:
        """Put the IDs of the event on the span."""
        attributes = context_api.get_value(EVENT_KEY, parent_context)
        if isinstance(attributes, Mapping):
            span.set_attributes({**attributes, semconv.XRAY_ANNOTATIONS: tuple(attributes)})
        self._open[id(span)] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span for the flush."""
        if len(self._ended) < MAX_BUFFERED_SPANS:
            self._ended.append(redact_span(span, shedding=self.shedding))
        else:
            self._dropped += 1

    def end_open_spans(self, category: str, code: str) -> None:
        """End the spans that are still open, for the watchdog: the call that hangs is what an operator looks for.

        Args:
            category: why they end.
            code: what `error.type` says.
        """
        for span in reversed(list(self._open.values())):
            if span.is_recording():
                set_span_error(span, category, code)
                span.end()

    def flush(self, seconds: float = MOST_SECONDS) -> int:
        """Export all that has ended; return how many spans were lost.

        Args:
            seconds: what it may take.
        """
        self._open.clear()
        spans = self._ended[:]
        del self._ended[: len(spans)]  # not a new list: the other thread may be appending
        lost, self._dropped = self._dropped, 0
        return lost + (self._exporter.export(spans, seconds) if spans else 0)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export all that has ended.

        Args:
            timeout_millis: what it may take; `MOST_SECONDS` if that is less.
        """
        return self.flush(min(timeout_millis / 1000, MOST_SECONDS)) == 0

    def shutdown(self) -> None:
        """Export what is left and let go of the exporter."""
        self.flush()
        self._exporter.close()


def set_span_error(span: trace.Span, category: str, code: str) -> None:
    """Tell on a span what went wrong.

    Args:
        span: still open.
        category: what to do about it.
        code: AWS's error code, or the class of an exception.
    """
    span.set_attributes({"error.type": code, semconv.ERROR_CATEGORY_ATTRIBUTE: category})
    set_xray_annotations(span)
    span.set_status(Status(StatusCode.ERROR, category))


def set_xray_annotations(span: trace.Span) -> None:
    """Name the attributes of a span that X-Ray must index: those it has."""
    attributes = getattr(span, "attributes", None) or {}
    span.set_attribute(semconv.XRAY_ANNOTATIONS, tuple(name for name in semconv.ANNOTATIONS if name in attributes))


class RecordOnlySampler(Sampler):
    """Lets a sampler decide, but records what it would drop: unsampled spans go to the agent marked as such.

    X-Ray makes its unsampled statistics of them; nothing else about the decision changes.
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
        """The wrapped sampler's decision, `DROP` made `RECORD_ONLY`."""
        result = self._decide.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """What this sampler is."""
        return f"RecordUnsampled({self._decide.get_description()})"
