"""Tracing in a provider that ADOT has set up: the one of the SDK and the one of the fast start."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from amazon.opentelemetry.distro import opentelemetry_lite_sdk as fast_start  # type: ignore[import-untyped]
from amazon.opentelemetry.distro.otlp_udp_exporter import OTLPUdpSpanExporter  # type: ignore[import-untyped]
from botocore.config import Config
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from handler.aws import return_error_responses
from handler.classification import classify_exception, classify_response
from handler.outcome import INSTRUMENTATION
from otel import semconv
from otel.tracing import start_tracing
from otel.tracing.adot_layer import (
    SPANS_PER_FLUSH,
    AdotLayerExporter,
    LayerSpanProcessor,
    join_layer,
)
from otel.tracing.botocore import instrument
from otel.tracing.provider import BufferingSpanProcessor
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER
from otel.tracing.tracing import Tracing
from tests.support.telemetry import (
    PARENT_ID,
    TRACE_HEADER,
    TRACE_ID,
    attributes,
    botocore_instrumentation,
    event_record,
    eventually,
    telemetry_settings,
)
from tests.support.udp import SpanSocket
from tests.unit.otel.loopback import Reply, loopback
from tests.unit.otel.tracing_harness import PRODUCER, check_annotations, run_event

LIMIT = 65_507


def of_the_sdk(endpoint: str) -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPUdpSpanExporter(endpoint), max_export_batch_size=10))
    return provider


def of_the_fast_start(endpoint: str) -> Any:
    provider = fast_start.TracerProvider()
    provider.add_span_processor(fast_start.BatchingSpanProcessor(fast_start.UdpSpanExporter(endpoint)))
    return provider


@pytest.fixture(params=[of_the_sdk, of_the_fast_start])
def provider(request: pytest.FixtureRequest, spans: SpanSocket) -> Iterator[Any]:
    make: Callable[[str], Any] = request.param
    made = make(spans.endpoint)
    yield made
    made.shutdown()


@pytest.fixture
def tracing(provider: Any, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    fast = isinstance(provider, fast_start.TracerProvider)
    return join_layer(telemetry_settings(adot_fast_start=fast), INSTRUMENTATION, {})


def test_an_existing_provider_is_used(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)

    tracing = start_tracing(telemetry_settings(), INSTRUMENTATION)

    assert isinstance(tracing.spans, LayerSpanProcessor)
    assert tracing.provider is provider


@pytest.mark.parametrize("nothing", [trace.ProxyTracerProvider(), trace.NoOpTracerProvider()])
def test_without_a_provider_one_is_created(nothing: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: nothing)

    tracing = start_tracing(telemetry_settings(), INSTRUMENTATION)

    assert type(tracing.spans) is BufferingSpanProcessor
    tracing.provider.shutdown()


def test_one_event(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record()

    def inside() -> None:
        record.subject = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
        tracing.set_event_attributes(record)
        tracing.client_tracer_provider.get_tracer("calls").start_span("call", kind=SpanKind.CLIENT).end()
        record.outcome = "marked"

    run_event(tracing, record, traceparent=PRODUCER, inside=inside)

    call, root = spans.take_spans()
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert call.parent_span_id == root.span_id
    for span in (call, root):
        assert attributes(span.attributes)["correlation_id"] == record.correlation_id
        assert attributes(span.attributes)["asset_symbol"] == "AAPL"
        check_annotations(span)
    assert attributes(root.attributes)["outcome"] == "marked"


def test_a_generated_parent_is_not_exported(tracing: Tracing, spans: SpanSocket) -> None:
    header = f"{TRACE_HEADER.partition(';')[0]};Sampled=1"

    def inside() -> None:
        tracing.client_tracer_provider.get_tracer("calls").start_span("call").end()

    record = run_event(tracing, header=header, inside=inside)

    ended = {span.name: span for span in spans.take_spans()}
    root = ended["mark-earnings-processed"]
    assert (root.trace_id.hex(), root.parent_span_id) == (TRACE_ID, b"")
    assert ended["call"].parent_span_id == root.span_id
    assert record.trace_id == TRACE_ID


def test_a_flush_without_spans_sends_nothing(tracing: Tracing, spans: SpanSocket) -> None:
    assert tracing.flush() == 0
    assert spans.take_raw() == []


@pytest.mark.parametrize("count", [SPANS_PER_FLUSH - 1, SPANS_PER_FLUSH, 250])
def test_no_span_is_lost_or_sent_twice(tracing: Tracing, spans: SpanSocket, count: int) -> None:
    tracer = tracing.client_tracer_provider.get_tracer("calls")

    def inside() -> None:
        for number in range(count):
            tracer.start_span(f"call {number}", attributes={"text": "x" * 900}).end()

    run_event(tracing, inside=inside)

    datagrams = spans.take()
    arrived = [span.span_id for datagram in datagrams for span in datagram.spans]
    assert len(arrived) == len(set(arrived)) == count + 1
    assert max(datagram.size for datagram in datagrams) < LIMIT


def test_an_early_flush_that_raises_loses_spans_only(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The span of an AWS call ends inside of the call: what its end raises would fail the event."""

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(AdotLayerExporter, "export", no_thread)
        for _ in range(SPANS_PER_FLUSH):
            tracing.client_tracer_provider.get_tracer("calls").start_span("a call").end()
    assert tracing.flush() == SPANS_PER_FLUSH


