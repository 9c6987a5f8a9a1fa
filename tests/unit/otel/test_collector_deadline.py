"""An export to a collector has one deadline, whatever the collector does: real sockets, real threads."""

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from otel.exporters.bounded_http import MOST_BYTES
from otel.exporters.otlp_http import OtlpHttpExporter
from otel.settings.otlp import OtlpSettings
from tests.support.hostile import (
    HANGS,
    HEAD,
    REFUSES,
    WITH_AN_ANSWER,
    WITHOUT_A_HANDSHAKE,
    Behaviour,
    Connection,
    Peer,
    answers,
    drip,
    peer,
    silent,
    takes_no_data,
    well,
)
from tests.support.names import slow_names
from tests.support.telemetry import Output, event_record, eventually
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.test_otlp_http import PATIENT, ended
from tests.unit.otel.tracing_harness import tracing_to

SHORT = 0.4
"""Seconds for an export that will not succeed."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Silence the log of the exporter."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def collector(url: str, authorities: str = "") -> closing[OtlpHttpExporter]:
    return closing(OtlpHttpExporter(OtlpSettings(f"{url}/v1/traces", authorities=authorities)))


def names(server: Peer) -> list[str]:
    """Return the accepted spans, by request."""
    requests = [ExportTraceServiceRequest.FromString(body) for body in server.bodies]
    return [
        " ".join(span.name for each in request.resource_spans for scope in each.scope_spans for span in scope.spans)
        for request in requests
    ]


def threads() -> int:
    return sum(thread.name == "collector" for thread in threading.enumerate())


def lost_until_it_works(exporter: OtlpHttpExporter, spans: list[ReadableSpan]) -> None:
    """Export until no span is lost: an aborted task may not have ended yet."""
    eventually(lambda: exporter.export(spans, PATIENT) == 0)


@pytest.mark.parametrize("behaviour", [*HANGS, *REFUSES])
def test_without_a_response_spans_are_lost_in_time(behaviour: str) -> None:
    act = {**HANGS, **REFUSES}[behaviour]
    with peer(act) as hostile, collector(hostile.url) as exporter:
        assert exporter.export([*ended(3), *ended(2, sampled=False)], SHORT) == 3
        assert not hostile.gave_up


@pytest.mark.parametrize("behaviour", WITH_AN_ANSWER)
def test_a_slow_body_loses_no_spans(behaviour: str) -> None:
    act = WITH_AN_ANSWER[behaviour]
    with peer(act) as hostile, collector(hostile.url) as exporter:
        # On a busy machine, the response may be too late.
        eventually(lambda: exporter.export(ended(3), SHORT * 5) == 0)
        assert not hostile.gave_up
    assert hostile.sent < 64 * 1024 * 1024, "what nobody needs is not read: it would fill the memory"


@pytest.mark.parametrize("behaviour", WITHOUT_A_HANDSHAKE)
def test_without_a_handshake_spans_are_lost_in_time(behaviour: str) -> None:
    act = WITHOUT_A_HANDSHAKE[behaviour]
    with peer(act, scheme="https") as hostile, collector(hostile.url) as exporter:
        assert exporter.export(ended(3), SHORT) == 3
        assert not hostile.gave_up


def behind_tls(behaviour: Behaviour, authority: trustme.CA) -> Behaviour:
    """Run a peer that behaves so after a successful handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def act(connection: Connection) -> None:
        try:
            connection._client = context.wrap_socket(connection._client, server_side=True)
            behaviour(connection)
        except ssl.SSLError:
            return  # the client disconnected
        finally:
            connection._client.close()

    return act


