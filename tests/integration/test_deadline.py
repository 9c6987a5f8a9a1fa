"""The deadline is reached: the function reports what it knows before the process is killed, and Lambda retries."""

from functools import partial

import pytest

from emulator.faults import FaultProxy, endless, hold
from tests.integration.harness import Harness, Services
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ
from tests.support.sandbox import sandbox_process


def test_a_timed_out_invocation_is_not_a_blank(services: Services) -> None:
    event = unique_event()
    symbol = event["detail"]["asset_symbol"]
    services.tables.put_row(symbol, DATE)
    with FaultProxy(services.tables.url, endless(0.1)) as proxy:
        given = function_environ(
            services.tables,
            services.queue,
            AWS_ENDPOINT_URL_DYNAMODB=proxy.url,
            # Small enough for the budget to allow an attempt.
            AWS_CONNECT_TIMEOUT_SECONDS="0.5",
            AWS_READ_TIMEOUT_SECONDS="2",
        )
        with sandbox_process(given) as sandbox:
            sandbox.worker.start()
            killed = sandbox.invoke(event, timeout_s=6)
            (line,), (metrics,), (call, root) = sandbox.logs, sandbox.metrics, sandbox.spans
            again = sandbox.invoke(event, request_id=killed.request_id)
            logs = sandbox.logs

    assert (killed.status, again.status) == ("timeout", "ok")
    assert (line["level"], line["outcome"], line["error_category"]) == ("ERROR", "retry", "timeout")
    assert (line["request_id"], line["attempts"]) == (killed.request_id, 1)
    assert line["correlation_id"] == event["detail"]["correlation_id"]
    assert (metrics["EventsReceived"], metrics["EventsRetried"], metrics["Operations"]) == (1, 1, 1)
    assert (metrics["Errors"], metrics["ErrorCategory"]) == (1, "timeout")
    assert metrics["ProcessingTime"] < 6000
    assert (root["kind"], call["name"]) == ("SERVER", "DynamoDB.TransactWriteItems")
    assert call["parent_span_id"] == root["span_id"]
    for span in (root, call):
        assert (span["status"], span["status_message"]) == ("ERROR", "timeout")
        assert span["attributes"]["error_category"] == "timeout"
        assert span["attributes"]["correlation_id"] == event["detail"]["correlation_id"]
        assert "error_category" in span["attributes"]["aws.xray.annotations"]

    assert again.cold_start
    assert [each["outcome"] for each in logs] == ["retry", "marked"]
    (entry,) = services.tables.audit(symbol, DATE)
    assert entry["request_id"] == killed.request_id


def test_a_response_after_the_deadline_changes_no_report(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(hold(after=partial(harness.function.clock.advance, 60)))

    late = harness.function(event)
    again = harness(event, request_id=late.request_id)

    assert str(late.error).startswith("category=timeout ")
    assert (late.outcome_line["outcome"], late.metric_line["EventsRetried"]) == ("retry", 1)
    assert "EventsMarked" not in late.metric_line
    assert [span["status"] for span in late.spans] == ["ERROR", "ERROR"]
    assert again.answer is not None
    assert (again.answer["outcome"], again.answer["same_event"]) == ("duplicate", True)
    assert len(harness.audit(event)) == 1


@pytest.mark.parametrize("timeout", [0.05, 1, 3, 6])
def test_too_little_time_for_an_attempt(harness: Harness, timeout: float) -> None:
    event = harness.event_for_a_row()

    invoked = harness(event, timeout=timeout)

    assert str(invoked.error).startswith("category=timeout ")
    assert invoked.outcome_line["error_code"] == "NoTimeForAnAttempt"
    assert harness.dynamodb.requests == ()
    assert "Operations" not in invoked.metric_line
    assert harness(event).outcome_line["outcome"] == "marked"
