"""`mep verify --full`: the whole round trip with the real function, tables and queue."""

import json
from datetime import timedelta
from typing import Any

from mep.calendar.check import Checker
from mep.calendar.model import Scope
from mep.calendar.tables import TableReader
from mep.errors import ExitStatus
from mep.verify.account import Account
from mep.verify.engine import verify
from mep.verify.results import CheckName
from monitoring.round_trip import RUN
from tests.integration.mep.verify.conftest import ABSENT, PRESENT, SYMBOL, Endpoint, Verify, statuses, text
from tests.integration.mep.verify.deployed import NAME, DeployedAccount
from tests.integration.mep.verify.helpers import (
    ALARM,
    actions,
    assert_clean,
    at,
    marks,
    put_message,
)
from tests.support.stores import Tables
from tests.support.verify_calls import OPERATIONS


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
