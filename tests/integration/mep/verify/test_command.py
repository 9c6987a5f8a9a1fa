"""`mep verify --full` as a command: its exit statuses, its JSON, what it prints when it is interrupted."""

import json
import os
from collections.abc import Callable
from unittest.mock import patch

import pytest

from mep.errors import ExitStatus
from tests.integration.mep.verify.conftest import ABSENT, PRESENT, SYMBOL, Endpoint
from tests.integration.mep.verify.deployed import NAME, DeployedAccount
from tests.support.command_line import mep
from tests.support.stores import Tables

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def run(
    account: DeployedAccount,
    endpoint: Endpoint,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the command; return its exit status, its standard output and the lines of its standard error."""
    assert endpoint.sqs_proxy is not None
    variables = {
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ENDPOINT_URL_DYNAMODB": tables.url,
        "AWS_ENDPOINT_URL_SQS": endpoint.sqs_proxy.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        given = ("--calendar-table", tables.calendar_table, "--audit-table", tables.audit_table, "--wait", "5")
        with patch.dict(os.environ, variables):
            capsys.readouterr()
            status = mep(
                monkeypatch, "verify", "--environment", "prod", "--event-bus", "earnings-prod", *given, *arguments
            )
            output = capsys.readouterr()
        return status, output.out, output.err.splitlines()

    return run


def test_a_round_trip_is_status_0(run: Run) -> None:
    status, output, lines = run("--full", "--yes", "--json")

    report = json.loads(output)
    assert status == ExitStatus.DONE, report
    assert report["status"] == "pass"
    assert report["round_trip"] == {
        "events": [f"{report['correlation_id']}-1", f"{report['correlation_id']}-2"],
        "alarms": [f"{NAME}-prod-dlq-age", f"{NAME}-prod-dead-letters"],
        "left": [],
        "interrupted": False,
    }
    assert [line for line in lines if "sets off" in line]


def test_a_broken_link_is_status_1_and_named(run: Run, account: DeployedAccount) -> None:
    account.bus.rule.state = "DISABLED"

    status, _, lines = run("--full", "--yes")

    assert status == ExitStatus.FAILED
    assert lines[-1] == f"mep: {NAME}-prod:live is not as it should be: rule"


def test_an_interruption_is_cleaned_up_and_reported(
    run: Run, account: DeployedAccount, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mep.verify.round_trip.redrive", press)

    status, output, lines = run("--full", "--yes", "--json")

    report = json.loads(output)
    assert status == ExitStatus.INTERRUPTED
    assert lines[-1] == "mep: interrupted; the round trip was cleaned up"
    assert report["round_trip"]["interrupted"]
    rows = [tables.row(SYMBOL, date) or {} for date in (PRESENT, ABSENT)]
    assert [row["processed_by_event"] for row in rows] == report["round_trip"]["events"]
    assert account.harness.services.queue.drain() == []


def test_what_is_left_after_an_interruption_is_printed_with_its_command(
    run: Run, account: DeployedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.bus.delivers = False

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mep.verify.delivery.wait_for_mark", press)

    status, output, lines = run("--full", "--yes")

    assert status == ExitStatus.INTERRUPTED
    assert lines[-1] == "mep: interrupted; not cleaned up: 1, with the commands above"
    assert [line for line in output.splitlines() if "dlq discard --correlation-id mep-verify-" in line]
    assert "--reason 'left by mep verify --full'" in output


def test_a_defect_is_cleaned_up_too(
    run: Run, account: DeployedAccount, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mep.verify.round_trip.redrive", fail)

    status, _, lines = run("--full", "--yes")

    assert status == ExitStatus.FAILED
    assert "a defect of mep: ZeroDivisionError" in lines[-1]
    assert [row["is_processed"] for date in (PRESENT, ABSENT) if (row := tables.row(SYMBOL, date))] == [True, True]
    assert account.harness.services.queue.drain() == []
