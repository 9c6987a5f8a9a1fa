"""Every way in which the write can fail, on the wire: attempts, delays, outcome, and what is told of it.

Each fault comes as often as the function asks. Waits take no time and no jitter lengthens them, so that the delays of a
category are these, for the 30 s that an invocation has:
"""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.conftest import NewRig
from tests.integration.consistency import TRANSACTION
from tests.integration.rig import Rig, Services, event_for_no_row
from tests.support.faults import (
    Fault,
    Reply,
    answer,
    aws_error,
    cancelled,
    garbage_ok,
    hang_up,
    http_status,
    reset_before,
    stall,
    throttled,
    trickle,
)
from tests.support.function import Invoked, same_json

DELAYS: dict[str, list[float]] = {
    "throttling": [1, 2, 4, 8],  # 16 s more would leave no time for an attempt (4 s) and the end (2 s)
    "conflict": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
    "network": [0.1, 0.2],
    "dynamodb": [0.1, 0.2],
    "access_denied": [],
    "configuration": [],
    "internal": [],
}
RAISED = {"throttling", "conflict", "network", "dynamodb", "internal"}
"""Categories that more tries may help; events of the others go to the dead-letter queue."""

EMPTY = Reply(500, b"")
UNREADABLE = Reply(400, b'{"message": "no code"}', {"Content-Type": "application/x-amz-json-1.0"})
CANCELED = "TransactionCanceledException"


@dataclass(frozen=True)
class Case:
    """One fault and what it is taken for.

    Attributes:
        fault: it.
        category: of the error.
        code: what is told beside the category.
    """

    fault: Fault
    category: str
    code: str

    def __str__(self) -> str:
        return f"{self.fault.name}-{self.category}"


def code(name: str, category: str, status: int = 400) -> Case:
    return Case(aws_error(name, status), category, name)


def reasons(category: str, *of_items: str, code: str = CANCELED) -> Case:
    fault = cancelled(*of_items)
    return Case(Fault("+".join(of_items), fault.act), category, code)


def page(status: int, category: str) -> Case:
    return Case(http_status(status, b"<html><h1>Sorry</h1></html>"), category, f"Http{status}")


