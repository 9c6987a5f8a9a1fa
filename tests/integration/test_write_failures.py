"""Every fault of the write, on the wire: attempts, delays, outcome, and what reports it.

`tests.integration.cases` has the expectations.
"""

from typing import Any

import pytest

from emulator.faults import USED_UP, Fault, aws_error, cancelled, stall, throttled, trickle
from mep.dlq.sources import read_dead_letter
from tests.integration.cases import CANCELED, CASES, DELAYS, RAISED, Case
from tests.integration.conftest import NewHarness
from tests.integration.harness import Harness, Services
from tests.support.dead_letters import from_on_failure
from tests.support.harness import same_json
from tests.support.invariants import REASONS, TRANSACTION
from tests.support.invocation import Invoked


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_write_that_keeps_failing(harness: Harness, case: Case) -> None:
    event = harness.event_for_a_row()
    before = harness.row(event)
    delays = DELAYS[case.category]
    harness.dynamodb.script(*[case.fault] * 20, operation="TransactWriteItems")

    invoked = harness(event)

    tokens = harness.tokens()
    assert len(tokens) == len(delays) + 1
    assert len(set(tokens)) == 1
    assert invoked.waits == delays
    check_failure(harness, invoked, event, case.category, case.code)
    assert (harness.row(event), harness.audit(event)) == (before, [])


def check_failure(harness: Harness, invoked: Invoked, event: dict[str, Any], category: str, error_code: str) -> None:
    """Check what reports a failed write; `check_invocation` has checked the rest."""
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
    waits = invoked.log_lines("retry_backoff")
    assert {wait["level"] for wait in waits} <= {"WARN"}
    assert {wait["error_category"] for wait in waits} <= {category}
    for call in invoked.calls(TRANSACTION):
        if error_code != "AuditEntryExists":  # a failed condition is no error of the call
            assert (call["status"], call["attributes"]["error_category"]) == ("ERROR", category)
            assert call["attributes"]["error.type"] == error_code
    assert root["attributes"]["outcome"] == outcome
    check_security(invoked, denied=category == "access_denied")
    check_destination(harness, invoked, event, category, error_code)


def check_security(invoked: Invoked, *, denied: bool) -> None:
    security = [line for line in invoked.logs if line.get("security")]
    assert [(line["level"], line["event_type"]) for line in security] == [("ERROR", "access_denied")] * denied
    assert invoked.metric_line.get("SecurityErrors", 0) == denied


def check_destination(
    harness: Harness, invoked: Invoked, event: dict[str, Any], category: str, error_code: str
) -> None:
    correlation_id = event["detail"]["correlation_id"]
    if category in RAISED:
        why = f" ({'; '.join(reasons)})" if (reasons := invoked.outcome_line.get("throttling_reasons")) else ""
        assert str(invoked.error) == f"category={category} correlation_id={correlation_id} : {error_code}{why}"
        assert harness.dead_letters(invoked) == []
        return
    (dead_letter,) = harness.dead_letters(invoked)
    assert same_json(dead_letter.body, event)
    assert dead_letter.message_id == invoked.outcome_line["dead_letter_id"]
    reasons = invoked.outcome_line.get("throttling_reasons")
    assert dead_letter.attributes == {
        "ERROR_CODE": category,
        "ERROR_MESSAGE": f"DynamoDB refused the write: {error_code}",
        "CORRELATION_ID": correlation_id,
        "REQUEST_ID": invoked.request_id,
        "SOURCE": "handler",
        **({"THROTTLING_REASONS": "; ".join(reasons)} if reasons else {}),
    }


