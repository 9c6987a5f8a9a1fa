"""`OTEL_PROPAGATORS`: where the parent of the root span comes from, in our own TracerProvider and in ADOT's."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import Span

from handler.outcome import INSTRUMENTATION
from otel.exporters.xray_udp import XRayUdpExporter
from otel.settings import ParentSource
from otel.tracing.adot_layer import LayerRootSpans
from otel.tracing.provider import create_tracing
from otel.tracing.root_span import RootSpans
from otel.tracing.sampling import ParentSampler
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER
from otel.tracing.tracing import Tracing
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID, attributes, telemetry_settings
from tests.support.udp import SpanSocket
from tests.unit.otel.generated_spans import provider
from tests.unit.otel.tracing_harness import PRODUCER, only, run_event

PRODUCERS_TRACE, PRODUCERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
UNSAMPLED = TRACE_HEADER.replace("Sampled=1", "Sampled=0")
LAMBDA, NONE = (TRACE_ID, PARENT_ID), ("", "")
PRODUCED = (PRODUCERS_TRACE, PRODUCERS_SPAN)


@pytest.fixture
def tracing_from(spans: SpanSocket) -> Iterator[Callable[[ParentSource], Tracing]]:
    with closing(XRayUdpExporter(spans.address)) as exporter:

        def make(source: ParentSource) -> Tracing:
            return create_tracing(telemetry_settings(parent_source=source), INSTRUMENTATION, exporter)

        yield make


@pytest.mark.parametrize(
    ("source", "header", "traceparent", "parent", "link", "sampled"),
    [
        ("lambda", TRACE_HEADER, PRODUCER, LAMBDA, PRODUCED, True),
        ("lambda", UNSAMPLED, PRODUCER, LAMBDA, PRODUCED, False),
        ("traceparent", TRACE_HEADER, PRODUCER, PRODUCED, LAMBDA, True),
        ("traceparent", UNSAMPLED, PRODUCER, PRODUCED, LAMBDA, True),
        ("traceparent", TRACE_HEADER, f"{PRODUCER[:-2]}00", PRODUCED, LAMBDA, False),
        ("traceparent", UNSAMPLED, None, NONE, LAMBDA, True),
        ("traceparent", UNSAMPLED, "no traceparent", NONE, LAMBDA, True),
        ("traceparent", None, PRODUCER, PRODUCED, NONE, True),
        ("traceparent", TRACE_HEADER.partition(";")[0], PRODUCER, PRODUCED, NONE, True),
        ("nothing", UNSAMPLED, PRODUCER, NONE, LAMBDA, True),
        ("nothing", None, PRODUCER, NONE, NONE, True),
    ],
)
def test_the_parent_the_link_and_the_decision(
    source: ParentSource,
    header: str | None,
    traceparent: object,
    parent: tuple[str, str],
    link: tuple[str, str],
    sampled: bool,
    tracing_from: Callable[[ParentSource], Tracing],
    spans: SpanSocket,
) -> None:
    run_event(tracing_from(source), traceparent=traceparent, header=header)

    datagram, root = only(spans)
    assert datagram.kind == ("T1S" if sampled else "T1U")
    assert root.parent_span_id.hex() == parent[1]
    if parent[0]:
        assert root.trace_id.hex() == parent[0]
    else:
        assert root.trace_id.hex() not in {TRACE_ID, PRODUCERS_TRACE}
    assert [(each.trace_id.hex(), each.span_id.hex()) for each in root.links] == ([link] if link[0] else [])
    assert attributes(root.attributes).get("linked_trace_id", "") == link[0]


HEADERS = [TRACE_HEADER, UNSAMPLED, TRACE_HEADER.partition(";")[0], ""]
PARENTS = [PRODUCER, f"{PRODUCER[:-2]}00", None]


@given(
    source=st.sampled_from(["lambda", "traceparent", "nothing"]),
    header=st.sampled_from(HEADERS),
    traceparent=st.sampled_from(PARENTS),
    sampler=st.sampled_from(["", "always_on", "always_off", "parentbased_always_off"]),
)
def test_adots_fast_start_decides_as_the_sdk(source: Any, header: str, traceparent: object, sampler: str) -> None:
    """The fast start follows the sampled flag of the parent, into which the decision goes."""
    settings = telemetry_settings(parent_source=source)
    environ = {LAMBDA_TRACE_HEADER: header, "OTEL_TRACES_SAMPLER": sampler}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TRACES_SAMPLER", sampler or "parentbased_always_on")
        with provider() as (maker, _):
            tracer = maker.get_tracer("test")
            ours, linked = RootSpans(tracer, settings)._parent(environ, traceparent)
            decided = tracer.start_span("root", ours).get_span_context()
            theirs, linked_there = LayerRootSpans(tracer, settings, sampler=ParentSampler(environ))._parent(
                environ, traceparent
            )
    flagged = trace.get_current_span(theirs).get_span_context()
    assert flagged.trace_flags.sampled == decided.trace_flags.sampled
    assert linked_there == linked
    if trace.get_current_span(ours).get_span_context().is_valid:
        assert flagged.trace_id == decided.trace_id


def test_a_span_around_the_handler_stays_the_parent() -> None:
    with provider() as (maker, _):
        tracer = maker.get_tracer("test")
        around = tracer.start_span("around")
        assert isinstance(around, Span)
        roots = LayerRootSpans(tracer, telemetry_settings(parent_source="nothing"))
        token = context_api.attach(trace.set_span_in_context(around))
        try:
            parent, linked = roots._parent({LAMBDA_TRACE_HEADER: TRACE_HEADER}, PRODUCER)
        finally:
            context_api.detach(token)
    assert trace.get_current_span(parent) is around
    assert f"{linked.trace_id:032x}" == TRACE_ID
