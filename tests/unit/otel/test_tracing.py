"""The spans of one event, as the daemon's socket receives them."""

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv.schemas import Schemas

from otel.tracing.provider import MAX_BUFFERED_SPANS
from otel.tracing.tracing import Tracing
from tests.support.telemetry import PARENT_ID, TRACE_ID, attributes, event_record
from tests.support.udp import SpanSocket, decode
from tests.unit.otel.tracing_harness import NewTracing, check_annotations, make_child, only, run_event


def test_the_root_span_continues_lambdas_trace(tracing: Tracing, spans: SpanSocket) -> None:
    record = run_event(tracing, event_record(cold_start=True, outcome="marked"))

    datagram, root = only(spans)
    assert datagram.kind == "T1S"
    assert root.trace_id.hex() == TRACE_ID
    assert root.parent_span_id.hex() == PARENT_ID
    assert root.flags == 0x300  # the parent is remote, and OTLP says that this is known
    assert (record.trace_id, record.span_id) == (root.trace_id.hex(), root.span_id.hex())
    assert (root.name, root.kind) == ("mark-earnings-processed", Span.SPAN_KIND_SERVER)
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert attributes(root.attributes) == {
        "faas.trigger": "pubsub",
        "faas.invocation_id": record.request_id,
        "faas.coldstart": True,
        "correlation_id": record.correlation_id,
        "outcome": "marked",
        "attempts": 0,
        "function_version": "7",
        "aws.xray.annotations": ["correlation_id", "outcome", "function_version"],
    }


def test_a_failed_event_is_a_failed_span(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record(outcome="dead_lettered", error_category="validation", error_code="InvalidEvent")
    run_event(tracing, record)

    _, root = only(spans)
    found = attributes(root.attributes)
    assert root.status == Status(code=Status.STATUS_CODE_ERROR, message="validation")
    assert (found["outcome"], found["error_category"]) == ("dead_lettered", "validation")
    assert found["error.type"] == "InvalidEvent"
    (event,) = root.events
    assert event.name == "exception"
    assert attributes(event.attributes) == {"exception.type": "InvalidEvent", "exception.message": "validation"}
    check_annotations(root)


def test_the_resource(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing)

    datagram, _ = only(spans)
    resource = attributes(datagram.data.resource_spans[0].resource.attributes)
    assert {name: value for name, value in resource.items() if not name.startswith("telemetry.")} == {
        "service.name": "mark-earnings",
        "service.version": "0c0ffee",
        "aws.log.group.names": ["/aws/lambda/mark-earnings-processed"],
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": "us-east-1",
        "faas.name": "mark-earnings-processed",
        "faas.version": "7",
        "faas.instance": "2025/11/23/[7]abcdef",
        "faas.max_memory": 128 * 1024 * 1024,
        "deployment.environment.name": "test",
    }
    assert resource["telemetry.sdk.name"] == "opentelemetry"


def test_the_conventions_of_resource_and_root_span_have_a_version(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing)

    datagram, _ = only(spans)
    (resource,) = datagram.data.resource_spans
    (scope,) = resource.scope_spans
    newest = list(Schemas)[-1].value  # those of the library in the lock file
    assert (resource.schema_url, scope.schema_url, scope.scope.version) == (newest, newest, "7")


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", "Root=x;Parent=y;Sampled=1", "Sampled=0"],
)
def test_without_a_valid_header_a_new_trace_starts(header: str | None, tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, header=header)

    datagram, root = only(spans)
    assert datagram.kind == "T1S"
    assert root.parent_span_id == b""
    assert len(root.trace_id) == 16
    assert root.trace_id.hex() != TRACE_ID


def test_each_event_has_its_own_trace(tracing: Tracing, spans: SpanSocket) -> None:
    records = [run_event(tracing, header=None) for _ in range(3)]

    assert len({record.trace_id for record in records}) == 3
    assert [span.span_id.hex() for span in spans.take_spans()] == [record.span_id for record in records]
    assert not trace.get_current_span().get_span_context().is_valid


