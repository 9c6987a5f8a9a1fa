"""Every check of `mep verify`: it passes with the real function, and there is a fault at which it fails."""

import json
from collections.abc import Callable

import pytest

from mep.errors import ExitStatus
from mep.verify.results import PLAIN_CHECKS, CheckName
from monitoring.model import Level
from monitoring.names import StackNames
from tests.integration.mep.verify.conftest import DATE, EVENT, SYMBOL, Reads, Verify, statuses, text
from tests.integration.mep.verify.deployed import NAME, DeployedAccount
from tests.support.aws_account import Reply, error, ok
from tests.support.stores import Tables

DENIED = error("AccessDeniedException", "not authorized")
SNS_DENIED = Reply(
    403, b"<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>"
)


def test_a_working_function_passes_and_writes_nothing(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    dead_letters_before = len(account.harness.sqs.requests)
    first = run()
    row, entries = tables.row(SYMBOL, DATE), tables.audit(SYMBOL, DATE)
    second = run()

    assert (statuses(first), statuses(second)) == ({}, {})
    assert [check.name for check in first.checks] == list(PLAIN_CHECKS)
    assert [first.row_written, second.row_written] == [True, False]
    assert first.exit_status is second.exit_status is ExitStatus.DONE
    assert "was missing, and was put" in text(first, CheckName.ROW)
    assert (tables.row(SYMBOL, DATE), tables.audit(SYMBOL, DATE)) == (row, entries)
    assert row is not None
    assert (row["is_processed"], row["processed_by_event"]) == (True, EVENT)
    assert [(entry["action"], entry["operator"]) for entry in entries] == [("verify", "someone")]
    invocations = [call for call in account.calls if call.operation == "Invoke"]
    assert all(call.trace_header.endswith(";Sampled=1") for call in invocations)
    assert first.correlation_id != second.correlation_id
    assert len(account.harness.sqs.requests) == dead_letters_before


def test_the_probe_is_what_no_alarm_is_about(run: Verify, account: DeployedAccount) -> None:
    metrics: list[dict[str, float]] = []
    account.after = lambda invoked: metrics.append(
        {name: invoked.metric_line.get(name, 0) for name in ("Errors", "IdempotencyViolations", "EventsDuplicate")}
    )

    run()

    assert metrics == [{"Errors": 0, "IdempotencyViolations": 0, "EventsDuplicate": 1}]


@pytest.mark.parametrize("attributes", [{"is_processed": False}, {"is_processed": True, "processed_by_event": "other"}])
def test_a_row_that_the_probe_would_change_stops_it(
    run: Verify, account: DeployedAccount, tables: Tables, attributes: dict[str, object]
) -> None:
    tables.put_row(SYMBOL, DATE, **attributes)
    before = tables.row(SYMBOL, DATE)

    report = run()

    unknown = ("outcome", "unchanged", "log", "metrics", "trace")
    assert statuses(report) == {"row": "fail", "audit_entry": "fail", **dict.fromkeys(unknown, "not_available")}
    assert report.exit_status is ExitStatus.FAILED
    assert "Invoke" not in account.operations()
    assert tables.row(SYMBOL, DATE) == before


def test_a_table_that_is_missing_is_not_available(run: Verify, account: DeployedAccount) -> None:
    report = run(calendar_table="no-such-table")

    assert statuses(report)["row"] == "not_available"
    assert report.exit_status is ExitStatus.UNAVAILABLE
    assert "Invoke" not in account.operations()


def test_the_tables_are_read_once_before_the_probe_and_once_after_it(run: Verify, reads: Reads) -> None:
    run()
    reads.clear()

    run()

    assert reads == ["GetItem", "Query", "GetItem", "Query"]


def test_the_audit_entries_decide_nothing_without_the_row(run: Verify, reads: Reads) -> None:
    report = run(calendar_table="no-such-table")

    assert statuses(report)["audit_entry"] == "not_available"
    assert {check.reason for check in report.checks if check.name in {"row", "audit_entry"}} == {"not_found"}
    assert reads == ["GetItem"]


def test_an_entry_of_the_function_for_the_reserved_row_fails(run: Verify, tables: Tables) -> None:
    run()
    key = {"earnings_key": {"S": f"{SYMBOL}#{DATE}"}, "entry_id": {"S": "2026#x"}}
    tables.client.put_item(TableName=tables.audit_table, Item={**key, "action": {"S": "mark_processed"}})

    assert statuses(run()) == {"audit_entry": "fail"}


def test_another_outcome_fails(run: Verify) -> None:
    report = run(source="another.source")

    assert statuses(report) == {"outcome": "fail", "log": "fail", "metrics": "fail", "trace": "fail"}
    assert 'outcome "dead_lettered", error_category "validation"' in text(report, CheckName.OUTCOME)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (ok(errorType="Runtime.ExitError", errorMessage="exited"), "fail"),
        (ok(outcome="duplicate", same_event=True, correlation_id="another"), "fail"),
        (Reply(200, b"<html>"), "not_available"),
        (DENIED, "not_available"),
    ],
    ids=["raised", "another event", "no JSON", "denied"],
)
def test_an_answer_that_is_not_the_probes(run: Verify, account: DeployedAccount, reply: Reply, status: str) -> None:
    account.replies["Invoke"] = reply

    report = run()

    assert statuses(report)["outcome"] == status
    assert statuses(report)["log"] != "pass"
    assert report.exit_status is (ExitStatus.FAILED if status == "fail" else ExitStatus.UNAVAILABLE)


