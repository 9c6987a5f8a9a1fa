"""The samplers of `OTEL_TRACES_SAMPLER`, for a TracerProvider that has none: ADOT's fast start.

It gives each span the sampled flag of its parent. The decision of the sampler therefore goes into the parent of the
root span. https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers
"""

from collections.abc import Callable, Mapping

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel.tracing.ids import new_span_id, new_trace_id
from otel.tracing.trace_header import TraceOnly

_PARENT_BASED = "parentbased_"
_RANDOM_BITS = 64
"""Bits of the trace ID by which a ratio decides, as the SDK does: the rightmost."""

Decide = Callable[[int], bool]
"""Returns the decision for a trace ID."""


class ParentSampler:
    """Puts the decision of a sampler into the context of the root span's parent.

    Args:
        environ: Holds `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, which the settings have checked.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
        self._follows_parent = name.startswith(_PARENT_BASED)
        self._decide = _decision(name.removeprefix(_PARENT_BASED), environ.get("OTEL_TRACES_SAMPLER_ARG", ""))

    def parent(self, context: context_api.Context) -> context_api.Context:
        """Return the context with a parent whose sampled flag is the decision.

        Args:
            context: As `otel.tracing.trace_header.read_trace_header` returns it. Without a parent, the root span begins
                a trace: the new parent is a `TraceOnly`.
        """
        parent = trace.get_current_span(context)
        known = parent.get_span_context()
        if known.is_valid and self._follows_parent:
            return context
        span_type = type(parent) if known.is_valid else TraceOnly
        trace_id, span_id = (known.trace_id, known.span_id) if known.is_valid else (new_trace_id(), new_span_id())
        flags = TraceFlags(TraceFlags.SAMPLED if self._decide(trace_id) else TraceFlags.DEFAULT)
        assert issubclass(span_type, NonRecordingSpan)  # noqa: S101 - a parent of another process
        decided = span_type(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))
        return trace.set_span_in_context(decided, context)


def _decision(name: str, ratio: str) -> Decide:
    if name == "always_off":
        return lambda _: False
    if name == "always_on":
        return lambda _: True
    bound = round((float(ratio) if ratio.strip() else 1.0) * (1 << _RANDOM_BITS))
    return lambda trace_id: trace_id & ((1 << _RANDOM_BITS) - 1) < bound
