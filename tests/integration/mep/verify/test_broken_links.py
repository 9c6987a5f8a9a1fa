"""`mep verify --full`: each link of the round trip can break, and has a check that names it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from emulator.faults import Reply, answer
from mep.errors import ExitStatus
from mep.verify.account import Account
from mep.verify.engine import verify
from mep.verify.results import ROUND_TRIP_CHECKS, CheckName
from tests.integration.mep.verify.conftest import ABSENT, PRESENT, SYMBOL, Endpoint, Verify, statuses, text
from tests.integration.mep.verify.deployed import DeployedAccount
from tests.integration.mep.verify.helpers import (
    AFTER_DELIVERY,
    DENIED,
    TELEMETRY,
    actions,
    assert_clean,
    at,
    failing,
    marks,
    not_reached,
    put_message,
)
from tests.support.aws_account import ok
from tests.support.stores import Tables


def _disabled(account: DeployedAccount) -> None:
    account.bus.rule.state = "DISABLED"


def _wrong_target(account: DeployedAccount) -> None:
    account.bus.rule.target = "arn:aws:lambda:eu-central-1:123456789012:function:another:live"


def _without_alias(account: DeployedAccount) -> None:
    account.bus.rule.target = account.bus.rule.target.removesuffix(":live")


def _another_source(account: DeployedAccount) -> None:
    account.bus.rule.pattern = {"source": ["another"]}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_disabled, "no enabled rule that invokes"),
        (_wrong_target, "function:another:live, not mark-earnings-processed-prod:live"),
        (_without_alias, "function:mark-earnings-processed-prod, not mark-earnings-processed-prod:live"),
        (_another_source, "no enabled rule of bus earnings-prod matches"),
    ],
)
def test_a_rule_that_does_not_deliver(
    run: Verify, account: DeployedAccount, tables: Tables, fault: Callable[[DeployedAccount], None], words: str
) -> None:
    fault(account)

    report = run(full=True)

    later = {name.value for name in ROUND_TRIP_CHECKS} - {"reserved_rows", "rule", "clean_up"}
    assert statuses(report) == {"rule": "fail", **dict.fromkeys(later, "not_available")}
    assert not_reached(report) == later
    assert words in text(report, CheckName.RULE)
    assert report.exit_status is ExitStatus.FAILED
    assert account.bus.entries == []
    assert_clean(report, account, tables)


def test_other_targets_of_the_bus_are_named(run: Verify, account: DeployedAccount) -> None:
    account.bus.rule.others = ("arn:aws:sqs:eu-central-1:123456789012:another-team",)

    assert "other targets, too: mark (sqs another-team)" in text(run(full=True), CheckName.RULE)


def test_an_event_that_does_not_arrive(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    account.bus.delivers = False

    report = run(full=True)

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"delivery", "clean_up"}
    assert not_reached(report) == AFTER_DELIVERY | TELEMETRY
    assert report.round_trip is not None
    (left,) = report.round_trip.left
    assert "perhaps a dead letter of" in left.what
    assert f"dlq discard --correlation-id {report.round_trip.events[0]} --queue-url http" in left.command
    assert_clean(report, account, tables)


def test_an_event_that_the_bus_refuses(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    refused = [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}]
    account.replies["PutEvents"] = ok(FailedEntryCount=1, Entries=refused)

    report = run(full=True)

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"delivery"}
    assert "InternalFailure" in text(report, CheckName.DELIVERY)
    assert_clean(report, account, tables)


def test_a_function_that_fails_behind_the_bus(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    account.bus.invoke = failing(1, account)

    report = run(full=True)

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"delivery"}
    assert actions(tables, PRESENT) == ["verify", "verify", "discard_requested", "discarded"]
    assert_clean(report, account, tables)


def test_a_row_that_is_marked_without_its_entry(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    def duplicate() -> None:
        (entry,) = [entry for entry in tables.audit(SYMBOL, PRESENT) if entry["action"] == "mark_processed"]
        item = {name: {"S": str(value)} for name, value in {**entry, "entry_id": "twice"}.items()}
        tables.client.put_item(TableName=tables.audit_table, Item=cast("Any", item))

    report = run(full=True, on_check=at(CheckName.DELIVERY_ENTRY, duplicate))

    assert statuses(report) == {"delivery_entry": "fail"}
    assert "has 2 entries mark_processed" in text(report, CheckName.DELIVERY_ENTRY)


@pytest.mark.parametrize(("source", "check"), [("logs", "log"), ("metrics", "metrics"), ("traces", "trace")])
def test_telemetry_that_is_missing(run: Verify, account: DeployedAccount, source: str, check: str) -> None:
    def forget() -> None:
        account.telemetry.remove(source)
        account.forget_metrics()

    report = run(full=True, on_check=at(CheckName.RESERVED_ROWS, forget))

    assert statuses(report) == {f"delivery_{check}": "fail"}
    assert "after 10 s" in text(report, CheckName(f"delivery_{check}"))


def test_a_queue_that_is_not_there_gets_no_dead_letter(
    verified: Account, account: DeployedAccount, tables: Tables
) -> None:
    report = verify(replace(verified, target=replace(verified.target, queue="not-there")), full=True)

    assert statuses(report) == {
        **dict.fromkeys(("dead_letter", "redrive", "redriven", "queue"), "not_available"),
    }
    assert not_reached(report) == {"redrive", "redriven", "queue"}
    assert report.exit_status is ExitStatus.UNAVAILABLE
    assert len(account.bus.entries) == 1
    assert_clean(report, account, tables)


def test_a_queue_that_cannot_be_read(run: Verify, account: DeployedAccount, endpoint: Endpoint) -> None:
    assert endpoint.sqs_proxy is not None
    body = {"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "not authorized"}
    denied = Reply(400, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.0"})
    endpoint.sqs_proxy.script(*[answer(denied)], operation="ReceiveMessage")

    report = run(full=True)

    (check,) = [check for check in report.checks if check.name is CheckName.DEAD_LETTER]
    assert (check.status, check.reason) == ("not_available", "access_denied")
    assert len(account.bus.entries) == 1
    assert report.exit_status is ExitStatus.UNAVAILABLE


def test_a_dead_letter_that_does_not_come(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    report = run(full=True, on_check=at(CheckName.DEAD_LETTER, lambda: setattr(account.bus, "delivers", False)))

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"dead_letter", "clean_up"}
    assert not_reached(report) == {"redrive", "redriven", "queue"}
    assert report.round_trip is not None
    assert [report.round_trip.events[1] in left.command for left in report.round_trip.left] == [True]
    assert marks(tables)[ABSENT] == report.round_trip.events[1], "a late delivery is a duplicate"
    assert_clean(report, account, tables)


def test_a_dead_letter_of_another_cause(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    account.bus.invoke = failing(2, account)

    report = run(full=True)

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"dead_letter"}
    assert "wrong: SOURCE, ERROR_CODE" in text(report, CheckName.DEAD_LETTER)
    assert "by on_failure" in text(report, CheckName.DEAD_LETTER)
    assert_clean(report, account, tables)


def test_a_redrive_that_the_bus_would_drop(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    report = run(full=True, on_check=at(CheckName.REDRIVE, lambda: _disabled(account)))

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"redrive"}
    assert "no enabled rule" in text(report, CheckName.REDRIVE)
    assert actions(tables, ABSENT)[-2:] == ["discard_requested", "discarded"]
    assert_clean(report, account, tables)


def test_a_redriven_event_that_fails_again(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    account.bus.invoke = failing(2, account, redriven=True)

    report = run(full=True)

    assert {name for name, status in statuses(report).items() if status == "fail"} == {"redriven"}
    assert_clean(report, account, tables)


def test_a_dead_letter_that_comes_back(
    run: Verify, account: DeployedAccount, endpoint: Endpoint, tables: Tables
) -> None:
    """The redriven event is processed, and still comes back: EventBridge may deliver it twice."""

    def send() -> None:
        body = json.dumps({"detail": json.loads(account.bus.entries[-1]["Detail"])})
        put_message(account, endpoint, body, RULE_ARN="arn", ERROR_CODE="NO_PERMISSIONS")

    report = run(full=True, on_check=at(CheckName.QUEUE, send))

    assert statuses(report) == {"queue": "fail"}
    assert "access_denied by rule, NO_PERMISSIONS" in text(report, CheckName.QUEUE)
    assert_clean(report, account, tables)


# --- what cannot be asked


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("ListRules", CheckName.RULE),
        ("PutEvents", CheckName.DELIVERY),
        ("SetAlarmState", CheckName.NOTIFICATION),
        ("DescribeAlarmHistory", CheckName.NOTIFICATION),
    ],
)
def test_denied_access_is_not_available(
    run: Verify, account: DeployedAccount, tables: Tables, operation: str, name: CheckName
) -> None:
    account.replies[operation] = DENIED

    report = run(full=True)

    (check,) = [check for check in report.checks if check.name is name]
    assert (check.status, check.reason) == ("not_available", "access_denied")
    assert set(statuses(report).values()) <= {"not_available", "fail"}
    assert report.exit_status is not ExitStatus.DONE
    assert_clean(report, account, tables)


def test_rows_that_may_not_be_written(
    run: Verify, account: DeployedAccount, clients: dict[str, Any], tables: Tables
) -> None:
    account.replies["TransactWriteItems"] = DENIED

    report = run(full=True, on_check=at(CheckName.RESERVED_ROWS, lambda: clients.pop("dynamodb")))

    (check,) = [check for check in report.checks if check.name is CheckName.RESERVED_ROWS]
    assert (check.status, check.reason) == ("not_available", "access_denied")
    assert account.bus.entries == []
    assert marks(tables) == {}