def test_a_function_that_writes_fails(run: Verify, account: DeployedAccount, tables: Tables) -> None:
    account.after = lambda _: tables.put_row(SYMBOL, DATE, is_processed=True, processed_by_event=EVENT, more="x")

    report = run()

    assert statuses(report) == {"unchanged": "fail"}
    assert "changed the row of" in text(report, CheckName.UNCHANGED)


@pytest.mark.parametrize(("source", "check"), [("logs", "log"), ("metrics", "metrics"), ("traces", "trace")])
def test_telemetry_that_does_not_arrive_fails(run: Verify, account: DeployedAccount, source: str, check: str) -> None:
    account.telemetry.remove(source)

    report = run()

    assert statuses(report) == {check: "fail"}
    assert "after 60 s" in text(report, CheckName(check))


def test_telemetry_is_waited_for(run: Verify, account: DeployedAccount) -> None:
    account.late = 3

    assert statuses(run()) == {}


def test_spans_in_transaction_search_pass(run: Verify, account: DeployedAccount) -> None:
    account.telemetry = {"logs", "metrics", "spans"}
    account.replies["GetTraceSummaries"] = DENIED

    report = run()

    assert statuses(report) == {}
    assert "aws/spans" in text(report, CheckName.TRACE)


def test_a_trace_without_annotations_fails(run: Verify, account: DeployedAccount) -> None:
    annotations = {"outcome": "duplicate"}
    segment = {"annotations": annotations, "metadata": {"default": {"asset_symbol": SYMBOL}}}

    def strip(_: object) -> None:
        correlation_id = account.calls[-1].parameters["detail"]["correlation_id"]
        annotations["correlation_id"] = correlation_id
        document = {"Id": "1", "Document": json.dumps({"subsegments": [segment]})}
        account.replies["BatchGetTraces"] = ok(Traces=[{"Id": "1-a-b", "Segments": [document]}])

    account.after = strip
    report = run()

    assert statuses(report) == {"trace": "fail"}
    assert "no annotation asset_symbol, earnings_date" in text(report, CheckName.TRACE)


@pytest.mark.parametrize(
    ("operation", "checks"),
    [
        ("StartQuery", {"log"}),
        ("GetMetricData", {"metrics"}),
        ("BatchGetTraces", {"trace"}),
        ("DescribeAlarms", {"alarms", "alarm_states", "subscriptions"}),
        ("ListSubscriptionsByTopic", {"subscriptions"}),
    ],
)
def test_what_could_not_be_asked_is_not_available(
    run: Verify, account: DeployedAccount, operation: str, checks: set[str]
) -> None:
    account.replies[operation] = SNS_DENIED if operation == "ListSubscriptionsByTopic" else DENIED

    report = run()

    assert statuses(report) == dict.fromkeys(checks, "not_available")
    assert {check.reason for check in report.checks if check.name in checks} == {"access_denied"}
    assert report.exit_status is ExitStatus.UNAVAILABLE


def _remove(account: DeployedAccount) -> None:
    account.alarms = [each for each in account.alarms if not each["AlarmName"].endswith("-security")]


def _disable(account: DeployedAccount) -> None:
    account.alarms[0]["ActionsEnabled"] = account.alarms[-1]["ActionsEnabled"] = False


def _remove_all_tickets(account: DeployedAccount) -> None:
    pages = StackNames("prod").alarms(Level.MINIMAL)
    account.alarms = [each for each in account.alarms if each["AlarmName"] in pages]


def test_the_alarms_of_minimal_monitoring_pass(run: Verify, account: DeployedAccount) -> None:
    _remove_all_tickets(account)

    report = run()

    assert statuses(report) == {}
    assert "alarms of monitoring=minimal exist" in text(report, CheckName.ALARMS)


def _remove_a_page_of_the_minimum(account: DeployedAccount) -> None:
    _remove_all_tickets(account)
    _remove(account)


def _swap_topics(account: DeployedAccount) -> None:
    (page,) = [each for each in account.alarms if each["AlarmName"].endswith("-service-failing")]
    page["AlarmActions"] = [page["AlarmActions"][0].replace("-page", "-ticket")]


def _fire(account: DeployedAccount) -> None:
    account.alarms[0]["StateValue"] = "ALARM"


def _unsubscribe(account: DeployedAccount) -> None:
    account.subscriptions = ["Deleted"]


def _unconfirmed(account: DeployedAccount) -> None:
    account.subscriptions.append("PendingConfirmation")


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (_remove, "alarms", f"{NAME}-prod-security of "),
        (_remove_a_page_of_the_minimum, "alarms", f"{NAME}-prod-security of 13 alarms missing"),
        (_swap_topics, "alarms", f"{NAME}-prod-service-failing: no action for the topic of its severity"),
        (_disable, "alarms", f"{NAME}-prod-failing-version: no action for the topic of its severity"),
        (_fire, "alarm_states", f"in ALARM: {NAME}-prod-"),
        (_unsubscribe, "subscriptions", "nobody is subscribed"),
        (_unconfirmed, "subscriptions", "is not confirmed"),
    ],
)
def test_alarms_that_reach_nobody_fail(
    run: Verify, account: DeployedAccount, fault: Callable[[DeployedAccount], None], check: str, words: str
) -> None:
    fault(account)

    report = run()

    assert statuses(report) == {check: "fail"}
    assert words in text(report, CheckName(check))


@pytest.mark.parametrize("environment", ["dev"])
def test_dev_needs_no_recipient(run: Verify, account: DeployedAccount) -> None:
    account.subscriptions = []

    report = run()

    assert statuses(report) == {}
    assert "nobody is subscribed" in text(report, CheckName.SUBSCRIPTIONS)
