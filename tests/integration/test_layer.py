"""The function with ADOT's layer around it, as its wrapper script starts both: a process of its own, real services."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import pytest

from emulator.faults import Fault, FaultProxy, endless
from emulator.lambda_runtime.span_receiver import SpanDict
from tests.integration.harness import OTHERS_ATTRIBUTES, Services
from tests.integration.sentinel import CORE, leaks
from tests.support.events import DATE, unique_event
from tests.support.export_modes import WRAPPER
from tests.support.harness import function_environ
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID
from tests.support.thorough import few

ALL_INSTRUMENTATIONS = "click"  # what is named is left out, and nothing else
SET_UPS: Mapping[str, dict[str, str]] = {
    "fast start": {},
    "full": {"OTEL_AWS_LAMBDA_FAST_START": "false"},
    "full, instrumenting what it finds": {
        "OTEL_AWS_LAMBDA_FAST_START": "false",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ALL_INSTRUMENTATIONS,
    },
}
LARGEST_DATAGRAM = 65_507
MANY = 150
"""Spans: all of them together do not fit into one datagram."""

set_ups = pytest.mark.parametrize("set_up", SET_UPS)
both = pytest.mark.parametrize("set_up", ["full", "fast start"])


@contextmanager
def layered(
    services: Services, set_up: str, *faults: Fault, handler: str = "handler.app.lambda_handler", **more: str
) -> Iterator[Sandbox]:
    """The function with the layer on, and faults before DynamoDB."""
    with FaultProxy(services.tables.url, *faults, operation="TransactWriteItems") as dynamodb:
        between = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url, "AWS_LAMBDA_EXEC_WRAPPER": str(WRAPPER)}
        given = function_environ(services.tables, services.queue, **{**between, **SET_UPS[set_up], **more})
        # DynamoDB Local keeps data by access key: it is the one of all local services, and looked for below.
        with sandbox_process(given, handler=handler) as sandbox:
            yield sandbox


@pytest.fixture(scope="module")
def running(services: Services) -> Iterator[Callable[[str], Sandbox]]:
    """Returns the function with a set-up of the layer: one process for all tests that need no other variables."""
    with ExitStack() as stack:
        yield cache(lambda set_up: stack.enter_context(layered(services, set_up)))


def event_for_a_row(services: Services, **detail: Any) -> dict[str, Any]:
    event = unique_event(detail)
    services.tables.put_row(event["detail"]["asset_symbol"], DATE, **OTHERS_ATTRIBUTES)
    return event


def by_event(sandbox: Sandbox) -> dict[str, list[SpanDict]]:
    found: dict[str, list[SpanDict]] = {}
    for span in sandbox.spans:
        found.setdefault(span["attributes"]["correlation_id"], []).append(span)
    return found


def test_every_event_has_its_spans_once_and_before_its_answer(
    services: Services, running: Callable[[str], Sandbox]
) -> None:
    """Whatever else is instrumented; `test_mode_content` has the other set-ups."""
    event = event_for_a_row(services)
    events = [event, event, unique_event(), event_for_a_row(services), event_for_a_row(services)]
    headers, arrived = [], []
    sandbox = running("full, instrumenting what it finds")
    earlier_spans, earlier_logs = len(sandbox.spans), len(sandbox.logs)
    for each in events:
        before = len(sandbox.spans)
        assert sandbox.invoke(each, trace_header=TRACE_HEADER).status == "ok"
        arrived.append([(span["kind"], span["name"]) for span in sandbox.spans[before:]])
        headers += [span["parent_span_id"] for span in sandbox.spans[before:] if span["kind"] == "SERVER"]
    spans, logs, stderr = sandbox.spans[earlier_spans:], sandbox.logs[earlier_logs:], sandbox.stderr

    write, root = ("CLIENT", "DynamoDB.TransactWriteItems"), ("SERVER", "MarkEarningsProcessed")
    dead_letter = ("CLIENT", "SQS.SendMessage")
    assert [Counter(each) for each in arrived] == [
        Counter([write, root]),
        Counter([write, root]),
        Counter([write, dead_letter, root]),
        Counter([write, root]),
        Counter([write, root]),
    ]
    assert len({span["span_id"] for span in spans}) == len(spans)
    assert {span["trace_id"] for span in spans} == {TRACE_ID}
    assert set(headers) == {PARENT_ID}
    assert [line["outcome"] for line in logs] == ["marked", "duplicate", "dead_lettered", "marked", "marked"]
    assert stderr == []


@set_ups
def test_no_access_key_and_nothing_of_the_event_is_in_a_span(services: Services, set_up: str) -> None:
    odd = {"requestContext": {"http": {"path": CORE}}, "version": "2.0", "headers": {"traceparent": CORE}}
    gateway = {"requestContext": 1, "headers": CORE, "queryStringParameters": CORE, "resource": CORE}
    sqs = {"Records": [{"eventSource": "aws:sqs", "body": CORE, "messageAttributes": CORE}]}
    credentials = {"AWS_ACCESS_KEY_ID": f"AKIA{CORE}", "AWS_SECRET_ACCESS_KEY": CORE, "AWS_SESSION_TOKEN": CORE}
    # Their endpoint refuses: what is in the spans of calls is what matters.
    more = {**credentials, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}
    with layered(services, set_up, **more) as sandbox:
        answers = [sandbox.invoke(each) for each in (odd, gateway, sqs)]
        failed = sandbox.invoke(unique_event(), timeout_s=PATIENT)
        spans = json.dumps(sandbox.spans)
        names = {name for span in sandbox.spans for name in span["attributes"]}
        calls = [span for span in sandbox.spans if span["name"] == "DynamoDB.TransactWriteItems"]

    assert [json.loads(each.payload)["outcome"] for each in answers] == ["dead_lettered"] * 3
    assert failed.status == "error"
    assert leaks(spans) == []
    assert not {name for name in names if "access_key" in name}
    assert len(calls) > 0
    for span in calls:
        (recorded,) = span["events"]
        exception = "botocore.exceptions.EndpointConnectionError"
        assert recorded["attributes"] == {"exception.type": exception, "exception.message": "network"}
        assert (span["status"], span["status_message"]) == ("ERROR", "network")
        assert span["attributes"]["error.type"] == "EndpointConnectionError"


PATIENT = 130
"""Seconds: the sandbox's settings allow 90 for one attempt."""


