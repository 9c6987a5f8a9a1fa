"""`mep verify --full`: the whole round trip with the real function, tables and queue; each link can break."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emulator.faults import Reply, answer
from mep.calendar.check import Checker
from mep.calendar.model import Scope
from mep.calendar.tables import TableReader
from mep.errors import ExitStatus
from mep.verify.account import Account
from mep.verify.engine import verify
from mep.verify.results import ROUND_TRIP_CHECKS, CheckName, Report
from monitoring.round_trip import RUN
from tests.integration.mep.verify.conftest import ABSENT, PRESENT, SYMBOL, Endpoint, Verify, statuses, text
from tests.integration.mep.verify.deployed import NAME, TOPIC, DeployedAccount
from tests.support.aws_account import error, ok
from tests.support.invocation import Invoked
from tests.support.stores import Tables
from tests.support.thorough import some
from tests.support.verify_calls import OPERATIONS

DENIED = error("AccessDeniedException", "not authorized")
ALARM = f"{NAME}-prod-dlq-age"
AFTER_DELIVERY = {"delivery_entry", "dead_letter", "redrive", "redriven", "queue", "notification"}
TELEMETRY = {"delivery_log", "delivery_metrics", "delivery_trace"}


def at(name: CheckName, act: Callable[[], object]) -> Callable[[CheckName], None]:
    """Return what does something just before a check."""

    def on_check(check: CheckName) -> None:
        if check is name:
            act()

    return on_check


def not_reached(report: Report) -> set[str]:
    """Return the checks that were not made."""
    return {check.name.value for check in report.checks if check.reason == "incomplete"}


def marks(tables: Tables) -> dict[str, str | None]:
    """Return by which event each row of the round trip is marked."""
    rows = {date: tables.row(SYMBOL, date) for date in (PRESENT, ABSENT)}
    return {date: row["processed_by_event"] if row["is_processed"] else "" for date, row in rows.items() if row}


def actions(tables: Tables, date: str) -> list[str]:
    return [entry["action"] for entry in tables.audit(SYMBOL, date)]


def put_message(account: DeployedAccount, endpoint: Endpoint, body: str, **attributes: str) -> None:
    """Put a message into the dead-letter queue."""
    endpoint.sqs.send_message(
        QueueUrl=account.harness.services.queue.queue_url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


def assert_clean(report: Report, account: DeployedAccount, tables: Tables) -> None:
    """Check that no row is open, and that the queue has no dead letter of the round trip."""
    assert report.round_trip is not None
    assert "" not in marks(tables).values()
    assert account.harness.services.queue.drain() == []


def failing(event_number: int, account: DeployedAccount, *, redriven: bool = False) -> Callable[[Any, str], Invoked]:
    """Return a function that raises for one event, or for its redrive, as Lambda calls it."""
    invoke = account.bus.invoke

    def fail(event: Any, header: str) -> Invoked:
        detail = event["detail"]
        if detail["event_id"].endswith(f"-{event_number}") and ("redrive_count" in detail) is redriven:
            return cast("Invoked", SimpleNamespace(error=RuntimeError("category=internal : KeyError"), answer=None))
        return invoke(event, header)

    return fail


def test_a_round_trip_passes(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    reports = [run(full=True) for _ in range(2)]

    for report in reports:
        assert statuses(report) == {}, {check.name: check.text for check in report.checks if not check.passed}
        assert [check.name for check in report.checks] == list(CheckName)
        assert report.exit_status is ExitStatus.DONE
        assert report.round_trip is not None
        assert (report.round_trip.left, report.round_trip.interrupted) == ((), False)
    last = reports[-1].round_trip
    assert last is not None
    assert last.events == (f"{reports[-1].correlation_id}-1", f"{reports[-1].correlation_id}-2")
    assert last.alarms == (ALARM, f"{NAME}-prod-dead-letters")
    assert marks(tables) == {PRESENT: last.events[0], ABSENT: last.events[1]}
    assert actions(tables, PRESENT) == ["verify", "mark_processed"] * 2
    assert sorted(actions(tables, ABSENT)) == sorted(
        ["verify", "verify", "redrive_requested", "redriven", "mark_processed"] * 2
    )
    assert {entry["operator"] for entry in tables.audit(SYMBOL, PRESENT) if entry["action"] == "verify"} == {"someone"}
    assert [entry["Detail"].count("redrive_count") for entry in account.bus.entries] == [0, 0, 1] * 2
    assert account.bus.entries[0]["TraceHeader"].endswith(";Sampled=1")
    assert account.harness.services.queue.drain() == []


def test_a_round_trip_makes_the_calls_that_its_role_allows(verified: Account) -> None:
    made: set[tuple[str, str]] = set()
    clients = {service: verified.client(service) for service in OPERATIONS}

    def record(model: Any, **_: object) -> None:
        made.add((model.service_model.service_name, model.name))

    for client in clients.values():
        client.meta.events.register("before-call", record, unique_id="record")
    try:
        assert statuses(verify(verified, full=True)) == {}
    finally:
        for client in clients.values():
            client.meta.events.unregister("before-call", record, unique_id="record")

    releases = {("sqs", "ChangeMessageVisibilityBatch")}  # of messages that others left
    assert made - releases == {(service, each) for service, operations in OPERATIONS.items() for each in operations}


def test_other_dead_letters_stay_as_they_are(run: Verify, account: DeployedAccount, endpoint: Endpoint) -> None:
    put_message(account, endpoint, "{}")

    report = run(full=True)

    assert statuses(report) == {}
    assert "is as before: 1 messages" in text(report, CheckName.QUEUE)
    assert [message.body for message in account.harness.services.queue.drain()] == ["{}"]


def test_the_reserved_rows_are_no_findings_of_the_calendars_check(run: Verify, tables: Tables) -> None:
    findings = []

    def check() -> None:
        reader = TableReader(tables.client, tables.calendar_table, tables.audit_table, rate=1000)
        result = Checker(reader, Scope(None, None, SYMBOL), timedelta()).run()
        findings.append([finding.kind.value for finding in result.findings])

    for _ in range(2):  # the second time, the open row has a mark in the audit table already
        run(full=True, on_check=at(CheckName.DELIVERY, check))
    check()

    assert findings == [[], [], []]


# --- each link


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
    report = verify(replace(verified, target=replace(verified.target, queue="another")), full=True)

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
    """The redriven event is processed, and comes back all the same: EventBridge may deliver it twice."""

    def send() -> None:
        body = json.dumps({"detail": json.loads(account.bus.entries[-1]["Detail"])})
        put_message(account, endpoint, body, RULE_ARN="arn", ERROR_CODE="NO_PERMISSIONS")

    report = run(full=True, on_check=at(CheckName.QUEUE, send))

    assert statuses(report) == {"queue": "fail"}
    assert "access_denied by rule, NO_PERMISSIONS" in text(report, CheckName.QUEUE)
    assert_clean(report, account, tables)


# --- the alarm


def _no_alarm(account: DeployedAccount) -> None:
    account.alarms = [alarm for alarm in account.alarms if alarm["AlarmName"] != ALARM]


def _change(account: DeployedAccount, **members: object) -> None:
    next(alarm for alarm in account.alarms if alarm["AlarmName"] == ALARM).update(members)


def _no_action(account: DeployedAccount) -> None:
    _change(account, AlarmActions=[])


def _disabled_actions(account: DeployedAccount) -> None:
    _change(account, ActionsEnabled=False)


def _in_alarm(account: DeployedAccount) -> None:
    _change(account, StateValue="ALARM")


def _refused(account: DeployedAccount) -> None:
    account.notifies = "Failed"


def _silent(account: DeployedAccount) -> None:
    account.notifies = ""


def _another_topic(account: DeployedAccount) -> None:
    _change(account, AlarmActions=[TOPIC, f"{TOPIC}-2"])
    account.executed = (TOPIC,)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_no_alarm, "there is no alarm"),
        (_no_action, "has no action"),
        (_disabled_actions, "has no action, or its actions are disabled"),
        (_in_alarm, "is in ALARM already"),
        (_refused, f"Failed to execute action {TOPIC.replace('-page', '-prod-ticket')}"),
        (_silent, "has no notification of"),
        (_another_topic, "has no notification of"),
    ],
)
def test_an_alarm_that_notifies_nobody(
    run: Verify, account: DeployedAccount, fault: Callable[[DeployedAccount], None], words: str
) -> None:
    account.history = [{"AlarmName": ALARM, "HistoryItemType": "Action", "HistorySummary": "an old one"}]

    report = run(full=True, on_check=at(CheckName.NOTIFICATION, lambda: fault(account)))

    assert statuses(report) == {"notification": "fail"}
    assert words in text(report, CheckName.NOTIFICATION)
    assert report.exit_status is ExitStatus.FAILED


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


def test_rows_that_cannot_be_closed_are_named(
    run: Verify, account: DeployedAccount, clients: dict[str, Any], tables: Tables
) -> None:
    _disabled(account)
    account.replies["TransactWriteItems"] = DENIED

    report = run(full=True, on_check=at(CheckName.CLEAN_UP, lambda: clients.pop("dynamodb")))

    assert report.round_trip is not None
    (left,) = report.round_trip.left
    assert f"{SYMBOL} on {PRESENT} in the calendar without a mark" in left.what
    key = json.dumps({"asset_symbol": {"S": SYMBOL}, "earnings_date": {"S": PRESENT}})
    assert left.command.startswith(
        f"aws dynamodb delete-item --region eu-central-1 --table-name {tables.calendar_table}"
    )
    assert left.command.endswith(f"--key '{key}'")
    assert statuses(report)["clean_up"] == "fail"
    assert marks(tables) == {PRESENT: ""}


# --- other runs


def test_another_run_is_not_disturbed(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    others = {RUN: "another-run", "updated_at": "2999-01-01T00:00:00.000000Z"}
    tables.put_row(SYMBOL, PRESENT, **others)

    report = run(full=True)

    assert statuses(report)["reserved_rows"] == "fail"
    assert "another-run" in text(report, CheckName.RESERVED_ROWS)
    assert account.bus.entries == []
    row = tables.row(SYMBOL, PRESENT)
    assert row is not None
    assert (row[RUN], row["is_processed"]) == ("another-run", False)


def test_what_a_killed_run_has_left_is_cleaned_up(
    run: Verify, account: DeployedAccount, endpoint: Endpoint, tables: Tables
) -> None:
    tables.put_row(SYMBOL, PRESENT, **{RUN: "killed", "updated_at": "2020-01-01T00:00:00.000000Z"})
    tables.put_row(SYMBOL, ABSENT, **{RUN: "killed"})
    event = {"detail": {"asset_symbol": SYMBOL, "earnings_date": ABSENT, "event_id": "killed-2"}}
    attributes = {"SOURCE": "handler", "ERROR_CODE": "not_found", "CORRELATION_ID": "killed-2"}
    put_message(account, endpoint, json.dumps(event), **attributes)

    report = run(full=True)

    assert statuses(report) == {}
    assert {entry["event_id"] for entry in tables.audit(SYMBOL, ABSENT) if entry["action"] == "discarded"} == {
        "killed-2"
    }
    assert_clean(report, account, tables)


# --- interruptions


@pytest.mark.parametrize("name", some(ROUND_TRIP_CHECKS, of=3))
def test_an_interruption_before_a_check(run: Verify, account: DeployedAccount, tables: Tables, name: CheckName) -> None:
    pressed: list[CheckName] = []

    def press() -> None:
        if not pressed:
            pressed.append(name)
            raise KeyboardInterrupt

    report = run(full=True, on_check=at(name, press))

    assert report.round_trip is not None
    assert report.round_trip.interrupted
    assert report.round_trip.left == ()
    assert statuses(report).get("clean_up") is None
    if name is not CheckName.CLEAN_UP:
        assert text(report, name) == "not reached: interrupted"
    assert_clean(report, account, tables)


WRITES = {
    "dynamodb": {"TransactWriteItems", "PutItem"},
    "sqs": {"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibilityBatch"},
    "events": {"PutEvents"},
    "cloudwatch": {"SetAlarmState"},
}


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_an_interruption_at_each_write(
    run: Verify, account: DeployedAccount, tables: Tables, clients: dict[str, Any], endpoint: Endpoint, moment: str
) -> None:
    """At each write of a run in turn: before it takes effect, and after it, when its answer is lost."""
    calls = 0
    pressed_at = -1

    def press(model: Any, **_: object) -> None:
        nonlocal calls
        if model.name in WRITES.get(model.service_model.service_name, ()):
            calls += 1
            if calls == pressed_at:
                raise KeyboardInterrupt

    run()  # puts the row of the probe
    watched = [*clients.values(), endpoint.client("events"), endpoint.client("cloudwatch")]
    for client in watched:
        client.meta.events.register(moment, press, unique_id="press")
    try:
        baseline = run(full=True)
        assert statuses(baseline) == {}
        total = calls
        for number in some(range(1, total + 1), of=4, start=int(moment == "after-call")):
            calls, pressed_at = 0, number
            report = run(full=True)
            assert report.round_trip is not None
            assert report.round_trip.interrupted, number
            named = {
                left.command.partition("--correlation-id ")[2].partition(" ")[0] for left in report.round_trip.left
            }
            assert named <= {*report.round_trip.events}, number
            assert_clean(report, account, tables)
    finally:
        for client in watched:
            client.meta.events.unregister(moment, press, unique_id="press")
