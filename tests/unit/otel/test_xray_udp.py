"""The exporter of `direct` mode: what a real UDP socket receives."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind

from otel.exporters.xray_udp import MAX_DATAGRAM, XRayUdpExporter, is_sampled
from otel.tracing.provider import RecordOnlySampler
from tests.support.names import slow_names
from tests.support.telemetry import eventually
from tests.support.udp import HEADER, SpanSocket, closed_udp_port, decode, span_socket
from tests.unit.otel.generated_spans import provider

UDP_LIMIT = 65_507


def ended(count: int, *, size: int = 0, sampled: bool = True) -> list[ReadableSpan]:
    """Ended spans of one provider, each with a text of `size` characters."""
    with provider(sampler=RecordOnlySampler(ALWAYS_ON if sampled else ALWAYS_OFF)) as (maker, spans):
        tracer = maker.get_tracer("test")
        for number in range(count):
            tracer.start_span(f"span {number}", attributes={"text": "x" * size}).end()
        return list(spans)


def dynamodb_like(count: int) -> list[ReadableSpan]:
    """Return spans as large as those of AWS calls."""
    with provider() as (maker, spans):
        tracer = maker.get_tracer("opentelemetry.instrumentation.botocore.dynamodb", "0.65b0")
        for number in range(count):
            with tracer.start_as_current_span("DynamoDB.TransactWriteItems", kind=SpanKind.CLIENT) as span:
                span.set_attributes(
                    {
                        "rpc.system": "aws-api",
                        "rpc.service": "DynamoDB",
                        "rpc.method": "TransactWriteItems",
                        "cloud.region": "eu-central-1",
                        "server.address": "dynamodb.eu-central-1.amazonaws.com",
                        "db.system": "dynamodb",
                        "db.operation": "TransactWriteItems",
                        "aws.dynamodb.table_names": ["earningsCalendar", "earningsAudit"],
                        "aws.dynamodb.consumed_capacity": ['{"TableName": "earningsCalendar", "CapacityUnits": 4.0}']
                        * 2,
                        "aws.request_id": f"{number:052d}",
                        "http.status_code": 200,
                        "retry_attempts": 0,
                        "correlation_id": f"correlation-{number:036d}",
                        "asset_symbol": "AAPL",
                        "earnings_date": "2025-07-31",
                        "aws.xray.annotations": ["correlation_id", "asset_symbol", "earnings_date"],
                    }
                )
                span.add_event("retry.backoff", {"attempt": 1, "delay_ms": 1234.5, "error_category": "throttling"})
        return list(spans)


@pytest.fixture
def daemon(spans: SpanSocket) -> Iterator[XRayUdpExporter]:
    with closing(XRayUdpExporter(spans.address)) as made:
        yield made


def test_the_format_is_the_daemons(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    assert daemon.export(ended(1)) == 0

    (datagram,) = spans.take_raw()
    assert datagram.startswith(HEADER + b"T1S")
    assert datagram.count(b"\n") == 1
    assert [span.name for span in decode(datagram).spans] == ["span 0"]


def test_unsampled_spans_are_marked_as_such(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    assert daemon.export(ended(3, sampled=False)) == 0

    (datagram,) = spans.take()
    assert datagram.kind == "T1U"
    assert len(datagram.spans) == 3


def test_sampled_and_unsampled_spans_are_separate(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    sampled, unsampled = ended(3), ended(2, sampled=False)
    mixed = [sampled[0], unsampled[0], sampled[1], unsampled[1], sampled[2]]

    assert daemon.export(mixed) == 0

    found = {(datagram.kind, span.span_id) for datagram in spans.take() for span in datagram.spans}
    expected = {("T1S", span) for span in ids(sampled)} | {("T1U", span) for span in ids(unsampled)}
    assert found == expected


def ids(spans: list[ReadableSpan]) -> list[bytes]:
    """Return the span IDs as exported."""
    contexts = [span.get_span_context() for span in spans]
    return [context.span_id.to_bytes(8) for context in contexts if context is not None]


@pytest.mark.parametrize("sampled", [True, False])
def test_a_thousand_spans_lose_none(daemon: XRayUdpExporter, spans: SpanSocket, sampled: bool) -> None:
    sent = ended(1_000, size=200, sampled=sampled)

    assert daemon.export(sent) == 0

    datagrams = spans.take()
    assert [span.span_id for datagram in datagrams for span in datagram.spans] == ids(sent)
    assert len(datagrams) > 1
    assert max(datagram.size for datagram in datagrams) <= MAX_DATAGRAM


def test_a_hundred_spans_of_calls_lose_none(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    """They do not fit one datagram: a simple exporter would lose all of them."""
    sent = dynamodb_like(100)

    assert daemon.export(sent) == 0

    datagrams = spans.take()
    assert sorted(span.span_id for datagram in datagrams for span in datagram.spans) == sorted(ids(sent))
    assert len(datagrams) > 1
    assert max(datagram.size for datagram in datagrams) <= MAX_DATAGRAM


@pytest.fixture(scope="module")
def shared_socket() -> Iterator[SpanSocket]:
    with span_socket() as listening:
        yield listening


@given(
    sizes=st.lists(st.integers(0, 34_000), min_size=1, max_size=8),
    scopes=st.integers(1, 4),
    resource=st.integers(0, 6_000),
    sampled=st.booleans(),
)
def test_every_datagram_is_within_the_limit(
    sizes: list[int], scopes: int, resource: int, sampled: bool, shared_socket: SpanSocket
) -> None:
    sampler = RecordOnlySampler(ALWAYS_ON if sampled else ALWAYS_OFF)
    with provider(resource=Resource({"big": "r" * resource}), sampler=sampler) as (maker, made):
        for number, size in enumerate(sizes):
            tracer = maker.get_tracer(f"scope {number % scopes}", attributes={"scope": number % scopes})
            tracer.start_span("span", attributes={"text": "x" * size}).end()

    with closing(XRayUdpExporter(shared_socket.address)) as exporter:
        assert exporter.export(made) == 0

    datagrams = shared_socket.take()
    assert Counter(span.span_id for each in datagrams for span in each.spans) == Counter(ids(made))
    assert max(datagram.size for datagram in datagrams) < UDP_LIMIT


def test_a_closed_port() -> None:
    with closing(XRayUdpExporter(("127.0.0.1", closed_udp_port()))) as exporter:
        assert [exporter.export(ended(3)) for _ in range(4)] == [0, 0, 0, 0]


@pytest.mark.parametrize("host", ["::1%nowhere", "a..b", "x" * 64], ids=["no such zone", "empty label", "long label"])
def test_an_unknown_host_loses_the_spans(host: str) -> None:
    with closing(XRayUdpExporter((host, 2000))) as exporter:
        assert exporter.export([*ended(2), *ended(1, sampled=False)]) == 3


def test_only_the_span_that_is_too_large_is_lost(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    small, large = ended(4, size=10), ended(1, size=70_000)

    assert daemon.export([*small[:2], *large, *small[2:]]) == 1

    assert sorted(span.span_id for span in spans.take_spans()) == sorted(ids(small))


def test_a_span_near_the_limit_has_its_own_datagram(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    assert daemon.export(ended(3, size=44_000)) == 0

    datagrams = spans.take()
    assert [len(datagram.spans) for datagram in datagrams] == [1, 1, 1]
    assert max(datagram.size for datagram in datagrams) < UDP_LIMIT


def test_after_close_it_opens_a_socket(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    daemon.close()  # before the first export
    assert daemon.export(ended(1)) == 0
    daemon.close()
    daemon.close()
    assert daemon.export(ended(2)) == 0

    assert [len(datagram.spans) for datagram in spans.take()] == [1, 2]


def test_a_name_is_resolved_once_to_ipv4(spans: SpanSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def both_families(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        kind, protocol = socket.SOCK_DGRAM, socket.IPPROTO_UDP
        return [
            (socket.AF_INET6, kind, protocol, "", ("::1", port, 0, 0)),
            (socket.AF_INET, kind, protocol, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both_families)
    with closing(XRayUdpExporter(("localhost", spans.address[1]))) as exporter:
        assert asked == []
        assert exporter.export(ended(1)) + exporter.export(ended(1)) == 0

    assert asked == ["localhost"]
    assert len(spans.take()) == 2


def test_slow_name_resolution_costs_one_timeout(spans: SpanSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        slow_names(monkeypatch, "agent.invalid") as names,
        closing(XRayUdpExporter(("agent.invalid", spans.address[1]))) as exporter,
    ):
        assert [exporter.export(ended(3), 0.1) for _ in range(10)] == [3] * 10
        assert names.asked == 1
        names.answer()
        eventually(lambda: exporter.export(ended(1), 5) == 0)
    assert {span.name for span in spans.take_spans()} == {"span 0"}


def test_ipv6_if_there_is_no_ipv4() -> None:
    with closing(XRayUdpExporter(("::1", 2000))) as exporter:
        exporter.export(ended(1))  # this machine may not have IPv6

        assert exporter._socket is not None
        assert exporter._socket.family is socket.AF_INET6


def test_nothing_to_export(daemon: XRayUdpExporter, spans: SpanSocket) -> None:
    assert daemon.export([]) == 0
    assert spans.take_raw() == []


def test_a_span_without_context_is_not_sampled() -> None:
    assert not is_sampled(ReadableSpan("none"))
