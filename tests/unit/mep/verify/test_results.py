"""What the checks amount to, and how the report looks."""

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from emulator.environment import PROJECT_ROOT
from mep.errors import ExitStatus, Problem, Reason
from mep.verify.render import show_report
from mep.verify.results import Check, CheckName, Left, Report, RoundTripReport, Status

MISSING = Problem(Reason.NOT_CONFIGURED, "AWS is not called", "set AWS_ENDPOINT_URL_*")


def report(*checks: Check, emulated: bool = False) -> Report:
    given = {check.name: check for check in checks}
    passed = [given.get(name, Check(name, Status.PASS, f"{name} is as it should be")) for name in CheckName]
    return Report(
        "dev", "its-function-dev:live", "eu-central-1", "mep-verify-" + "c" * 36, False, emulated, tuple(passed)
    )


@pytest.mark.parametrize("name", CheckName)
def test_on_aws_not_available_is_never_a_success(name: CheckName) -> None:
    result = report(Check.not_available(name, MISSING))

    assert (result.status, result.exit_status) == (Status.NOT_AVAILABLE, ExitStatus.UNAVAILABLE)


def test_an_emulator_need_not_have_what_the_probe_does_not_need() -> None:
    optional = {
        name for name in CheckName if report(Check.not_available(name, MISSING), emulated=True).exit_status == 0
    }

    probe = {CheckName.ROW, CheckName.AUDIT_ENTRY, CheckName.OUTCOME, CheckName.UNCHANGED}
    bus = {CheckName.RESERVED_ROWS, CheckName.RULE, CheckName.DELIVERY, CheckName.DELIVERY_ENTRY}
    queue = {CheckName.DEAD_LETTER, CheckName.REDRIVE, CheckName.REDRIVEN, CheckName.QUEUE, CheckName.CLEAN_UP}
    assert optional == {*CheckName} - probe - bus - queue


def test_a_service_of_an_emulator_that_fails_is_no_success() -> None:
    broken = Check.not_available(CheckName.LOG, Problem(Reason.NETWORK, "no connection"))

    assert report(broken, emulated=True).exit_status is ExitStatus.UNAVAILABLE


def test_a_failure_decides() -> None:
    checks = Check(CheckName.TRACE, Status.FAIL, "no"), Check.not_available(CheckName.LOG, MISSING)

    assert report(*checks).exit_status is ExitStatus.FAILED
    assert report().exit_status is ExitStatus.DONE


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width)
    result = report(
        Check(CheckName.ROW, Status.FAIL, "there is no row\x1b[2J", "put it"),
        Check.not_available(CheckName.LOG, Problem(Reason.ACCESS_DENIED, "not allowed", "ask for StartQuery")),
    )

    show_report(result, screen)

    assert isinstance(screen.file, io.StringIO)
    text = screen.file.getvalue()
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert "\x1b" not in text
    words = "".join(text.split())
    for part in (
        "FAIL",
        "thereisnorow",
        "putit",
        "n/a",
        "askforStartQuery",
        "21passed,1failed,1notavailable",
        result.correlation_id,
    ):
        assert part in words


@pytest.mark.parametrize("width", [40, 200])
def test_commands_for_what_is_left_can_be_copied(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width)
    command = "aws dynamodb delete-item --region eu-central-1 --table-name t --key '{}'"
    left = RoundTripReport(("1", "2"), ("alarm",), (Left("a row", command),))

    show_report(replace(report(), round_trip=left), screen)

    assert isinstance(screen.file, io.StringIO)
    assert f"  {command}" in screen.file.getvalue().splitlines()


def test_the_id_of_a_probe_that_was_not_sent_is_not_shown() -> None:
    screen = Console(file=io.StringIO(), width=80)

    show_report(report(Check.not_available(CheckName.OUTCOME, MISSING)), screen)

    assert isinstance(screen.file, io.StringIO)
    assert "mep-verify-c" not in screen.file.getvalue()


def test_the_probe_can_be_used_without_clients_and_terminal() -> None:
    """A function that invokes another one with it has neither."""
    code = "import sys, monitoring.probe; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert {name.partition(".")[0] for name in loaded} & {
        "botocore",
        "boto3",
        "rich",
        "typer",
        "emulator",
        "otel",
    } == set()
