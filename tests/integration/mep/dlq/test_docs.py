"""docs/dead-letters.md: its commands run, and its tables match the code."""

import re
import shlex
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from handler.errors import ErrorCategory
from mep.dlq.audit import Action
from mep.dlq.model import DeadLetterSource
from monitoring.operator_metrics import METRICS
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler
from tests.support.dlq_harness import Harness
from tests.support.documented_session import DocumentedSession

PAGE = Path(PROJECT_ROOT, "docs", "dead-letters.md").read_text()
REFERENCE, ON_ONE_MACHINE = PAGE.split("\n## On one machine\n")
COMMANDS = re.findall(r"^    uv run mep (dlq .*)$", REFERENCE, re.MULTILINE)


def test_there_are_commands() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"list", "show", "redrive", "discard"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_runs(
    command: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = harness.send(from_handler(event(1), "not_found", CORRELATION_ID="q2-AAPL-17"))
    arguments = [message[:4] if word == "7d4c" else word for word in shlex.split(command)]
    if arguments[1] == "discard":
        arguments.append("--yes")

    assert mep(monkeypatch, *arguments) == 0, capsys.readouterr().err

    assert len(harness.left()) == 1, "none of them deletes this one"


@pytest.mark.timeout(600)
def test_the_documented_session_runs(documented_session: DocumentedSession, tmp_path: Path) -> None:
    beside, scenario = documented_session.run(ON_ONE_MACHINE, "eu-north-1", marked="demo-unknown-row")

    assert "1 of 1 sent to bus:earnings" in beside
    assert "the row is marked, invocation 2 of 2" in scenario
    assert not (tmp_path / "out" / "dlq.jsonl").read_text(), "every dead letter was redriven or discarded"


def test_the_page_names_formats_actions_and_categories() -> None:
    for word in (*DeadLetterSource, *Action, *(category for category in ErrorCategory if not category.transient)):
        assert f"`{word}`" in PAGE


def test_the_metrics_are_documented() -> None:
    telemetry = Path(PROJECT_ROOT, "docs", "telemetry-reference.md").read_text()
    for name in METRICS:
        assert f"`{name}`" in telemetry


@pytest.mark.parametrize("calls", [("--bus", None), ("--function", "f")])
def test_the_page_names_every_permission(
    calls: tuple[str, str | None], harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.send(from_handler(event(1), "throttling"))
    option, value = calls

    assert mep(monkeypatch, "dlq", "redrive", option, value or harness.bus) in {0, 1}

    services = {
        "sqs": harness.sqs,
        "events": harness.events,
        "dynamodb": harness.dynamodb,
        "cloudwatch": harness.cloudwatch,
    }
    used = {
        f"{service}:{recorded.request.operation.removesuffix('Batch')}"
        for service, proxy in services.items()
        for recorded in proxy.requests
    }
    assert "dynamodb:PutItem" in used
    for action in used:
        assert f"`{action}`" in PAGE, action
