"""The standard variables of tracing: sampler, resource, limits; and Lambda's own decision."""

from typing import Any

import pytest
from opentelemetry import trace

from otel.tracing.trace_header import LAMBDA_TRACE_HEADER
from otel.tracing.tracing import Tracing
from tests.support.telemetry import TRACE_HEADER, Output, attributes, event_record
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.tracing_harness import NewTracing, make_child, only, run_event


@pytest.mark.parametrize("lambda_samples", [True, False])
def test_lambdas_decision_is_kept(lambda_samples: bool, tracing: Tracing, spans: SpanSocket) -> None:
    header = TRACE_HEADER if lambda_samples else TRACE_HEADER.replace("Sampled=1", "Sampled=0")
    with_child = make_child(tracing)

    run_event(tracing, header=f"{header};Lineage=1:2:0", inside=with_child)

    (datagram,) = spans.take()
    assert datagram.kind == ("T1S" if lambda_samples else "T1U")
    assert len(datagram.spans) == 2


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


def test_a_ratio_samples_its_proportion(
    new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_limits_of_the_environment_are_dropped_counts(
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


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"outcome": "marked"}, "T1U"),
        ({"outcome": "duplicate", "same_event": True}, "T1U"),
        ({"outcome": "duplicate", "same_event": False}, "T1S"),
        ({"outcome": "dead_lettered", "error_category": "validation", "error_code": "InvalidEvent"}, "T1S"),
        ({"outcome": "retry", "error_category": "throttling", "error_code": "ThrottlingException"}, "T1S"),
    ],
)
def test_a_failure_is_sent_as_sampled(
    facts: dict[str, Any], kind: str, tracing: Tracing, spans: SpanSocket, output: Output, new_telemetry: NewTelemetry
) -> None:
    """Whatever Lambda decided: a failed event always has a trace, and its log line states it."""
    record = event_record()
    environ = {LAMBDA_TRACE_HEADER: TRACE_HEADER.replace("Sampled=1", "Sampled=0")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        with new_telemetry(tracing).event(record, None, 30):
            make_child(tracing)()
            for name, value in facts.items():
                setattr(record, name, value)

    (datagram,) = spans.take()
    assert (datagram.kind, len(datagram.spans)) == (kind, 2)
    (line,) = output.logs()
    assert line["trace_sampled"] is (kind == "T1S")


def test_limits_of_attributes_hold_for_those_that_are_set_when_a_span_ends(
    new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "4")
    tracing = new_tracing()

    run_event(tracing, inside=lambda: trace.get_current_span().set_attribute("own", "longer"))

    _, root = only(spans)
    found = attributes(root.attributes)
    assert len(found) == 4
    assert root.dropped_attributes_count > 0
    assert found["own"] == "lon"
    assert all(len(value) <= 3 for value in found.values() if isinstance(value, str))
