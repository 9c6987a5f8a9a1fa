"""The exporter of `collector` mode: what a real HTTP server receives."""

import re
import subprocess
import sys
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from emulator.environment import LOCAL_CREDENTIALS, PROJECT_ROOT, REGION
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


@pytest.mark.parametrize(("compression", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_a_compressed_body(compression: str, wbits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = ended(3)
    with loopback() as server:
        variables = {ENDPOINT: server.url, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": compression}
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(spans, PATIENT) == 0

    (request,) = server.requests
    assert request.headers["content-encoding"] == compression
    body = zlib.decompress(request.body, wbits)
    assert ExportTraceServiceRequest.FromString(body) == encode_spans(spans)


@pytest.mark.parametrize(
    ("user", "sent"),
    [("user:p%40ss", b"user:p@ss"), ("user:p%C3%A9%E2%82%AC", "user:pé€".encode()), ("t%3Aken", b"t:ken")],
)
def test_the_user_of_the_endpoint_is_authenticated(user: str, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback() as server:
        url = server.url.replace("://", f"://{user}@")
        with collector(monkeypatch, **{ENDPOINT: url}) as exporter:
            assert exporter.export(ended(1), PATIENT) == 0

    assert server.requests[0].headers["authorization"] == f"Basic {b64encode(sent).decode()}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    with loopback() as proxy:
        url = proxy.url.replace("://", "://user:pass@").removeprefix("http://")
        variables = {ENDPOINT: "http://collector.invalid:4318", name: url}
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(ended(1), PATIENT) == 0
        monkeypatch.setenv("NO_PROXY", "collector.invalid")
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(ended(1), PATIENT) == 1

    (request,) = proxy.requests
    assert request.path == "http://collector.invalid:4318/v1/traces"
    assert request.headers["proxy-authorization"] == f"Basic {b64encode(b'user:pass').decode()}"


def test_the_shorter_timeout_limits_an_export(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback(lambda _: Reply(stalls=True)) as server:
        variables = {ENDPOINT: server.url, "OTEL_EXPORTER_OTLP_TIMEOUT": "100"}
        with collector(monkeypatch, **variables) as exporter:
            assert exporter.export(ended(1), PATIENT * 60) == 1


@pytest.mark.parametrize(
    ("url", "message", "exception"),
    [
        ("forbidden", "the OTLP endpoint responded with HTTP status 403", None),
        ("stalled", "the OTLP endpoint did not respond in time", "(ConnectTimeout|ReadTimeout|Protocol|Timeout)Error"),
        ("refused", "the OTLP endpoint did not respond", "NewConnectionError"),
    ],
)
def test_a_log_line_says_why_spans_are_lost(
    url: str, message: str, exception: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with loopback(lambda _: Reply(stalls=True) if url == "stalled" else Reply(403)) as server:
        endpoint = refused_url() if url == "refused" else server.url
        with collector(monkeypatch, **{ENDPOINT: endpoint}) as exporter:
            assert exporter.export(ended(1), 0.4 if url == "stalled" else PATIENT) == 1

    (record,) = [each for each in caplog.records if each.name == "otel.exporters.otlp_http"]
    assert (record.levelname, record.getMessage()) == ("WARNING", message)
    kind = record.exc_info and record.exc_info[0]
    assert re.fullmatch(exception or "None", kind.__name__ if kind else "None")


def test_a_start_imports_neither_requests_nor_protobuf() -> None:
    script = "import sys, handler.app; print(*(name.partition('.')[0] for name in sys.modules))"
    environ = {ENDPOINT: "http://127.0.0.1:9", "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/q", "AWS_REGION": REGION}
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, env={**environ, **LOCAL_CREDENTIALS}, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    imported = set(result.stdout.split())
    assert "urllib3" in imported
    assert imported & {"requests", "google", "certifi", "charset_normalizer", "idna"} == set()


@pytest.mark.parametrize("here", [True, False], ids=["on the same server", "elsewhere"])
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int, here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        loopback() as elsewhere,
        loopback(lambda _: Reply(status, location="/elsewhere" if here else elsewhere.url)) as server,
    ):
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
    assert (warning["level"], warning["lost_spans"]) == ("WARN", 1)
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


def partial_success(rejected: int, message: str = "") -> bytes:
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        (partial_success(2, "s3ntinel"), 2),
        (partial_success(300), 3),
        (partial_success(-1), 0),
        (partial_success(0, "deprecated"), 0),
        (partial_success(0), 0),
        (b"", 0),
        (b"<html>a page of a proxy</html>", 0),
        (b'{"partialSuccess":{"rejectedSpans":"2"}}', 0),
        (partial_success(2, "cut off")[:-1], 0),
        (b"\x80" * 100, 0),
        (b"\x09" + b"x" * 8 + b"\x15" + b"x" * 4 + partial_success(1), 1),
    ],
)
def test_spans_that_an_accepted_request_loses_are_counted(
    body: bytes, lost: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with loopback(lambda _: Reply(body=body)) as server, collector(monkeypatch, **{ENDPOINT: server.url}) as exporter:
        assert exporter.export(ended(3), PATIENT) == lost
        assert len(server.requests) == 1  # a partial success must not be retried

    messages = [record.getMessage() for record in caplog.records if record.name == "otel.exporters.otlp_http"]
    assert messages == ([f"the OTLP endpoint rejected {lost} spans of a request that it accepted"] if lost else [])
