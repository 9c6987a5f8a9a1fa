"""Where spans go, and that nothing depends on their arrival."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from emulator.faults import Fault, FaultProxy, Reply, answer, http_status, stall
from tests.integration.conftest import NewHarness
from tests.support.events import unique_event
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID, attributes
from tests.support.udp import closed_udp_port

PRODUCER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = TRACE_HEADER.replace("Sampled=1", "Sampled=0")


def outcomes(new_harness: NewHarness, **environ: str) -> list[tuple[str, list[str]]]:
    """The outcomes of an event for a row, of the same event again, and of one for no row; and what was said."""
    harness = new_harness(**environ)
    event = harness.event_for_a_row()
    seen = [harness.function(each) for each in (event, event, unique_event(), {"not": "an event"})]
    row = harness.row(event)
    assert row is not None
    assert row["is_processed"] is True
    assert len(harness.audit(event)) == 1
    assert [len(harness.dead_letters(each)) for each in seen] == [0, 0, 1, 1]
    assert all(len(each.metrics) == 1 for each in seen)
    return [
        (
            each.outcome_line["outcome"],
            [line["event_type"] for line in each.logs if line.get("event_type") != "event_outcome"],
        )
        for each in seen
    ]


ALL = ["marked", "duplicate", "dead_lettered", "dead_lettered"]


def test_nobody_listens_at_the_agents_port(new_harness: NewHarness) -> None:
    seen = outcomes(new_harness, AWS_XRAY_DAEMON_ADDRESS=f"127.0.0.1:{closed_udp_port()}")

    assert [outcome for outcome, _ in seen] == ALL
    assert [said for _, said in seen] == [[]] * 4, "UDP reports no loss"


@pytest.mark.usefixtures("no_names")
def test_the_agents_name_is_unknown(new_harness: NewHarness) -> None:
    seen = outcomes(new_harness, AWS_XRAY_DAEMON_ADDRESS="agent.invalid:2000")

    assert [outcome for outcome, _ in seen] == ALL
    assert [said for _, said in seen] == [["spans_lost"]] * 4


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_without_spans(new_harness: NewHarness, switch: dict[str, str]) -> None:
    harness = new_harness(**switch)
    event = harness.event_for_a_row()

    invoked = harness.function(event)

    assert invoked.spans == []
    assert invoked.outcome_line["outcome"] == "marked"
    assert (invoked.outcome_line["trace_id"], invoked.outcome_line["span_id"]) == (None, None)
    (entry,) = harness.audit(event)
    assert "trace_id" not in entry


def test_a_collector_gets_the_spans_instead(new_harness: NewHarness) -> None:
    accepted = Reply(200, b"", {"Content-Type": "application/x-protobuf"})
    with FaultProxy("http://127.0.0.1:1", *[answer(accepted)] * 2) as collector:
        harness = new_harness(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_HEADERS="x-tenant=earnings")
        event = harness.event_for_a_row()

        invoked = harness.function(event)
        unsampled = harness.function(event, trace_header=invoked.trace_header.replace("Sampled=1", "Sampled=0"))

    assert (invoked.datagrams, unsampled.datagrams) == ([], [])
    (recorded,) = collector.requests
    request = recorded.request
    assert (request.path, request.headers["x-tenant"]) == ("/v1/traces", "earnings")
    sent = ExportTraceServiceRequest.FromString(request.body)
    spans = [span for each in sent.resource_spans for scope in each.scope_spans for span in scope.spans]
    assert sorted(span.name for span in spans) == ["DynamoDB.TransactWriteItems", "mark-earnings-processed"]
    assert {span.trace_id.hex() for span in spans} == {invoked.outcome_line["trace_id"]}
    assert {attributes(span.attributes)["correlation_id"] for span in spans} == {event["detail"]["correlation_id"]}


@pytest.mark.parametrize("produced", [True, False])
def test_another_backend_gets_every_event(new_harness: NewHarness, produced: bool) -> None:
    """With the propagators of that backend, what Lambda left unsampled arrives, below no parent that only X-Ray has."""
    accepted = Reply(200, b"", {"Content-Type": "application/x-protobuf"})
    with FaultProxy("http://127.0.0.1:1", *[answer(accepted)] * 5) as collector:
        harness = new_harness(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_PROPAGATORS="tracecontext,baggage")
        event = harness.event_for_a_row({"traceparent": PRODUCER} if produced else {})
        seen = [harness.function(event, trace_header=UNSAMPLED) for _ in range(5)]

    requests = [ExportTraceServiceRequest.FromString(each.request.body) for each in collector.requests]
    assert len(requests) == len(seen)
    for request, invoked in zip(requests, seen, strict=True):
        spans = [span for scope in request.resource_spans[0].scope_spans for span in scope.spans]
        (root,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
        assert len(spans) == 2
        assert root.parent_span_id.hex() == (PRODUCER.split("-")[2] if produced else "")
        assert [(link.trace_id.hex(), link.span_id.hex()) for link in root.links] == [(TRACE_ID, PARENT_ID)]
        assert root.trace_id.hex() == invoked.outcome_line["trace_id"]
        assert (root.trace_id.hex() == PRODUCER.split("-")[1]) is produced


@pytest.mark.parametrize(
    "dead", [None, http_status(503), http_status(400), stall()], ids=lambda each: each and each.name
)
def test_a_dead_collector(new_harness: NewHarness, dead: Fault | None) -> None:
    with FaultProxy("http://127.0.0.1:1", *[dead] * 100 if dead else ()) as collector:
        url = collector.url if dead else "http://127.0.0.1:1"

        seen = outcomes(new_harness, OTEL_EXPORTER_OTLP_ENDPOINT=url)

    assert [outcome for outcome, _ in seen] == ALL
    for _, said in seen:
        assert said[-1] == "spans_lost"
