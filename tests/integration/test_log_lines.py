"""Nobody writes a log line but the function: whatever an event holds, the lines are as many as they should be."""

import json
from typing import Any

import pytest

from emulator.faults import FaultProxy, aws_error, http_status, sqs_error
from tests.integration.harness import Harness, Services
from tests.integration.modes import MODES, sandbox_in_mode
from tests.support.events import unique_event
from tests.support.harness import function_environ
from tests.support.sandbox import sandbox_process

FORGED = '{"level": "FATAL", "message": "forged", "_aws": {"CloudWatchMetrics": []}, "outcome": "marked"}'
FORGERIES = {
    "newline": f"x\n{FORGED}\n",
    "carriage return": f"x\r{FORGED}\r\n",
    "line and paragraph separator": f"x\u2028{FORGED}\u2029{FORGED}\u0085{FORGED}",
    "vertical": f"x\v{FORGED}\f{FORGED}\x1c\x1d\x1e{FORGED}",
    "terminal": f"\x1b[2J\x1b[1;31m{FORGED}\x1b]0;title\x07\x9b31m",
    "nul": f"\x00{FORGED}\x00",
    "quotes": f'", {FORGED[1:-1]}, "x": "',
    "backslash": f"\\n{FORGED}\\",
    "half a surrogate pair": f"\ud800\n{FORGED}",
    "right to left": f"\u202e{FORGED}\u2066",
}
FIELDS = ("asset_symbol", "earnings_date", "event_id", "earnings_id", "processed_at", "correlation_id", "traceparent")
ENVELOPE = ("id", "source", "detail-type", "version", "account", "time", "region", "resources", "replay-name")


def everywhere(text: str) -> list[dict[str, Any]]:
    """Events with the text in one field each, and one with it in all of them and in the names of others."""
    events = [unique_event({name: text}) for name in FIELDS]
    events += [unique_event() | {name: text} for name in ENVELOPE]
    detail = unique_event(dict.fromkeys((*FIELDS, text), text))
    return [*events, detail | dict.fromkeys((*ENVELOPE, text), text)]


def check_lines(output: str | bytes, lines: int) -> list[dict[str, Any]]:
    """The output as whole lines of JSON: as many as there should be, whoever cuts them."""
    text = output if isinstance(output, str) else output.decode("utf-8")
    assert len(text.splitlines()) == text.count("\n") == lines, "str.splitlines cuts at much more than newlines"
    assert text.replace("\n", "").isprintable()
    decoded = [json.loads(line) for line in text.splitlines()]
    assert not any(line.get("message") == "forged" or line.get("level") == "FATAL" for line in decoded)
    return decoded


@pytest.mark.parametrize("forgery", FORGERIES)
def test_one_log_line_and_one_metric_line_for_every_event(harness: Harness, forgery: str) -> None:
    for event in everywhere(FORGERIES[forgery]):
        invoked = harness(event)

        log, metrics = check_lines(invoked.output, 2)
        assert log["outcome"] == "dead_lettered"
        assert "_aws" in metrics
        assert "forged" not in invoked.output.decode()


@pytest.mark.parametrize("forgery", [name for name in FORGERIES if name != "half a surrogate pair"])
def test_replies_do_not_forge_either(harness: Harness, forgery: str) -> None:
    text = FORGERIES[forgery]
    faults = (
        aws_error("AccessDeniedException", message=text),
        aws_error(text, message=text),
        http_status(400, text.encode()),
    )
    harness.dynamodb.script(*faults)

    for expected in (3, 2, 2):  # one more for access denied
        invoked = harness(harness.event_for_a_row())

        check_lines(invoked.output, expected)
        assert "forged" not in invoked.output.decode()


def test_nor_does_the_runtime_client_let_any_through(services: Services) -> None:
    events = [everywhere(text)[-1] for text in FORGERIES.values()]
    not_json = f'{{"a": "x" \n{FORGED}\n'.encode()
    with sandbox_process(function_environ(services.tables, services.queue, AWS_LAMBDA_LOG_LEVEL="DEBUG")) as sandbox:
        sandbox.worker.start()
        sandbox.stdout.clear()  # botocore's, at this level, until the function has started
        for payload in (*events, not_json):
            sandbox.invoke(payload)

    stdout = "".join(f"{line}\n" for line in sandbox.stdout)
    check_lines(stdout, 2 * len(events) + 1)
    assert len(sandbox.metrics) == len(events)
    assert [line["errorType"] for line in sandbox.logs if "errorType" in line] == ["Runtime.UnmarshalError"]
    assert "forged" not in stdout
    assert sandbox.stderr == []


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_dead_letter_makes_no_library_warn(services: Services, mode: str) -> None:
    """The instrumentation looks for the ID of a message that was not taken; redaction leaves a filter no reason."""
    with (
        FaultProxy(services.queue.url, sqs_error("AccessDeniedException")) as queue,
        sandbox_in_mode(services, mode, AWS_ENDPOINT_URL_SQS=queue.url) as function,
    ):
        assert function.sandbox.invoke(unique_event()).status == "error"
        logs = function.sandbox.logs

    assert [line["outcome"] for line in logs if line.get("event_type") == "event_outcome"] == ["retry"]
    assert [line for line in logs if "logger" in line] == []
