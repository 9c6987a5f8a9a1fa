"""The standard variables that switch tracing off, or elsewhere: the function itself must not notice."""

import logging

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.telemetry import Output
from tests.support.udp import SpanSocket
from tests.unit.otel.function_harness import event, invoke, wired
from tests.unit.otel.loopback import loopback


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "none"}],
)
def test_without_spans_the_function_works(
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    output: Output,
    spans: SpanSocket,
    root_logger: logging.Logger,
) -> None:
    del root_logger  # put back by its fixture
    with wired(monkeypatch, output, spans, variables=variables) as function:
        marked, refused = invoke(function, event()), invoke(function, {})

    assert (marked["outcome"], refused["outcome"]) == ("marked", "dead_lettered")
    assert spans.take_raw() == []
    assert [line["outcome"] for line in output.logs()] == ["marked", "dead_lettered"]
    assert {line["trace_id"] for line in output.logs()} == {None}
    assert sum(document["EventsReceived"] for document in output.metrics()) == 2


@pytest.mark.parametrize("variables", [{}, {"OTEL_SDK_DISABLED": "false"}, {"OTEL_TRACES_EXPORTER": "otlp"}])
def test_with_spans_it_works_too(
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    output: Output,
    spans: SpanSocket,
    root_logger: logging.Logger,
) -> None:
    del root_logger
    with wired(monkeypatch, output, spans, variables=variables) as function:
        assert invoke(function, event())["outcome"] == "marked"

    assert [span.name for span in spans.take_spans()] == ["DynamoDB.TransactWriteItems", "mark-earnings-processed"]


def test_with_a_collector_the_agent_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, output: Output, spans: SpanSocket, root_logger: logging.Logger
) -> None:
    del root_logger
    with loopback() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with wired(monkeypatch, output, spans, variables=variables) as function:
            assert invoke(function, event())["outcome"] == "marked"

        (request,) = [ExportTraceServiceRequest.FromString(each.body) for each in collector.requests]
    names = [span.name for scope in request.resource_spans[0].scope_spans for span in scope.spans]
    assert sorted(names) == ["DynamoDB.TransactWriteItems", "mark-earnings-processed"]
    assert spans.take_raw() == []
