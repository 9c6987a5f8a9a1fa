"""Failures of the automatic redrive: what it reports, and that no secret is in what it and Lambda's runtime log."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.faults import Fault, Reply, answer, aws_error, http_status, reset_before
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.sources import read_dead_letter
from mep.errors import MepError
from redriver import CALENDAR_TASK, REDRIVE_TASK, app
from redriver.redrive import Status
from redriver.report import Report
from tests.integration.sentinel import CORE, CREDENTIALS, leaks
from tests.support.dead_letters import event, from_rule
from tests.support.redriver_harness import RedriverHarness

DATE = "2025-07-31"
ROLE = "arn:aws:sts::000000000000:assumed-role/its-role/session"
CONTEXT = SimpleNamespace(
    aws_request_id="request", function_version="7", get_remaining_time_in_millis=lambda: 300_000.0
)
DENIED = aws_error("AccessDeniedException", message=f"User: {ROLE} is not authorized")
EXPIRED = aws_error("ExpiredTokenException", message=f"The security token {CORE} is expired")
UNSIGNED = aws_error("InvalidSignatureException", message=f"The Canonical String: x-amz-security-token:{CORE}")
OTHER = answer(Reply(200, json.dumps({"error": CORE}).encode()), name="another API")


def with_row(harness: RedriverHarness, number: int, **detail: Any) -> dict[str, Any]:
    harness.tables.put_row(f"R{number}", DATE)
    return event(number, asset_symbol=f"R{number}", **detail)


# --- failed calls


FAILURES: dict[str, tuple[Fault, Status]] = {
    "denied": (DENIED, Status.FAILED),
    "expired": (EXPIRED, Status.FAILED),
    "signature": (UNSIGNED, Status.FAILED),
    "throttled": (aws_error("ThrottlingException"), Status.UNAVAILABLE),
    "login page": (http_status(200), Status.UNAVAILABLE),
    "another API": (OTHER, Status.UNAVAILABLE),
    "connection reset": (reset_before(), Status.UNAVAILABLE),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failed_call_is_an_empty_result(harness: RedriverHarness, failure: str) -> None:
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    fault, status = FAILURES[failure]
    for proxy in ("events", "sqs"):
        getattr(harness, proxy).script(fault)

        harness.run_to(status)

        assert harness.log["status"] == status
        assert harness.log["problem"]
        assert leaks(json.dumps(harness.lines)) == []
        assert not harness.metrics().keys() & {"DeadLettersLeft", "OldestDeadLetterAge"}
    assert harness.platform.invoked == []


@pytest.mark.parametrize("failure", ["denied", "expired", "another API"])
def test_a_row_that_could_not_be_read_is_not_unmarked(harness: RedriverHarness, failure: str) -> None:
    """The function has answered; whether the row is marked is not known, and the message stays."""
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    harness.dynamodb.script(FAILURES[failure][0], operation="GetItem")

    if FAILURES[failure][1] is Status.FAILED:
        with pytest.raises(MepError):
            harness.run()
    else:
        harness.run()

    assert "the row is not marked" not in json.dumps(harness.lines)
    assert harness.log["outcomes"] == {}
    assert sum(harness.log["kept"].values()) == 1
    assert leaks(json.dumps(harness.lines)) == []


# --- what is logged


class _Lines(logging.Handler):
    """Takes log records as Lambda's runtime writes them."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@pytest.fixture
def invoke(harness: RedriverHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Invoke the function as Lambda does, with level DEBUG; return everything that is then in its log."""
    lines: list[str] = []

    def invoke(task: str = REDRIVE_TASK) -> str:
        lines.clear()
        try:
            app.lambda_handler({"task": task}, CONTEXT)
        except Exception as error:
            lines.extend(traceback.format_exception(error))
        return "\n".join(lines)

    for name, value in {**harness.environ(), **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app, "Report", partial(Report, write=lines.append))
    app._settings.cache_clear()
    root, handler = logging.getLogger(), _Lines(lines)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield invoke
    root.removeHandler(handler)
    root.setLevel(level)
    app._settings.cache_clear()


def test_neither_credentials_nor_events_are_logged(harness: RedriverHarness, invoke: Callable[..., str]) -> None:
    secret = {"note": CORE, "correlation_id": f"<{CORE}>", "card": [CORE]}
    harness.send(from_rule(with_row(harness, 1, **secret), "TIMEOUT", ERROR_MESSAGE=CORE))
    harness.send(from_rule(with_row(harness, 2, **secret), CORE), (CORE, {"ERROR_CODE": CORE}))

    logged = invoke()

    assert '"status": "done"' in logged
    assert leaks(logged) == []
    assert CREDENTIALS["AWS_ACCESS_KEY_ID"] in harness.sqs.requests[0].request.headers["authorization"]


@pytest.mark.parametrize("task", [REDRIVE_TASK, CALENDAR_TASK])
@pytest.mark.parametrize("fault", [DENIED, EXPIRED, UNSIGNED], ids=lambda fault: fault.name)
def test_aws_own_message_is_not_logged(
    harness: RedriverHarness, invoke: Callable[..., str], fault: Fault, task: str
) -> None:
    """Lambda's runtime client logs the text of an exception and its causes."""
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    for proxy in ("dynamodb",) if task == CALENDAR_TASK else ("events", "lambda_", "sqs"):
        getattr(harness, proxy).script(fault)

        logged = invoke(task)

        assert f"{fault.name} at " in logged
        assert "RunError" in logged
        assert ROLE not in logged
        assert leaks(logged) == []


def test_a_defect_is_reported_by_class_and_place(harness: RedriverHarness, invoke: Callable[..., str]) -> None:
    """An audit entry that somebody has changed: no run may end as if there were nothing to do."""
    body, attributes = from_rule(with_row(harness, 1, redrive_count=1), "TIMEOUT")
    (message_id,) = harness.send((body, attributes))
    trail = AuditTrail(harness.tables.client, harness.tables.audit_table, "auto", harness._tick)
    trail.record(Action.REDRIVE_REQUESTED, read_dead_letter(message_id, body, attributes))
    (item,) = harness.tables.client.scan(TableName=harness.tables.audit_table)["Items"]
    harness.tables.client.put_item(TableName=harness.tables.audit_table, Item=item | {"recorded_at": {"S": CORE}})

    logged = invoke()

    assert '"status": "failed"' in logged
    assert "a defect: ValueError at stores.py:" in logged
    assert leaks(logged) == []


def test_a_missing_variable_is_one_line(invoke: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "")
    assert "RunError: EVENT_BUS_NAME must be set" in invoke()
    monkeypatch.setenv("EVENT_BUS_NAME", "b")
    monkeypatch.setenv("AUTO_REDRIVE_FUNCTION", "arn:aws:lambda:eu-west-1:000000000000:function:f:live")
    assert "AUTO_REDRIVE_FUNCTION is in eu-west-1, but AWS_REGION is us-east-1" in invoke()
