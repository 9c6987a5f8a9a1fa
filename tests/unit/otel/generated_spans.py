"""Spans for property tests: created by the real SDK, with everything that it allows in a span."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel.tracing.provider import RecordOnlySampler

INT64 = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
# NaN is not equal to itself: it has a test of its own.
_FLOATS = st.floats(allow_nan=False)
_SCALARS = (st.booleans(), _TEXT, INT64, _FLOATS)
_VALUES = st.one_of(
    *_SCALARS,
    _TEXT.map(str.encode),
    *(st.lists(st.none() | scalar, max_size=3) for scalar in _SCALARS),
    st.lists(_TEXT.map(str.encode), max_size=3),
)
ATTRIBUTES = st.dictionaries(_KEYS, _VALUES, max_size=3)
_NANOSECONDS = st.integers(0, 2**63 - 1)
_STATES: tuple[list[tuple[str, str]], ...] = ([], [("vendor", "value")], [("a", "1"), ("tenant@vendor", "x:y/z")])
_TRACE_STATE = st.sampled_from(_STATES).map(TraceState)


class KeepEnded(SpanProcessor):
    """Retains ended spans."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Retain the span."""
        self.ended.append(span)


@contextmanager
def provider(**arguments: Any) -> Iterator[tuple[TracerProvider, list[ReadableSpan]]]:
    """Return a provider of the SDK, not the global one, and the list of its ended spans."""
    keep = KeepEnded()
    made = TracerProvider(shutdown_on_exit=False, **{"resource": Resource({"service.name": "test"}), **arguments})
    made.add_span_processor(keep)
    yield made, keep.ended
    made.shutdown()


@st.composite
def span_contexts(draw: st.DrawFn) -> SpanContext:
    """A valid context, remote or local, sampled or not."""
    return SpanContext(
        trace_id=draw(st.integers(1, 2**128 - 1)),
        span_id=draw(st.integers(1, 2**64 - 1)),
        is_remote=draw(st.booleans()),
        trace_flags=TraceFlags(draw(st.sampled_from([0, 1]))),
        trace_state=draw(_TRACE_STATE),
    )


@st.composite
def links(draw: st.DrawFn) -> Link:
    """A link to any span."""
    return Link(draw(span_contexts()), draw(ATTRIBUTES))


@st.composite
def span_makers(draw: st.DrawFn) -> Callable[[TracerProvider], None]:
    """Something that makes one span, and perhaps a child of it."""
    scope: dict[str, Any] = {
        "instrumenting_module_name": draw(st.sampled_from(["one", "two", ""])),
        "instrumenting_library_version": draw(st.sampled_from([None, "1.2"])),
        "schema_url": draw(st.sampled_from([None, "", "https://example.com/schemas/1"])),
        "attributes": draw(st.sampled_from([None, {}, {"room": "a", "level": 2}])),
    }
    parent = draw(st.none() | span_contexts())
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent), Context()) if parent else Context()
    start: dict[str, Any] = {
        "name": draw(_TEXT),
        "kind": draw(st.sampled_from(SpanKind)),
        "attributes": draw(ATTRIBUTES),
        "links": draw(st.lists(links(), max_size=2)),
        "start_time": draw(_NANOSECONDS),
    }
    status = draw(st.none() | st.sampled_from(StatusCode))
    description = draw(st.none() | _TEXT) if status is StatusCode.ERROR else None
    events = draw(st.lists(st.tuples(_TEXT, ATTRIBUTES, _NANOSECONDS), max_size=2))
    has_child, error = draw(st.booleans()), draw(st.none() | _TEXT)
    end = draw(_NANOSECONDS)

    def make(maker: TracerProvider) -> None:
        tracer = maker.get_tracer(**scope)
        span = tracer.start_span(context=context, **start)
        for name, attributes, timestamp in events:
            span.add_event(name, attributes, timestamp)
        if error is not None:
            span.record_exception(ValueError(error))
        if has_child:
            tracer.start_span("child", context=trace.set_span_in_context(span, context)).end()
        if status is not None:
            span.set_status(Status(status, description))
        span.end(end)

    return make


@st.composite
def span_recipes(draw: st.DrawFn) -> Callable[[], list[ReadableSpan]]:
    """Something that makes ended spans of one provider: several scopes, limits that make it drop things.

    Not the spans themselves: the SDK draws their IDs at random, which hypothesis wants inside the test.
    """
    few = SpanLimits(max_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    limits = draw(st.sampled_from([SpanLimits(), few, SpanLimits(max_span_attribute_length=3)]))
    resource = Resource(draw(ATTRIBUTES), schema_url=draw(st.sampled_from(["", "https://example.com/resource/1"])))
    makers = draw(st.lists(span_makers(), min_size=1, max_size=4))

    def make_all() -> list[ReadableSpan]:
        with provider(resource=resource, span_limits=limits, sampler=RecordOnlySampler(ParentBased(ALWAYS_ON))) as (
            maker,
            ended,
        ):
            for make in makers:
                make(maker)
            return list(ended)

    return make_all