@pytest.mark.parametrize("behaviour", ["headers byte by byte", "accepts and never answers", "100 from time to time"])
def test_the_deadline_with_tls(behaviour: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    act = behind_tls(HANGS[behaviour], authority)
    good = behind_tls(well, authority)
    with peer(act, good, scheme="https") as hostile, collector(hostile.url, str(tmp_path / "ca.pem")) as exporter:
        assert exporter.export(ended(3), 3.0) == 3
        assert not hostile.gave_up
        lost_until_it_works(exporter, ended(2))
        assert set(names(hostile)) == {"span 0 span 1"}


def test_a_peer_that_reads_no_data() -> None:
    spans = ended(1)
    wide = ReadableSpan("wide", context=spans[0].get_span_context(), attributes={"text": "x" * 16_000_000})
    with peer(takes_no_data) as hostile, collector(hostile.url) as exporter:
        assert exporter.export([wide], SHORT) == 1
        assert not hostile.gave_up


@pytest.mark.parametrize("behaviour", [*HANGS, *WITH_AN_ANSWER])
def test_the_next_export_opens_a_connection(behaviour: str) -> None:
    """An aborted connection is not reused: a late response on it would count for the next request."""
    act = {**HANGS, **WITH_AN_ANSWER}[behaviour]
    with peer(act, well) as hostile, collector(hostile.url) as exporter:
        exporter.export(ended(1), SHORT)
        lost_until_it_works(exporter, ended(3))
        assert exporter.export(ended(2), PATIENT) == 0

        assert names(hostile)[-2:] == ["span 0 span 1 span 2", "span 0 span 1"]
        assert not hostile.gave_up


def test_a_late_response_is_not_used() -> None:
    go_on = threading.Event()

    def late(connection: Connection) -> None:
        connection.read_request()
        go_on.wait(60)
        connection.write(HEAD + b"Content-Length: 0\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n")
        connection.wait()

    refuses = answers(b"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n")
    with peer(late, refuses) as hostile, collector(hostile.url) as exporter:
        assert exporter.export(ended(1), SHORT) == 1
        go_on.set()
        for _ in range(3):
            assert exporter.export(ended(2), SHORT) == 2, "it was refused"


def test_connections_are_reused() -> None:
    seen: list[str] = []

    def counted(connection: Connection) -> None:
        seen.append("connection")
        well(connection)

    with peer(counted) as server, collector(server.url) as exporter:
        assert [exporter.export(ended(1), PATIENT) for _ in range(4)] == [0, 0, 0, 0]
    assert seen == ["connection"]
    assert len(server.bodies) == 4


@pytest.mark.parametrize("length", [0, 1, MOST_BYTES - 1, MOST_BYTES, MOST_BYTES + 1, 4 * MOST_BYTES])
@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_body_of_any_length(length: int, close: bytes) -> None:
    reply = HEAD + close + b"Content-Length: %d\r\n\r\n" % length + b"." * length

    def once(connection: Connection) -> None:
        connection.read_request()
        connection.write(reply)

    act = once if close else answers(reply)
    with peer(act) as server, collector(server.url) as exporter:
        assert [exporter.export(ended(1), PATIENT) for _ in range(3)] == [0, 0, 0]


def test_one_thread_and_no_open_socket() -> None:
    open_ones: list[Connection] = []

    def seen(connection: Connection) -> None:
        open_ones.append(connection)
        connection.wait_for_the_end()
        open_ones.remove(connection)

    with peer(seen) as hostile:
        with collector(hostile.url) as exporter:
            for _ in range(6):
                exporter.export(ended(1), 0.1)
            assert threads() <= 1
        eventually(lambda: threads() == 0 and not open_ones)
        assert not hostile.gave_up


def test_slow_name_resolution_costs_one_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer(well) as server, slow_names(monkeypatch, "collector.invalid") as slow:
        url = server.url.replace("127.0.0.1", "collector.invalid")
        with collector(url) as exporter:
            assert [exporter.export(ended(3), SHORT) for _ in range(10)] == [3] * 10
            assert slow.asked == 1
            slow.answer()
            lost_until_it_works(exporter, ended(2))
            assert set(names(server)) == {"span 0 span 1"}, "those that were lost are not sent late"


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_no_request_is_sent(seconds: float) -> None:
    with peer(well) as server, collector(server.url) as exporter:
        assert exporter.export(ended(3), seconds) == 3
        assert server.bodies == []


@pytest.mark.parametrize("behaviour", [silent, drip(HEAD), HANGS["100 for ever"]])
def test_lost_spans_do_not_change_the_outcome(
    behaviour: Behaviour, output: Output, new_telemetry: NewTelemetry
) -> None:
    with peer(behaviour) as hostile, collector(hostile.url) as exporter:
        telemetry = new_telemetry(tracing_to(exporter))
        records = [event_record() for _ in range(3)]
        for record in records:
            with telemetry.event(record, None, 30):
                record.outcome = "marked"
        assert not hostile.gave_up

    assert [line["outcome"] for line in output.logs() if "outcome" in line] == ["marked"] * 3
    assert [line["lost_spans"] for line in output.logs() if "lost_spans" in line] == [1] * 3
    assert not any(record.timed_out for record in records)