@both
def test_unsampled_spans_are_marked_as_such(services: Services, running: Callable[[str], Sandbox], set_up: str) -> None:
    sandbox = running(set_up)
    before = len(sandbox.spans)
    sandbox.invoke(event_for_a_row(services), trace_header=TRACE_HEADER.replace("Sampled=1", "Sampled=0"))

    sent = [span["sampled"] for span in sandbox.spans[before:]]
    assert sent == ([False, False] if set_up == "fast start" else []), "ADOT's SDK sends them for Application Signals"


@both
def test_application_signals(services: Services, set_up: str) -> None:
    with layered(services, set_up, OTEL_AWS_APPLICATION_SIGNALS_ENABLED="true") as sandbox:
        sandbox.invoke(unique_event(), trace_header=TRACE_HEADER.replace("Sampled=1", "Sampled=0"))
        spans = sandbox.spans

    write, dead_letter, root = sorted(spans, key=lambda span: span["end_time_unix_nano"])
    fails = set_up == "fast start"  # a failure is sent as sampled, where that can be decided at the flush
    assert [span["sampled"] for span in spans] == [fails] * 3
    remote = [span["attributes"]["aws.remote.service"] for span in (write, dead_letter)]
    assert remote == ["AWS::DynamoDB", "AWS::SQS"]
    assert root["attributes"]["aws.local.operation"] == "MarkEarningsProcessed/FunctionHandler"
    assert (root["status"], root["attributes"]["error_category"]) == ("UNSET", "not_found")


