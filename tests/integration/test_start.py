"""The start of the function's process: ready, or one log line and an exit."""

import json
from typing import Any

import pytest

from tests.integration.harness import Services
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ, same_json
from tests.support.sandbox import sandbox_process
from tests.support.udp import closed_udp_port

WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing is set": (
        {"DEAD_LETTER_QUEUE_URL": ""},
        ["DEAD_LETTER_QUEUE_URL is not set: give the URL of the SQS queue for events that cannot succeed"],
    ),
    "everything is wrong": (
        {
            "DEAD_LETTER_QUEUE_URL": "xyzzy",
            "AWS_READ_TIMEOUT_SECONDS": "xyzzy",
            "AWS_CONNECT_TIMEOUT_SECONDS": "-1",
            "AWS_ENDPOINT_URL_DYNAMODB": "xyzzy",
            "AWS_XRAY_DAEMON_ADDRESS": "xyzzy",
            "AWS_LAMBDA_LOG_LEVEL": "INFORMATIVE",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "xyzzy",
        },
        [
            "AWS_ENDPOINT_URL_DYNAMODB must be a URL such as",
            "AWS_CONNECT_TIMEOUT_SECONDS must be seconds",
            "AWS_READ_TIMEOUT_SECONDS must be seconds",
            "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf",
            "AWS_LAMBDA_LOG_LEVEL must be one of",
            "AWS_XRAY_DAEMON_ADDRESS must be host:port",
            "DEAD_LETTER_QUEUE_URL must be a URL such as",
        ],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_settings_are_one_line_and_a_failed_start(services: Services, wrong: str) -> None:
    environ, problems = WRONG[wrong]
    given: dict[str, Any] = function_environ(services.tables, services.queue, ENVIRONMENT="staging") | environ
    with sandbox_process(given) as sandbox:
        failed = sandbox.worker.start()
        invoked = sandbox.invoke(unique_event())

    assert failed is not None
    assert failed.error_text() == "Runtime.ExitError: Runtime exited with error: exit status 1"
    assert (failed.status, invoked.status) == ("init_error", "init_error")
    assert len(sandbox.stdout) == 2, "one for each start"
    line = sandbox.logs[0]
    assert (line["level"], line["event_type"], line["environment"]) == ("FATAL", "start_failed", "staging")
    assert len(line["problems"]) == len(problems)
    for problem in problems:
        assert any(text.startswith(problem) for text in line["problems"]), problem
    assert "xyzzy" not in sandbox.stdout[0]
    assert sandbox.stderr == []


def test_a_process_as_lambda_runs_it(services: Services) -> None:
    event, lost = unique_event(), unique_event()
    symbol = event["detail"]["asset_symbol"]
    services.tables.put_row(symbol, DATE)
    with sandbox_process(function_environ(services.tables, services.queue)) as sandbox:
        results = [sandbox.invoke(each) for each in (event, event, lost)]
        sandbox.worker.close()

    assert [result.cold_start for result in results] == [True, False, False]
    answers = [json.loads(result.payload) for result in results]
    assert [answer["outcome"] for answer in answers] == ["marked", "duplicate", "dead_lettered"]
    assert [line["outcome"] for line in sandbox.logs] == ["marked", "duplicate", "dead_lettered"]
    assert [line["request_id"] for line in sandbox.metrics] == [result.request_id for result in results]
    assert sandbox.metrics[0]["InitDuration"] > 0
    assert len(sandbox.spans) == 2 + 2 + 3
    assert sandbox.stderr == []
    services.dead_letters.extend(services.queue.drain())
    (dead_letter,) = [each for each in services.dead_letters if each.attributes["REQUEST_ID"] == results[2].request_id]
    assert same_json(dead_letter.body, lost)


def test_a_raised_event_is_lambdas_error_reply(services: Services) -> None:
    given = function_environ(
        services.tables,
        services.queue,
        AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:1",
        AWS_XRAY_DAEMON_ADDRESS=f"127.0.0.1:{closed_udp_port()}",
    )
    event = unique_event()
    with sandbox_process(given) as sandbox:
        result = sandbox.invoke(event)

    assert result.status == "error"
    reply = json.loads(result.payload)
    assert reply["errorType"] == "EventNotProcessed"
    correlation_id = event["detail"]["correlation_id"]
    assert reply["errorMessage"] == f"category=network correlation_id={correlation_id} : EndpointConnectionError"
    assert [line["outcome"] for line in sandbox.logs if line.get("event_type") == "event_outcome"] == ["retry"]
    assert sandbox.stderr == []