@pytest.mark.parametrize("case", [case for case in CASES if len(DELAYS[case.category]) > 1], ids=str)
def test_a_write_that_fails_once(harness: Harness, case: Case) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(case.fault, operation="TransactWriteItems")

    invoked = harness(event)

    assert invoked.answer == {"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]}
    assert invoked.waits == DELAYS[case.category][:1]
    metrics = invoked.metric_line
    assert (metrics["Operations"], metrics["Retries"], metrics["RetrySuccesses"]) == (1, 1, 1)
    assert invoked.root["status"] == "UNSET"
    assert len(harness.audit(event)) == 1
    check_security(invoked, denied=False)


@pytest.mark.parametrize(
    ("fault", "item", "reason"),
    [
        (throttled(), None, USED_UP),
        (aws_error("ThrottlingException", extra_body={"throttlingReasons": [{"reason": "R"}]}), None, "R"),
        (cancelled("ThrottlingError", "None"), 0, "ThrottlingError"),
        (cancelled("None", "ProvisionedThroughputExceeded"), 1, "ProvisionedThroughputExceeded"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_why_dynamodb_throttles(harness: Harness, fault: Fault, item: int | None, reason: str) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[fault] * 20, operation="TransactWriteItems")

    invoked = harness(event)

    tables = (harness.services.tables.calendar_table, harness.services.tables.audit_table)
    shown = reason if item is None else f"{reason} {tables[item]}"
    assert invoked.outcome_line["throttling_reasons"] == [shown]
    assert str(invoked.error).endswith(f" ({shown})")
    assert [line["throttling_reasons"] for line in invoked.log_lines("retry_backoff")] == [[shown]] * len(invoked.waits)
    assert [call["attributes"][REASONS] for call in invoked.calls(TRANSACTION)] == [[shown]] * len(harness.tokens())
    record, attributes = from_on_failure(
        event, {"errorType": type(invoked.error).__name__, "errorMessage": str(invoked.error)}
    )
    assert read_dead_letter("m-1", record, attributes).throttling_reasons == (shown,)


def test_no_response_before_the_read_timeout(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_READ_TIMEOUT_SECONDS="0.2")
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[stall()] * 20, operation="TransactWriteItems")

    invoked = harness(event)

    assert invoked.waits == DELAYS["network"]
    assert len(harness.tokens()) == 3
    check_failure(harness, invoked, event, "network", "ReadTimeoutError")


def test_nobody_listens(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:1")
    event = harness.event_for_a_row()

    invoked = harness(event)

    assert invoked.waits == DELAYS["network"]
    check_failure(harness, invoked, event, "network", "EndpointConnectionError")


@pytest.mark.usefixtures("no_names")
def test_no_such_host(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_ENDPOINT_URL_DYNAMODB="http://dynamodb.invalid:80")
    event = harness.event_for_a_row()

    invoked = harness(event)

    assert invoked.waits == DELAYS["network"]
    check_failure(harness, invoked, event, "network", "EndpointConnectionError")


def test_a_slow_response(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(trickle(0.001))

    invoked = harness(event)

    assert invoked.outcome_line["outcome"] == "marked"
    assert len(harness.tokens()) == 1


@pytest.mark.parametrize("table", ["EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE"])
def test_a_missing_table(new_harness: NewHarness, table: str) -> None:
    harness = new_harness(**{table: "no-such-table"})
    event = harness.event_for_a_row()

    invoked = harness(event)

    assert len(harness.tokens()) == 1
    check_failure(harness, invoked, event, "configuration", "ResourceNotFoundException")
    assert invoked.answer is not None
    assert invoked.answer["outcome"] == "dead_lettered"


def test_a_table_with_another_key(new_harness: NewHarness, services: Services) -> None:
    table = f"{services.tables.audit_table}-with-another-key"
    services.tables.client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "another", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "another", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    harness = new_harness(EARNINGS_AUDIT_TABLE=table)
    event = harness.event_for_a_row()

    invoked = harness(event)
    services.tables.client.delete_table(TableName=table)

    assert len(harness.tokens()) == 1
    check_failure(harness, invoked, event, "configuration", invoked.outcome_line["error_code"])
    assert invoked.outcome_line["error_code"] in {"ValidationException", CANCELED}


def test_no_credentials(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    event = harness.event_for_a_row()

    invoked = harness(event)

    assert harness.tokens() == []
    line = invoked.outcome_line
    assert (line["outcome"], line["error_category"], line["error_code"]) == (
        "retry",  # the queue cannot be reached without them either
        "access_denied",
        "NoCredentialsError",
    )
    assert line["dead_letter_error"] == "access_denied: NoCredentialsError"
    check_security(invoked, denied=True)
