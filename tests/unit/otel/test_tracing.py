"""The spans of one event, as they arrive at the agent's socket."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel import names
from otel.record import EventRecord
from otel.spans import MAX_KEPT_SPANS
from otel.tracing import LAMBDA_TRACE_HEADER, Tracing, identified
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID, attributes, event_record
from tests.support.udp import Datagram, SpanSocket, decode

NewTracing = Callable[[], Tracing]
PRODUCER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def run_event(
    tracing: Tracing,
    record: EventRecord | None = None,
    *,
    traceparent: object = None,
    header: str | None = TRACE_HEADER,
    inside: Callable[[], None] = lambda: None,
) -> EventRecord:
    """One event from start to flush."""
    record = record or event_record()
    environ = {} if header is None else {LAMBDA_TRACE_HEADER: header}
    with tracing.event_span(record, traceparent, environ):
        inside()
    assert tracing.flush() == 0
    return record


def only(spans: SpanSocket) -> tuple[Datagram, Span]:
    (datagram,) = spans.take()
    (span,) = datagram.spans
    return datagram, span


def check_annotations(span: Span) -> None:
    found = attributes(span.attributes)
    assert found[names.XRAY_ANNOTATIONS] == [name for name in names.ANNOTATIONS if name in found]


def test_the_root_span_continues_lambdas_trace(tracing: Tracing, spans: SpanSocket) -> None:
    record = run_event(tracing, event_record(cold_start=True, outcome="marked"))

    datagram, root = only(spans)
    assert datagram.kind == "T1S"
    assert root.trace_id.hex() == TRACE_ID
    assert root.parent_span_id.hex() == PARENT_ID
    assert root.flags == 0x300  # the parent is remote, and OTLP is told that this is known
    assert (record.trace_id, record.span_id) == (root.trace_id.hex(), root.span_id.hex())
    assert (root.name, root.kind) == ("mark-earnings-processed", Span.SPAN_KIND_SERVER)
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert attributes(root.attributes) == {
        "faas.trigger": "pubsub",
        "faas.invocation_id": record.request_id,
        "faas.coldstart": True,
        "correlation_id": record.correlation_id,
        "outcome": "marked",
        "aws.xray.annotations": ["correlation_id", "outcome"],
    }


def test_a_failed_event_is_a_failed_span(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record(outcome="dead_lettered", error_category="validation", error_code="InvalidEvent")
    run_event(tracing, record)

    _, root = only(spans)
    found = attributes(root.attributes)
    assert root.status == Status(code=Status.STATUS_CODE_ERROR, message="validation")
    assert (found["outcome"], found["error_category"]) == ("dead_lettered", "validation")
    assert found["error.type"] == "InvalidEvent"
    check_annotations(root)


def test_the_resource_says_where_it_ran(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing)

    datagram, _ = only(spans)
    resource = attributes(datagram.data.resource_spans[0].resource.attributes)
    assert {name: value for name, value in resource.items() if not name.startswith("telemetry.")} == {
        "service.name": "mark-earnings",
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


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=x;Parent=y;Sampled=1", "Sampled=0"],
)
def test_without_a_usable_header_a_trace_of_its_own_begins(
    header: str | None, tracing: Tracing, spans: SpanSocket
) -> None:
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


@pytest.mark.parametrize("lambda_samples", [True, False])
def test_lambdas_decision_is_kept(lambda_samples: bool, tracing: Tracing, spans: SpanSocket) -> None:
    header = TRACE_HEADER if lambda_samples else TRACE_HEADER.replace("Sampled=1", "Sampled=0")
    with_child = make_child(tracing)

    run_event(tracing, header=f"{header};Lineage=1:2:0", inside=with_child)

    (datagram,) = spans.take()
    assert datagram.kind == ("T1S" if lambda_samples else "T1U")
    assert len(datagram.spans) == 2


def make_child(tracing: Tracing, name: str = "child", scope: str = "a library", **more: Any) -> Callable[[], None]:
    tracer = tracing.provider.get_tracer(scope)
    return lambda: tracer.start_span(name, **more).end()


def test_the_producers_span_is_linked(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=PRODUCER)

    _, root = only(spans)
    (link,) = root.links
    assert link.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert link.span_id.hex() == "b7ad6b7169203331"
    assert link.flags & 0x300 == 0x300  # from another process
    assert root.trace_id.hex() == TRACE_ID  # linked, not continued


@pytest.mark.parametrize(
    "traceparent",
    [
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  # a later version, in this form
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
    ],
)
def test_other_valid_forms_are_linked(traceparent: str, tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=traceparent)

    _, root = only(spans)
    assert [link.span_id.hex() for link in root.links] == ["b7ad6b7169203331"]


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        7,
        {"traceparent": PRODUCER},
        PRODUCER.encode(),
        PRODUCER + "\n",
        PRODUCER.upper(),
        " " + PRODUCER,
        PRODUCER + "-extra",
        PRODUCER.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-" + "0" * 32 + "-" + "0" * 16 + "-00",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "\u0660\u0660-" + PRODUCER[3:],  # digits, but not ASCII's
    ],
)
def test_what_is_no_traceparent_is_ignored(traceparent: object, tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=traceparent)

    _, root = only(spans)
    assert list(root.links) == []


def test_every_span_carries_what_is_known_of_the_event(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record(outcome="marked")
    early, late = make_child(tracing, "early"), make_child(tracing, "late", scope="another library")

    def process() -> None:
        early()
        record.asset_symbol, record.earnings_date = "BF-B", "2025-07-31"
        identified(record)
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
    assert root["aws.xray.annotations"] == ["correlation_id", "asset_symbol", "earnings_date", "outcome"]


def test_a_child_of_a_child_carries_it_too(tracing: Tracing, spans: SpanSocket) -> None:
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


def test_a_span_outside_of_any_event_carries_nothing_of_one(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, header=None)
    make_child(tracing, "between events")()
    run_event(tracing, header=None)

    (between,) = [span for span in spans.take_spans() if span.name == "between events"]
    assert attributes(between.attributes) == {}
    assert between.parent_span_id == b""


def test_identified_outside_of_an_event_does_nothing(tracing: Tracing, spans: SpanSocket) -> None:
    identified(event_record(asset_symbol="AAPL"))
    run_event(tracing)

    _, root = only(spans)
    assert "asset_symbol" not in attributes(root.attributes)


@pytest.mark.parametrize(
    ("sampler", "kind"),
    [
        ("always_on", "T1S"),
        ("always_off", "T1U"),
        ("traceidratio 0", "T1U"),
        ("traceidratio 1", "T1S"),
        ("parentbased_always_off", "T1U"),
        ("parentbased_traceidratio 1", "T1S"),
        ("", "T1S"),
    ],
)
def test_the_environments_sampler_decides(
    sampler: str, kind: str, new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"), sampler.split(), strict=False):
        monkeypatch.setenv(name, value)
    tracing = new_tracing()

    run_event(tracing, header=None, inside=make_child(tracing))

    (datagram,) = spans.take()
    assert datagram.kind == kind
    assert len(datagram.spans) == 2


def test_a_ratio_samples_its_share(new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    tracing = new_tracing()

    for _ in range(200):
        run_event(tracing, header=None)

    kinds = [datagram.kind for datagram in spans.take()]
    assert len(kinds) == 200
    assert 40 < kinds.count("T1S") < 160  # beyond eight standard deviations from half


def test_the_sampler_describes_itself(tracing: Tracing) -> None:
    assert tracing.provider.sampler.get_description().startswith("RecordUnsampled(ParentBased{root:AlwaysOnSampler")


def test_the_environments_resource_attributes_win(
    new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=earnings,deployment.environment.name=blue,service.name=theirs")
    run_event(new_tracing())

    datagram, _ = only(spans)
    resource = attributes(datagram.data.resource_spans[0].resource.attributes)
    assert resource["team"] == "earnings"
    assert resource["deployment.environment.name"] == "blue"
    assert resource["service.name"] == "theirs"
    assert resource["faas.version"] == "7"


def test_limits_of_the_environment_are_told_as_dropped_counts(
    new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "2")
    tracing = new_tracing()

    def process() -> None:
        for number in range(5):
            trace.get_current_span().add_event(f"event {number}")

    run_event(tracing, inside=process)

    _, root = only(spans)
    assert [event.name for event in root.events] == ["event 3", "event 4"]
    assert root.dropped_events_count == 3


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


def test_an_event_that_ends_in_an_exception_is_sent_and_the_exception_goes_on(
    tracing: Tracing, spans: SpanSocket
) -> None:
    with pytest.raises(SystemExit), tracing.event_span(event_record(), None, {}):
        raise SystemExit("s3cret")
    tracing.flush()

    _, root = only(spans)
    assert b"s3cret" not in root.SerializeToString()
    assert not trace.get_current_span().get_span_context().is_valid


def test_the_bound_on_kept_spans_is_told_as_lost(tracing: Tracing, spans: SpanSocket) -> None:
    tracer = tracing.provider.get_tracer("a library")
    for _ in range(MAX_KEPT_SPANS + 7):
        tracer.start_span("one of very many").end()

    assert tracing.flush() == 7
    assert len(spans.take_spans()) == MAX_KEPT_SPANS
    assert tracing.flush() == 0


def test_the_sdks_own_calls_flush_and_close(tracing: Tracing, spans: SpanSocket) -> None:
    make_child(tracing, "first")()
    assert tracing.provider.force_flush()
    assert [span.name for span in spans.take_spans()] == ["first"]

    make_child(tracing, "last")()
    tracing.provider.shutdown()
    assert [span.name for span in spans.take_spans()] == ["last"]


def test_a_flush_that_loses_spans_says_so_to_the_sdk(new_tracing: NewTracing) -> None:
    tracing = new_tracing()
    make_child(tracing, "too large", attributes={"text": "x" * 70_000})()

    assert not tracing.provider.force_flush()
