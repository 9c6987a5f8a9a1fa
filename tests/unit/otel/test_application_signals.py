"""Application Signals: the attributes are ADOT's own, and an event that is at fault is no fault of the function."""

from collections.abc import Callable, Mapping
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from amazon.opentelemetry.distro import opentelemetry_lite_sdk as fast_start  # type: ignore[import-untyped]
from amazon.opentelemetry.distro.aws_span_metrics_processor import (  # type: ignore[import-untyped]
    AwsSpanMetricsProcessor,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from handler.errors import EVENT_FAULTS, ErrorCategory
from handler.outcome import INSTRUMENTATION
from handler.settings import load_settings
from otel.exporters.application_signals import ApplicationSignalsExporter
from otel.settings import APPLICATION_SIGNALS, TelemetrySettings
from otel.tracing.adot_layer import join_layer
from otel.tracing.provider import create_exporter, create_tracing
from otel.tracing.tracing import Tracing
from tests.support.telemetry import attributes, event_record, telemetry_settings
from tests.support.udp import SpanSocket
from tests.unit.otel.generated_spans import provider
from tests.unit.otel.tracing_harness import run_event

FUNCTION = "mark-earnings-processed"
ADDED = {
    *("aws.local.service", "aws.local.operation", "aws.local.environment"),
    *("aws.remote.service", "aws.remote.operation"),
}
AWS_CALL = {"rpc.system": "aws-api", "rpc.service": "DynamoDB", "rpc.method": "TransactWriteItems"}
LEAST = {"DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/000000000000/q", "AWS_REGION": "us-east-1"}

MakeTracing = Callable[[bool], Tracing]


@pytest.fixture(params=["direct", "layer"])
def make_tracing(request: pytest.FixtureRequest, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch) -> MakeTracing:
    """Create tracing of a mode, with Application Signals or without."""

    def settings(enabled: bool, **more: Any) -> TelemetrySettings:
        return telemetry_settings(application_signals=enabled, daemon=spans.address, **more)

    def direct(enabled: bool) -> Tracing:
        exporter = create_exporter(settings(enabled))
        request.addfinalizer(exporter.close)
        return create_tracing(settings(enabled), INSTRUMENTATION, exporter)

    def layer(enabled: bool) -> Tracing:
        for name, value in {
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
            "OTEL_SERVICE_NAME": settings(enabled).service,
            APPLICATION_SIGNALS: str(enabled).lower(),
        }.items():
            monkeypatch.setenv(name, value)
        made = fast_start.TracerProvider()
        made.add_span_processor(fast_start.BatchingSpanProcessor(fast_start.UdpSpanExporter(spans.endpoint)))
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: made)
        request.addfinalizer(made.shutdown)
        return join_layer(settings(enabled, adot_fast_start=True), INSTRUMENTATION, {})

    return {"direct": direct, "layer": layer}[request.param]


def ended() -> list[ReadableSpan]:
    """Return ended spans of every kind, with and without what a call of AWS has."""
    with provider() as (maker, spans):
        tracer = maker.get_tracer("test")
        for kind in SpanKind:
            for given in ({}, {"rpc.system": "aws-api"}, AWS_CALL, {**AWS_CALL, "rpc.service": "SQS"}):
                tracer.start_span("span", kind=kind, attributes=given).end()
        return list(spans)


class Kept:
    """An exporter that keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.given: tuple[float, bool] | None = None
        self.closed = False

    def export(self, spans: Any, seconds: float, all_sampled: bool = False) -> int:
        self.spans += spans
        self.given = (seconds, all_sampled)
        return 3

    def close(self) -> None:
        self.closed = True


def of_adot(span: ReadableSpan) -> Mapping[str, Any]:
    """Return the attributes after ADOT's own function, which its exporter calls, has seen the span."""
    found = dict(span.attributes or {})
    theirs = SimpleNamespace(resource=dict(span.resource.attributes), kind=span.kind, name=span.name, _attributes=found)
    fast_start.UdpSpanExporter._inject_app_signals_attributes(None, theirs)
    return found