def test_every_span_has_the_attributes_of_the_event(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record(outcome="marked")
    early, late = make_child(tracing, "early"), make_child(tracing, "late", scope="another library")

    def process() -> None:
        early()
        record.subject = {"asset_symbol": "BF-B", "earnings_date": "2025-07-31"}
        tracing.set_event_attributes(record)
        late()

    run_event(tracing, record, inside=process)

    found = {span.name: attributes(span.attributes) for span in spans.take_spans()}
    row = {"asset_symbol": "BF-B", "earnings_date": "2025-07-31"}
    assert found["early"] == {
        "correlation_id": record.correlation_id,
        "aws.xray.annotations": ["correlation_id"],
    }
    assert found["late"] == {
        "correlation_id": record.correlation_id,
        **row,
        "aws.xray.annotations": ["correlation_id", "asset_symbol", "earnings_date"],
    }
    root = found["mark-earnings-processed"]
    assert row.items() <= root.items()
    result = ["outcome", "function_version"]
    assert root["aws.xray.annotations"] == ["correlation_id", "asset_symbol", "earnings_date", *result]


def test_a_child_of_a_child_has_them_too(tracing: Tracing, spans: SpanSocket) -> None:
    tracer = tracing.provider.get_tracer("a library")

    def process() -> None:
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner", attributes={"own": 1}):
            pass

    record = run_event(tracing, inside=process)

    sent = {span.name: span for span in spans.take_spans()}
    assert sent["inner"].parent_span_id == sent["outer"].span_id
    assert sent["outer"].parent_span_id == sent["mark-earnings-processed"].span_id
    for span in sent.values():
        assert attributes(span.attributes)["correlation_id"] == record.correlation_id
        check_annotations(span)
    assert attributes(sent["inner"].attributes)["own"] == 1


def test_a_span_outside_of_events_has_none(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, header=None)
    make_child(tracing, "between events")()
    run_event(tracing, header=None)

    (between,) = [span for span in spans.take_spans() if span.name == "between events"]
    assert attributes(between.attributes) == {}
    assert between.parent_span_id == b""


def test_attributes_outside_of_an_event_are_ignored(tracing: Tracing, spans: SpanSocket) -> None:
    tracing.set_event_attributes(event_record(subject={"asset_symbol": "AAPL"}))
    run_event(tracing)

    _, root = only(spans)
    assert "asset_symbol" not in attributes(root.attributes)


def test_an_exception_leaves_only_its_class(tracing: Tracing, spans: SpanSocket) -> None:
    tracer = tracing.provider.get_tracer("a library")

    def process() -> None:
        with pytest.raises(KeyError), tracer.start_as_current_span("breaks"):
            raise KeyError("s3cret")

    run_event(tracing, inside=process)

    (raw,) = spans.take_raw()
    (broken,) = [span for span in decode(raw).spans if span.name == "breaks"]
    assert [(event.name, attributes(event.attributes)) for event in broken.events] == [
        ("exception", {"exception.type": "KeyError"})
    ]
    assert broken.status == Status(code=Status.STATUS_CODE_ERROR)
    assert b"s3cret" not in decode(raw).data.SerializeToString()


def test_an_exception_ends_the_root_span_and_propagates(tracing: Tracing, spans: SpanSocket) -> None:
    with pytest.raises(SystemExit), tracing.event_span(event_record(), None, {}):
        raise SystemExit("s3cret")
    tracing.flush()

    _, root = only(spans)
    assert b"s3cret" not in root.SerializeToString()
    assert not trace.get_current_span().get_span_context().is_valid


def test_spans_beyond_the_limit_are_counted_as_lost(tracing: Tracing, spans: SpanSocket) -> None:
    tracer = tracing.provider.get_tracer("a library")
    for _ in range(MAX_BUFFERED_SPANS + 7):
        tracer.start_span("one of very many").end()

    assert tracing.flush() == 7
    assert len(spans.take_spans()) == MAX_BUFFERED_SPANS
    assert tracing.flush() == 0


def test_the_calls_of_the_sdk(tracing: Tracing, spans: SpanSocket) -> None:
    make_child(tracing, "first")()
    assert tracing.provider.force_flush()
    assert [span.name for span in spans.take_spans()] == ["first"]

    make_child(tracing, "last")()
    tracing.provider.shutdown()
    assert [span.name for span in spans.take_spans()] == ["last"]


def test_a_flush_that_loses_spans_returns_false(new_tracing: NewTracing) -> None:
    tracing = new_tracing()
    make_child(tracing, "too large", attributes={"text": "x" * 70_000})()

    assert not tracing.provider.force_flush()
