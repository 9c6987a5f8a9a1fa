"""The exporter of `collector` mode: what a real HTTP server receives."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from handler.settings import load_settings
from otel.exporters.otlp_http import OtlpHttpExporter
from otel.exporters.xray_udp import XRayUdpExporter
from otel.tracing.provider import RecordOnlySampler, create_exporter
from tests.support.telemetry import Output, attributes, event_record, telemetry_settings
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.generated_spans import provider
from tests.unit.otel.loopback import Loopback, Reply, loopback, refused_url
from tests.unit.otel.tracing_harness import tracing_to

ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PATIENT = 60.0
"""Timeout of an export that does not hang, on a busy machine."""


def ended(count: int, *, sampled: bool = True) -> list[ReadableSpan]:
    with provider(sampler=RecordOnlySampler(ALWAYS_ON if sampled else ALWAYS_OFF)) as (maker, spans):
        for number in range(count):
            maker.get_tracer("test").start_span(f"span {number}").end()
        return list(spans)


@contextmanager
def collector(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[OtlpHttpExporter]:
    """The exporter that these variables select."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    environ = {"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": "https://sqs.test/1/q", **variables}
    exporter = create_exporter(load_settings(environ).telemetry)
    assert isinstance(exporter, OtlpHttpExporter)
    with closing(exporter):
        yield exporter


def received(server: Loopback) -> list[ExportTraceServiceRequest]:
    return [ExportTraceServiceRequest.FromString(request.body) for request in server.requests]


def test_the_endpoint_gets_protobuf_on_the_standard_path(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = ended(3)
    with loopback() as server, collector(monkeypatch, **{ENDPOINT: server.url}) as exporter:
        assert exporter.export(spans, PATIENT) == 0

        (request,) = server.requests
        assert request.path == "/v1/traces"
        assert request.headers["content-type"] == "application/x-protobuf"
        assert received(server) == [encode_spans(spans)]


def test_the_endpoint_for_traces_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback() as server:
        variables = {TRACES_ENDPOINT: f"{server.url}/own/path", ENDPOINT: "http://127.0.0.1:9"}
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(ended(1), PATIENT) == 0

        assert [request.path for request in server.requests] == ["/own/path"]


def test_headers_of_the_environment_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback() as server:
        variables = {ENDPOINT: server.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=earnings"}
        with collector(monkeypatch, **variables) as exporter:
            exporter.export(ended(1), PATIENT)

        assert server.requests[0].headers["x-tenant"] == "earnings"


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback() as elsewhere, loopback(lambda _: Reply(status, location=elsewhere.url)) as server:
        variables = {ENDPOINT: server.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=s3ntinel"}
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(ended(2), PATIENT) == 2

        assert (len(server.requests), elsewhere.requests) == (1, [])


def test_only_sampled_spans_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled, unsampled = ended(2), ended(3, sampled=False)
    with loopback() as server, collector(monkeypatch, **{ENDPOINT: server.url}) as exporter:
        assert exporter.export(unsampled, PATIENT) == 0
        assert server.requests == []

        assert exporter.export([*unsampled, *sampled], PATIENT) == 0
        assert received(server) == [encode_spans(sampled)]


def test_without_an_endpoint_spans_go_to_the_daemon() -> None:
    with closing(create_exporter(telemetry_settings(daemon=("127.0.0.1", 2345)))) as exporter:
        assert isinstance(exporter, XRayUdpExporter)
        assert exporter._address == ("127.0.0.1", 2345)


@pytest.mark.parametrize("ailment", ["refuses connections", "unavailable"])
def test_lost_spans_do_not_change_the_outcome(
    ailment: str, monkeypatch: pytest.MonkeyPatch, output: Output, new_telemetry: NewTelemetry
) -> None:
    with loopback(lambda _: Reply(503)) as server:
        url = refused_url() if ailment == "refuses connections" else server.url
        with collector(monkeypatch, **{ENDPOINT: url}) as exporter:
            telemetry = new_telemetry(tracing_to(exporter))
            record = event_record()
            with telemetry.event(record, None, 30):
                record.outcome = "marked"

    warning, outcome = output.logs()
    assert warning["level"] == "WARN"
    assert warning["lost_spans"] == 1
    assert outcome["outcome"] == "marked"
    assert output.metrics()[0]["EventsMarked"] == 1


def test_the_collector_gets_the_same_spans_as_the_daemon(
    monkeypatch: pytest.MonkeyPatch, new_telemetry: NewTelemetry
) -> None:
    with loopback() as server, collector(monkeypatch, **{ENDPOINT: server.url}) as exporter:
        telemetry = new_telemetry(tracing_to(exporter))
        record = event_record()
        with telemetry.event(record, None, 30):
            record.outcome = "marked"

        (request,) = received(server)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == record.trace_id
    assert attributes(span.attributes)["correlation_id"] == record.correlation_id
