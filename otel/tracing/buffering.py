"""The span processor and the sampler of the function's own TracerProvider."""

from collections.abc import Sequence

from opentelemetry import context as context_api
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from otel.tracing.redaction import redact_span
from otel.tracing.span_processor import EventSpanProcessor

MAX_BUFFERED_SPANS = 5_000
"""Limit on buffered spans; one event makes a handful."""


class BufferingSpanProcessor(EventSpanProcessor, SpanProcessor):
    """Buffers the spans of an event and exports them together, before the invocation returns.

    The stock batch processor exports from a thread with a timer. Lambda freezes threads when the invocation returns:
    spans would be exported during a later invocation, or never.
    """

    def on_end(self, span: ReadableSpan) -> None:
        """Buffer the span for the flush."""
        if len(self._ended) < MAX_BUFFERED_SPANS:
            self._ended.append(redact_span(span, shedding=self.shedding))
        else:
            self._dropped += 1


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