def test_the_attributes_are_those_of_adot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    kept, spans = Kept(), ended()

    lost = ApplicationSignalsExporter(kept, FUNCTION).export(spans, 0.25, True)

    assert (lost, kept.given) == (3, (0.25, True))
    assert [dict(span.attributes or {}) for span in kept.spans] == [of_adot(span) for span in spans]
    for before, after in zip(spans, kept.spans, strict=True):
        same = ("name", "context", "parent", "resource", "events", "links", "kind", "status", "start_time", "end_time")
        assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
        assert ADDED & set(before.attributes or {}) == set()


def test_the_other_exporter_is_closed() -> None:
    kept = Kept()

    ApplicationSignalsExporter(kept, FUNCTION).close()

    assert kept.closed


@pytest.mark.parametrize("enabled", [True, False])
def test_both_modes_send_them_if_the_variable_is_true(
    enabled: bool, make_tracing: MakeTracing, spans: SpanSocket
) -> None:
    tracing = make_tracing(enabled)
    call = tracing.provider.get_tracer("a library")

    run_event(tracing, inside=lambda: call.start_span("call", kind=SpanKind.CLIENT, attributes=AWS_CALL).end())

    (datagram,) = spans.take()
    child, root = (attributes(span.attributes) for span in datagram.spans)
    local = {
        "aws.local.service": "mark-earnings",
        "aws.local.operation": f"{FUNCTION}/FunctionHandler",
        "aws.local.environment": "lambda:default",
    }
    remote = {"aws.remote.service": "AWS::DynamoDB", "aws.remote.operation": "TransactWriteItems"}
    added = [{name: value for name, value in each.items() if name in ADDED} for each in (root, child)]
    assert added == ([local, local | remote] if enabled else [{}, {}])


def faults_of_adot(span: Any) -> int:
    """Return how many faults ADOT's own metrics processor counts for a span: 0 or 1."""
    faults: list[int] = []
    ignore = SimpleNamespace(record=lambda *_: None)
    count = SimpleNamespace(record=lambda value, _: faults.append(value))
    processor = AwsSpanMetricsProcessor(ignore, count, ignore, None, None, None)
    status = trace.StatusCode(span.status.code)
    read = SimpleNamespace(attributes=attributes(span.attributes), status=SimpleNamespace(status_code=status))
    processor._record_error_or_fault(read, {})
    return sum(faults)


@pytest.mark.parametrize("category", ErrorCategory)
@pytest.mark.parametrize("enabled", [True, False])
def test_an_event_at_fault_is_no_fault_of_the_function(
    enabled: bool, category: ErrorCategory, make_tracing: MakeTracing, spans: SpanSocket
) -> None:
    record = event_record(outcome="dead_lettered", error_category=category.value, error_code="Code")

    run_event(make_tracing(enabled), record)

    ((root,),) = (datagram.spans for datagram in spans.take())
    assert faults_of_adot(root) == (not (enabled and category in EVENT_FAULTS))
    assert attributes(root.attributes)["error_category"] == category.value
    (recorded,) = root.events
    assert attributes(recorded.attributes) == {"exception.type": "Code", "exception.message": category.value}


@pytest.fixture
def exporter_for() -> Callable[[Mapping[str, str]], object]:
    """Create the exporter that an environment selects."""

    def make(environ: Mapping[str, str]) -> object:
        with closing(create_exporter(load_settings({**LEAST, **environ}).telemetry)) as exporter:
            return exporter

    return make


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_the_variable_is_read_as_adot_reads_it(value: str, exporter_for: Callable[[Mapping[str, str]], object]) -> None:
    assert isinstance(exporter_for({APPLICATION_SIGNALS: value}), ApplicationSignalsExporter)


@pytest.mark.parametrize("environ", [{}, {APPLICATION_SIGNALS: "false"}, {APPLICATION_SIGNALS: " "}])
def test_off_by_default(environ: Mapping[str, str], exporter_for: Callable[[Mapping[str, str]], object]) -> None:
    assert not isinstance(exporter_for(environ), ApplicationSignalsExporter)


def test_a_collector_gets_spans_without_them(exporter_for: Callable[[Mapping[str, str]], object]) -> None:
    environ = {APPLICATION_SIGNALS: "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}

    assert not isinstance(exporter_for(environ), ApplicationSignalsExporter)
