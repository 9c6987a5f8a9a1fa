"""The encoder, compared with the stock one span by span, and datagram by datagram."""

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from otel.exporters.otlp_encoder import encode_request, encode_span
from otel.exporters.xray_udp import XRayUdpExporter, is_sampled
from otel.tracing.redaction import redact_span
from tests.support.telemetry import attributes
from tests.support.udp import SpanSocket, span_socket
from tests.unit.otel.generated_spans import INT64, provider, span_recipes

Recipe = Callable[[], list[ReadableSpan]]


def ours(spans: list[ReadableSpan]) -> bytes:
    return encode_request(spans, [encode_span(span) for span in spans])


def one_span(make: Callable[..., None]) -> ReadableSpan:
    with provider() as (maker, ended):
        span = maker.get_tracer("test").start_span("span")
        make(span)
        span.end()
        return ended[0]


@given(span_recipes())
def test_spans_equal_those_of_the_stock_encoder(recipe: Recipe) -> None:
    spans = recipe()

    assert ExportTraceServiceRequest.FromString(ours(spans)) == encode_spans(spans)
    # The same message by another name.
    assert list(TracesData.FromString(ours(spans)).resource_spans) == list(encode_spans(spans).resource_spans)


@given(span_recipes(), st.booleans())
def test_redacted_spans_do_too(recipe: Recipe, shedding: bool) -> None:
    cleaned = [redact_span(span, shedding=shedding) for span in recipe()]

    assert ExportTraceServiceRequest.FromString(ours(cleaned)) == encode_spans(cleaned)


@given(st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, sys.float_info.max]))
def test_every_kind_of_float_keeps_its_bits(value: float) -> None:
    span = one_span(lambda span: span.set_attribute("value", value))

    decoded = ExportTraceServiceRequest.FromString(ours([span]))

    assert decoded.SerializeToString() == encode_spans([span]).SerializeToString()


@given(INT64)
def test_integers_keep_sign_and_size(value: int) -> None:
    span = one_span(lambda span: span.set_attribute("value", value))

    sent = ExportTraceServiceRequest.FromString(ours([span])).resource_spans[0].scope_spans[0].spans[0]

    assert attributes(sent.attributes) == {"value": value}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_of_more_than_64_bits_has_no_value(value: int) -> None:
    span = one_span(lambda span: span.set_attributes({"value": value, "next": 1}))

    sent = ExportTraceServiceRequest.FromString(ours([span])).resource_spans[0].scope_spans[0].spans[0]

    assert attributes(sent.attributes) == {"value": None, "next": 1}


def test_lone_surrogates_are_replaced() -> None:
    lone = "a\ud800b"

    def fill(span: ReadableSpan) -> None:
        span.update_name(lone)  # type: ignore[attr-defined]
        span.set_attributes({"value": lone, lone: "value"})  # type: ignore[attr-defined]
        span.add_event(lone, {lone: [lone]})  # type: ignore[attr-defined]

    sent = ExportTraceServiceRequest.FromString(ours([one_span(fill)])).resource_spans[0].scope_spans[0].spans[0]

    assert sent.name == "a?b"
    assert attributes(sent.attributes) == {"value": "a?b", "a?b": "value"}
    assert sent.events[0].name == "a?b"
    assert attributes(sent.events[0].attributes) == {"a?b": ["a?b"]}


def test_nested_values() -> None:
    nested: Any = {"map": {"a": [1, 2], "b": {"c": b"\x00\xff"}}}
    span = ReadableSpan("nested", SpanContext(1, 2, is_remote=False), attributes=nested)

    assert ExportTraceServiceRequest.FromString(ours([span])) == encode_spans([span])


def test_a_value_of_unknown_type_is_empty() -> None:
    span = ReadableSpan("odd", SpanContext(1, 2, is_remote=False), attributes={"odd": object()})  # type: ignore[dict-item]

    sent = ExportTraceServiceRequest.FromString(ours([span])).resource_spans[0].scope_spans[0].spans[0]

    assert attributes(sent.attributes) == {"odd": None}


def test_a_span_without_scope_has_an_empty_one() -> None:
    span = ReadableSpan("bare", SpanContext(1, 2, is_remote=False))

    assert ExportTraceServiceRequest.FromString(ours([span])) == encode_spans([span])


def test_a_span_without_context_is_rejected() -> None:
    with pytest.raises(ValueError, match="context"):
        encode_span(ReadableSpan("none"))


@pytest.fixture(scope="module")
def two_sockets() -> object:
    with span_socket() as one, span_socket() as other:
        yield one, other


@given(recipe=span_recipes())
def test_datagrams_equal_those_of_the_adot_distribution(
    recipe: Recipe, two_sockets: tuple[SpanSocket, SpanSocket]
) -> None:
    from amazon.opentelemetry.distro.otlp_udp_exporter import OTLPUdpSpanExporter  # type: ignore[import-untyped]

    spans = recipe()
    here, there = two_sockets
    daemon = XRayUdpExporter(here.address)
    assert daemon.export(spans) == 0
    daemon.close()
    for sampled in (True, False):  # theirs has one exporter for each
        theirs = OTLPUdpSpanExporter(there.endpoint, sampled=sampled)
        alike = [span for span in spans if is_sampled(span) is sampled]
        if alike:
            assert theirs.export(alike) is SpanExportResult.SUCCESS
        theirs.shutdown()

    our_datagrams, their_datagrams = here.take(), there.take()

    assert [(each.kind, each.data) for each in our_datagrams] == [(each.kind, each.data) for each in their_datagrams]
    assert sum(len(each.spans) for each in our_datagrams) == len(spans)


def test_their_exporter_is_imported_without_a_side_effect() -> None:
    """The comparison relies on it."""
    import subprocess

    check = (
        "import logging, warnings; warnings.simplefilter('error'); handlers = list(logging.getLogger().handlers)\n"
        "from opentelemetry import metrics, trace\n"
        "from amazon.opentelemetry.distro import otlp_udp_exporter\n"
        "assert logging.getLogger().handlers == handlers\n"
        "assert trace._TRACER_PROVIDER is None and metrics._internal._METER_PROVIDER is None\n"
    )

    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True)