CASES = [
    code("ProvisionedThroughputExceededException", "throttling"),
    code("ThrottlingException", "throttling"),
    code("RequestLimitExceeded", "throttling"),
    code("LimitExceededException", "throttling"),
    page(429, "throttling"),
    reasons("throttling", "ThrottlingError", "None"),
    reasons("throttling", "None", "ProvisionedThroughputExceeded"),
    reasons("throttling", "TransactionConflict", "ThrottlingError"),
    reasons("conflict", "TransactionConflict", "None"),
    reasons("conflict", "None", "TransactionConflict"),
    code("TransactionConflictException", "conflict"),
    code("TransactionInProgressException", "conflict"),
    code("InternalServerError", "dynamodb", 500),
    code("ServiceUnavailable", "dynamodb", 503),
    code("AnErrorOfNextYear", "dynamodb", 500),
    page(502, "dynamodb"),
    page(503, "dynamodb"),
    Case(answer(EMPTY, name="empty_500"), "dynamodb", "Http500"),
    Case(garbage_ok(), "dynamodb", "UnreadableReply"),
    Case(answer(Reply(200, b"{}"), name="hollow_200"), "dynamodb", "UnreadableReply"),
    Case(answer(Reply(200, b""), name="empty_200"), "dynamodb", "UnreadableReply"),
    reasons("dynamodb", "None", "None"),
    Case(reset_before(), "network", "ConnectionClosedError"),
    Case(hang_up(), "network", "ConnectionClosedError"),
    code("AccessDeniedException", "access_denied"),
    code("UnrecognizedClientException", "access_denied"),
    code("ExpiredTokenException", "access_denied"),
    code("InvalidSignatureException", "access_denied"),
    page(403, "access_denied"),
    reasons("access_denied", "AccessDenied", "None"),
    reasons("access_denied", "KmsAccessDenied", "ThrottlingError"),
    code("ResourceNotFoundException", "configuration"),
    code("ValidationException", "configuration"),
    code("AnErrorOfNextYear", "configuration"),
    page(404, "configuration"),
    Case(http_status(400), "configuration", "Http400"),
    Case(answer(UNREADABLE, name="no_code"), "configuration", "Http400"),
    reasons("configuration", "ItemCollectionSizeLimitExceeded", "None"),
    reasons("configuration", "None", "ValidationError"),
    code("IdempotentParameterMismatchException", "internal"),
    reasons("internal", "None", "ConditionalCheckFailed", code="AuditEntryExists"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_write_that_keeps_failing(rig: Rig, case: Case) -> None:
    event = rig.event_for_a_row()
    before = rig.row(event)
    delays = DELAYS[case.category]
    rig.dynamodb.script(*[case.fault] * 20, operation="TransactWriteItems")

    invoked = rig(event)

    tokens = rig.tokens()
    assert len(tokens) == len(delays) + 1
    assert len(set(tokens)) == 1
    assert invoked.waits == delays
    check_failure(rig, invoked, event, case.category, case.code)
    assert (rig.row(event), rig.audit(event)) == (before, [])


def check_failure(rig: Rig, invoked: Invoked, event: dict[str, Any], category: str, error_code: str) -> None:
    """What is told of a failed write; `check_consistency` has looked at the rest."""
    outcome = "retry" if category in RAISED else "dead_lettered"
    line, metrics, root = invoked.outcome_line, invoked.metric_line, invoked.root
    assert (line["outcome"], line["error_category"], line["error_code"]) == (outcome, category, error_code)
    assert {name: line[name] for name in ("asset_symbol", "event_id")} == {
        "asset_symbol": event["detail"]["asset_symbol"],
        "event_id": event["detail"]["event_id"],
    }
    attempts = len(invoked.waits) + 1
    assert (line["attempts"], metrics["Operations"], metrics.get("Retries", 0)) == (attempts, 1, attempts - 1)
    assert metrics.get("RetrySuccesses", 0) == 0
    assert {each["level"] for each in invoked.logs if "delay_ms" in each} <= {"WARN"}
    assert {each.get("error_category") for each in invoked.logs if "delay_ms" in each} <= {category}
    for call in invoked.calls(TRANSACTION):
        if error_code != "AuditEntryExists":  # a condition's answer, for which the call is not to blame
            assert (call["status"], call["attributes"]["error_category"]) == ("ERROR", category)
            assert call["attributes"]["error.type"] == error_code
    assert root["attributes"]["outcome"] == outcome
    check_security(invoked, denied=category == "access_denied")
    check_where_it_went(rig, invoked, event, category, error_code)


def check_security(invoked: Invoked, *, denied: bool) -> None:
    security = [each for each in invoked.logs if each.get("security")]
    assert [(each["level"], each["message"]) for each in security] == [("ERROR", "access denied by AWS")] * denied
    assert invoked.metric_line.get("SecurityErrors", 0) == denied


def check_where_it_went(rig: Rig, invoked: Invoked, event: dict[str, Any], category: str, error_code: str) -> None:
    correlation_id = event["detail"]["correlation_id"]
    if category in RAISED:
        assert str(invoked.error) == f"category={category} correlation_id={correlation_id} : {error_code}"
        assert rig.letters(invoked) == []
        return
    (letter,) = rig.letters(invoked)
    assert same_json(letter.body, event)
    assert letter.message_id == invoked.outcome_line["dead_letter_id"]
    assert letter.attributes == {
        "ERROR_CODE": category,
        "ERROR_MESSAGE": f"DynamoDB refused the write: {error_code}",
        "CORRELATION_ID": correlation_id,
        "REQUEST_ID": invoked.request_id,
        "SOURCE": "handler",
    }


@pytest.mark.parametrize("case", [case for case in CASES if len(DELAYS[case.category]) > 1], ids=str)
def test_a_write_that_fails_once(rig: Rig, case: Case) -> None:
    event = rig.event_for_a_row()
    rig.dynamodb.script(case.fault, operation="TransactWriteItems")

    invoked = rig(event)

    assert invoked.answer == {"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]}
    assert invoked.waits == DELAYS[case.category][:1]
    metrics = invoked.metric_line
    assert (metrics["Operations"], metrics["Retries"], metrics["RetrySuccesses"]) == (1, 1, 1)
    assert invoked.root["status"] == "UNSET"
    assert len(rig.audit(event)) == 1
    check_security(invoked, denied=False)


def test_no_reply_within_the_time_for_one(new_rig: NewRig) -> None:
    rig = new_rig(AWS_READ_TIMEOUT_SECONDS="0.2")
    event = rig.event_for_a_row()
    rig.dynamodb.script(*[stall()] * 20, operation="TransactWriteItems")

    invoked = rig(event)

    assert invoked.waits == DELAYS["network"]
    assert len(rig.tokens()) == 3
    check_failure(rig, invoked, event, "network", "ReadTimeoutError")


def test_nobody_listens(new_rig: NewRig) -> None:
    rig = new_rig(AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:1")
    event = rig.event_for_a_row()

    invoked = rig(event)

    assert invoked.waits == DELAYS["network"]
    check_failure(rig, invoked, event, "network", "EndpointConnectionError")


def test_no_such_host(new_rig: NewRig) -> None:
    rig = new_rig(AWS_ENDPOINT_URL_DYNAMODB="http://dynamodb.invalid:80")
    event = rig.event_for_a_row()

    check_failure(rig, rig(event), event, "network", "EndpointConnectionError")


def test_a_reply_that_comes_slowly_but_comes(rig: Rig) -> None:
    event = rig.event_for_a_row()
    rig.dynamodb.script(trickle(0.001))

    invoked = rig(event)

    assert invoked.outcome_line["outcome"] == "marked"
    assert len(rig.tokens()) == 1


@pytest.mark.parametrize("table", ["EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE"])
def test_a_table_that_is_not_there(new_rig: NewRig, table: str) -> None:
    rig = new_rig(**{table: "no-such-table"})
    event = rig.event_for_a_row()

    invoked = rig(event)

    assert len(rig.tokens()) == 1
    check_failure(rig, invoked, event, "configuration", "ResourceNotFoundException")
    assert invoked.answer is not None
    assert invoked.answer["outcome"] == "dead_lettered"


def test_a_table_with_another_key(new_rig: NewRig, services: Services) -> None:
    rig = new_rig(EARNINGS_AUDIT_TABLE=services.tables.calendar_table)
    event = rig.event_for_a_row()

    invoked = rig(event)

    assert len(rig.tokens()) == 1
    check_failure(rig, invoked, event, "configuration", invoked.outcome_line["error_code"])
    assert invoked.outcome_line["error_code"] in {"ValidationException", CANCELED}


def test_no_credentials(new_rig: NewRig) -> None:
    rig = new_rig(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    event = rig.event_for_a_row()

    invoked = rig(event)

    assert rig.tokens() == []
    line = invoked.outcome_line
    assert (line["outcome"], line["error_category"], line["error_code"]) == (
        "retry",  # the queue cannot be reached without them either
        "access_denied",
        "NoCredentialsError",
    )
    assert line["dead_letter_error"] == "access_denied: NoCredentialsError"
    check_security(invoked, denied=True)


def test_the_longest_delay_is_30_seconds(rig: Rig) -> None:
    event = rig.event_for_a_row()
    rig.dynamodb.script(*[throttled()] * 50)

    invoked = rig(event, timeout=140)

    assert invoked.waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_jitter_only_lengthens_a_delay_and_at_most_doubles_it(new_rig: NewRig) -> None:
    rig = new_rig(jitter=None)
    rig.dynamodb.script(*[throttled()] * 1000)

    seen = [rig(rig.event_for_a_row(), timeout=20).waits for _ in range(10)]

    for waits in seen:
        assert all(step <= wait <= 2 * step for step, wait in zip((1, 2, 4, 8), waits, strict=False))
    assert len({wait for waits in seen for wait in waits}) > 10, "no two callers wait in step"


@pytest.mark.parametrize(
    ("timeout", "attempts", "category"),
    [
        (6.0, 0, "timeout"),  # an attempt may take 4 s, the end of the invocation 2 s
        (6.1, 1, "throttling"),
        (7.0, 1, "throttling"),
        (7.1, 2, "throttling"),
        (9.1, 3, "throttling"),
    ],
)
def test_the_deadline_decides_how_often(rig: Rig, timeout: float, attempts: int, category: str) -> None:
    event = rig.event_for_a_row()
    rig.dynamodb.script(*[throttled()] * 10)

    invoked = rig(event, timeout=timeout)

    assert len(rig.tokens()) == attempts
    line = invoked.outcome_line
    assert (line["outcome"], line["error_category"], line["attempts"]) == ("retry", category, attempts)
    assert rig.letters(invoked) == []


def test_categories_take_turns_each_with_attempts_of_its_own(rig: Rig) -> None:
    event = rig.event_for_a_row()
    server, conflict = aws_error("InternalServerError", 500), cancelled("TransactionConflict", "None")
    rig.dynamodb.script(server, reset_before(), throttled(), conflict, server, reset_before(), conflict)

    invoked = rig(event)

    assert invoked.outcome_line["outcome"] == "marked"
    assert invoked.waits == [0.1, 0.1, 1, 0.05, 0.2, 0.2, 0.1]
    told = [event["attributes"]["error_category"] for event in invoked.root["events"]]
    assert told == ["dynamodb", "network", "throttling", "conflict", "dynamodb", "network", "conflict"]


def test_a_permanent_error_after_transient_ones_ends_it(rig: Rig) -> None:
    event = rig.event_for_a_row()
    rig.dynamodb.script(throttled(), reset_before(), aws_error("AccessDeniedException"))

    invoked = rig(event)

    assert len(rig.tokens()) == 3
    assert invoked.waits == [1, 0.1]
    line = invoked.outcome_line
    assert (line["outcome"], line["error_code"], line["attempts"]) == ("dead_lettered", "AccessDeniedException", 3)
    check_where_it_went(rig, invoked, event, "access_denied", "AccessDeniedException")
    check_security(invoked, denied=True)


def test_the_row_may_vanish_between_attempts(rig: Rig) -> None:
    event = event_for_no_row()
    rig.dynamodb.script(throttled())

    invoked = rig(event)

    assert len(rig.tokens()) == 2
    assert invoked.outcome_line["error_category"] == "not_found"
    assert len(rig.letters(invoked)) == 1
