"""The standard variables that turn tracing off or select the collector: the function works with all of them."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.events import unique_event
from tests.support.harness import stubbed_function
from tests.support.invariants import count_outcomes
from tests.unit.otel.loopback import loopback

SPANS = ["DynamoDB.TransactWriteItems", "mark-earnings-processed"]


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "none"}],
)
def test_without_spans_the_function_works(variables: dict[str, str]) -> None:
    with stubbed_function(**variables) as function:
        invocations = [function(unique_event()), function({})]

    assert [invoked.outcome_line["outcome"] for invoked in invocations] == ["marked", "dead_lettered"]
    assert [invoked.datagrams for invoked in invocations] == [[], []]
    assert {line["trace_id"] for invoked in invocations for line in invoked.logs} == {None}
    assert count_outcomes(invoked.metric_line for invoked in invocations) == {"marked": 1, "dead_lettered": 1}


@pytest.mark.parametrize("variables", [{}, {"OTEL_SDK_DISABLED": "false"}, {"OTEL_TRACES_EXPORTER": "otlp"}])
def test_with_spans_the_function_works(variables: dict[str, str]) -> None:
    with stubbed_function(**variables) as function:
        invoked = function(unique_event())

    assert invoked.outcome_line["outcome"] == "marked"
    assert [span["name"] for span in invoked.spans] == SPANS


def test_with_a_collector_the_daemon_gets_nothing() -> None:
    with loopback() as collector, stubbed_function(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as function:
        invoked = function(unique_event())

        (request,) = [ExportTraceServiceRequest.FromString(received.body) for received in collector.requests]
    assert invoked.outcome_line["outcome"] == "marked"
    assert sorted(span.name for scope in request.resource_spans[0].scope_spans for span in scope.spans) == SPANS
    assert invoked.datagrams == []