@both
def test_a_failure_in_an_unsampled_trace_is_sent_as_sampled_where_the_layer_can(
    running: Callable[[str], Sandbox], set_up: str
) -> None:
    """As in direct mode. ADOT's whole SDK cannot: a span is dropped, or marked as unsampled, when it ends."""
    sandbox = running(set_up)
    spans, lines = len(sandbox.spans), len(sandbox.logs)
    sandbox.invoke(unique_event(), trace_header=TRACE_HEADER.replace("Sampled=1", "Sampled=0"))

    can = set_up == "fast start"
    sampled = [span["sampled"] for span in sandbox.spans[spans:]]
    assert sampled == [True] * 3 if can else not any(sampled)
    (line,) = sandbox.logs[lines:]
    assert (line["outcome"], line["trace_sampled"]) == ("dead_lettered", can)


@both
def test_a_span_around_the_handler_is_the_parent_and_carries_the_ids(services: Services, set_up: str) -> None:
    event = event_for_a_row(services)
    with layered(services, set_up, handler="tests.support.wrapping_handlers.lambda_handler") as sandbox:
        for _ in range(2):
            sandbox.invoke(event, trace_header=TRACE_HEADER)
        spans = sandbox.spans

    # The last one ends after the function's own flush: with the next, as whoever makes it must flush it.
    around = next(span for span in spans if span["name"] == "around")
    (root,) = (span for span in spans if span["parent_span_id"] == around["span_id"])
    assert around["parent_span_id"] == PARENT_ID
    assert around["attributes"]["correlation_id"] == root["attributes"]["correlation_id"]
    assert around["attributes"]["outcome"] == "marked"
    expected = ["correlation_id", "asset_symbol", "earnings_date", "outcome"]
    assert around["attributes"]["aws.xray.annotations"] == expected


@both
def test_more_spans_than_a_datagram_holds_lose_none(services: Services, set_up: str) -> None:
    with layered(
        services, set_up, handler="tests.support.wrapping_handlers.with_many_spans", SPANS_BEFORE=str(MANY)
    ) as sandbox:
        for _ in range(2):
            sandbox.invoke(event_for_a_row(services))
        spans, sizes = sandbox.spans, [len(datagram) for datagram in sandbox.datagrams]

    assert len(spans) == len({span["span_id"] for span in spans}) == 2 * (MANY + 2)
    assert max(sizes) < LARGEST_DATAGRAM
    assert sum(sizes) > 2 * LARGEST_DATAGRAM, "or one datagram could have held them"


@both
def test_the_deadline_ends_and_sends_the_open_spans(services: Services, set_up: str) -> None:
    times = {"AWS_CONNECT_TIMEOUT_SECONDS": "0.5", "AWS_READ_TIMEOUT_SECONDS": "2"}
    with layered(services, set_up, endless(0.1), **times) as sandbox:
        sandbox.worker.start()
        killed = sandbox.invoke(event_for_a_row(services), timeout_s=6)
        (call, root), (line,) = sandbox.spans, sandbox.logs

    assert (killed.status, line["error_category"]) == ("timeout", "timeout")
    assert call["parent_span_id"] == root["span_id"] == line["span_id"]
    for span in (root, call):
        assert (span["status"], span["status_message"]) == ("ERROR", "timeout")
        assert span["attributes"]["error_category"] == "timeout"


def test_where_the_layer_cannot_be_set_up_spans_go_the_direct_way(services: Services) -> None:
    unheard_of = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "unheard-of"}
    with layered(services, "full", **unheard_of) as sandbox:
        assert sandbox.invoke(event_for_a_row(services)).status == "ok"
        spans, lines = sandbox.spans, sandbox.logs

    assert [span["name"] for span in spans] == ["DynamoDB.TransactWriteItems", "MarkEarningsProcessed"]
    assert "telemetry.auto.version" not in spans[0]["resource"]
    assert "LIBRARY" in {line["event_type"].upper() for line in lines if line["level"] in {"ERROR", "FATAL"}}


def test_spans_switched_off_stay_off(services: Services) -> None:
    for set_up in few(SET_UPS, of=2):
        with layered(services, set_up, OTEL_TRACES_EXPORTER="none") as sandbox:
            assert sandbox.invoke(event_for_a_row(services)).status == "ok"
            assert sandbox.spans == []


def test_the_script_can_be_run() -> None:
    assert os.access(WRAPPER, os.X_OK)