def test_spans_that_do_not_fit_into_a_datagram_are_counted(spans: SpanSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = of_the_fast_start(spans.endpoint)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    tracing = join_layer(telemetry_settings(adot_fast_start=True), INSTRUMENTATION, {})
    calls = tracing.client_tracer_provider.get_tracer("calls")

    def sent(length: int) -> int:
        calls.start_span("a call", attributes={"text": "x" * length}).end()
        calls.start_span("another").end()
        return tracing.flush()

    assert (sent(LIMIT), sent(10), sent(LIMIT)) == (2, 0, 2)
    provider.shutdown()


def test_without_the_early_flush_the_fast_start_loses_them(spans: SpanSocket) -> None:
    """Why `SPANS_PER_FLUSH` exists. If this fails, ADOT has fixed it."""
    provider = of_the_fast_start(spans.endpoint)
    for number in range(100):
        provider.get_tracer("calls").start_span(f"call {number}", attributes={"text": "x" * 900}).end()
    provider.force_flush()
    provider.shutdown()

    assert spans.take_raw() == []


def test_open_spans_are_ended_after_an_early_flush(tracing: Tracing, spans: SpanSocket) -> None:
    tracer = tracing.client_tracer_provider.get_tracer("calls")

    def inside() -> None:
        for number in range(SPANS_PER_FLUSH):
            tracer.start_span(f"call {number}").end()
        tracer.start_span("the one that hangs")
        tracing.spans.end_open_spans("timeout", "DeadlineExceeded")

    run_event(tracing, inside=inside)

    ended = {span.name: span for span in spans.take_spans()}
    for name in ("the one that hangs", "mark-earnings-processed"):
        assert ended[name].status.message == "timeout"


def test_the_access_key_id_is_removed(tracing: Tracing, spans: SpanSocket) -> None:
    given = {"aws.auth.account.access_key": "AKIA", "rpc.service": "DynamoDB"}
    tracer = tracing.client_tracer_provider.get_tracer("calls")
    tracer.start_span("one", attributes=given).end()
    with tracer.start_as_current_span("other", attributes=given):
        pass
    tracing.flush()

    for span in spans.take_spans():
        assert "aws.auth.account.access_key" not in attributes(span.attributes)
        assert attributes(span.attributes)["rpc.service"] == "DynamoDB"


@pytest.mark.parametrize("shedding", [False, True])
def test_exceptions_by_class_only(tracing: Tracing, spans: SpanSocket, shedding: bool) -> None:
    tracing.spans.shedding = shedding
    given = {"rpc.service": "DynamoDB", "server.address": "of no use when memory is short"}
    tracer = tracing.client_tracer_provider.get_tracer("calls")
    with pytest.raises(ValueError, match="secret"), tracer.start_as_current_span("call", attributes=given):
        raise ValueError("a secret")
    with pytest.raises(KeyError), tracer.start_as_current_span("quiet", record_exception=False):
        raise KeyError
    tracing.flush()

    call, quiet = spans.take_spans()
    events = [(event.name, attributes(event.attributes)) for event in call.events]
    assert events == [("exception", {"exception.type": "ValueError"})]
    assert ("server.address" in attributes(call.attributes)) is not shedding
    assert list(quiet.events) == []
    assert call.status.code == StatusCode.UNSET.value, "the hooks know the category"


def test_a_span_around_the_event_is_its_parent_with_its_ids(tracing: Tracing, spans: SpanSocket) -> None:
    record = event_record(error_category="validation")
    with tracing.provider.get_tracer("somebody's").start_as_current_span("around"):
        run_event(tracing, record)
    tracing.flush()

    ended = {span.name: span for span in spans.take_spans()}
    around, root = ended["around"], ended["mark-earnings-processed"]
    assert root.parent_span_id == around.span_id
    assert attributes(around.attributes)["correlation_id"] == record.correlation_id
    assert attributes(around.attributes)["error_category"] == "validation"
    check_annotations(around)


def make_sqs(url: str) -> Any:
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
    return session.client("sqs", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def test_an_attribute_without_a_value_is_not_exported(tracing: Tracing, spans: SpanSocket) -> None:
    """ADOT's fast start would export the text None: the instrumentation sets the ID of a message that has none."""
    refused = Reply(400, {"__type": "com.amazonaws.sqs#ThrottlingException"})
    with (
        loopback(lambda _: refused) as server,
        closing(make_sqs(server.url)) as sqs,
        botocore_instrumentation(
            lambda: instrument(tracing.client_tracer_provider, classify_response, classify_exception)
        ),
    ):
        return_error_responses(sqs)
        sqs.send_message(QueueUrl=f"{server.url}/123456789012/dead-letters", MessageBody="{}")
    tracing.flush()

    (call,) = spans.take_spans()
    found = attributes(call.attributes)
    assert found["messaging.destination"] == "dead-letters"
    assert semconv.MESSAGE_ID not in found


@pytest.mark.parametrize(("children", "unsampled"), [(2, 0), (SPANS_PER_FLUSH, 1)])
def test_a_failure_in_an_unsampled_trace_is_sent_as_sampled_by_the_fast_start(
    spans: SpanSocket, monkeypatch: pytest.MonkeyPatch, children: int, unsampled: int
) -> None:
    """As in direct mode; but what a datagram had no room for is sent before it is known how the event ends."""
    provider = of_the_fast_start(spans.endpoint)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    tracing = join_layer(telemetry_settings(adot_fast_start=True), INSTRUMENTATION, {})
    tracer = tracing.client_tracer_provider.get_tracer("calls")
    environ = {LAMBDA_TRACE_HEADER: TRACE_HEADER.replace("Sampled=1", "Sampled=0")}
    with tracing.event_span(event_record(), None, environ):
        for number in range(children):
            tracer.start_span(f"call {number}").end()
    assert tracing.flush(all_sampled=True) == 0
    provider.shutdown()

    datagrams = spans.take()
    assert [each.kind for each in datagrams] == ["T1U"] * unsampled + ["T1S"]
    assert datagrams[-1].spans[-1].name == "mark-earnings-processed"
    flags = [span.flags & 1 for each in datagrams for span in each.spans]
    assert flags == [0] * SPANS_PER_FLUSH * unsampled + [1] * len(datagrams[-1].spans)
    assert {span.trace_id.hex() for each in datagrams for span in each.spans} == {TRACE_ID}


def test_only_the_fast_start_can_sample_afterwards(provider: Any, tracing: Tracing) -> None:
    """The SDK's processors have taken or dropped a span by its flag when it ends."""
    assert tracing.spans.can_sample_all is isinstance(provider, fast_start.TracerProvider)


def test_a_layer_that_hangs_costs_one_timeout() -> None:
    """It does not keep to the time that it is given, as with a name that is not resolved."""
    calls, go_on = [], threading.Event()

    class Provider:
        def force_flush(self, timeout_millis: int) -> bool:
            calls.append(timeout_millis)
            return go_on.wait(60)

    spans: list[Any] = [None] * 3
    with closing(AdotLayerExporter(Provider())) as exporter:
        assert [exporter.export(spans, 0.1) for _ in range(5)] == [3] * 5
        assert len(calls) == 1
        go_on.set()
        eventually(lambda: exporter.export(spans, 5) == 0)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "agent.example", "::1"])
def test_only_an_address_of_the_fast_start_is_sent_to_without_a_timeout(
    host: str, fast: bool, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    settings = telemetry_settings(adot_fast_start=fast, daemon=(host, 2000))

    exporter: Any = join_layer(settings, INSTRUMENTATION, {}).spans._exporter

    assert (exporter._worker is None) is (fast and host == "127.0.0.1")


@pytest.mark.parametrize(("flushed", "lost"), [(True, 0), (None, 0), (False, 3)])
def test_spans_that_the_layer_lost_are_counted(flushed: bool | None, lost: int) -> None:
    asked = []

    class Provider:
        def force_flush(self, timeout_millis: int) -> bool | None:
            asked.append(timeout_millis)
            return flushed

    exporters = AdotLayerExporter(Provider())
    spans: list[Any] = [None] * 3

    assert exporters.export(spans, 0.7) == lost
    assert asked == [700]
