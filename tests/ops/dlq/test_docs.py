"""docs/dead-letters.md: its commands run, and its tables hold what the code has."""

import re
import shlex
from pathlib import Path

import pytest

from handler.categories import ErrorCategory
from local.environment import PROJECT_ROOT
from ops.dlq.audit import Action
from ops.dlq.letter import Shape
from ops.names import METRICS
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler
from tests.support.dlq import Rig

PAGE = Path(PROJECT_ROOT, "docs", "dead-letters.md").read_text()
COMMANDS = re.findall(r"^    uv run mep (dlq .*)$", PAGE, re.MULTILINE)


def test_there_are_commands() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"list", "show", "redrive", "discard"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_runs(
    command: str, rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = rig.send(from_handler(event(1), "not_found", CORRELATION_ID="q2-AAPL-17"))
    arguments = [message[:4] if each == "7d4c" else each for each in shlex.split(command)]
    if arguments[1] == "discard":
        arguments.append("--yes")

    assert mep(monkeypatch, *arguments) == 0, capsys.readouterr().err

    assert len(rig.left()) == 1, "none of them deletes this one"


def test_the_page_names_every_shape_action_and_category_that_needs_force() -> None:
    for word in (*Shape, *Action, *(category for category in ErrorCategory if not category.transient)):
        assert f"`{word}`" in PAGE


def test_the_metrics_are_documented() -> None:
    telemetry = Path(PROJECT_ROOT, "docs", "telemetry-reference.md").read_text()
    for name in METRICS:
        assert f"`{name}`" in telemetry


@pytest.mark.parametrize("calls", [("--bus", None), ("--function", "f")])
def test_the_page_names_every_permission_that_is_used(
    calls: tuple[str, str | None], rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.send(from_handler(event(1), "throttling"))
    option, value = calls

    assert mep(monkeypatch, "dlq", "redrive", option, value or rig.bus) in {0, 1}

    services = {"sqs": rig.sqs, "events": rig.events, "dynamodb": rig.dynamodb, "cloudwatch": rig.cloudwatch}
    used = {
        f"{service}:{recorded.request.operation.removesuffix('Batch')}"
        for service, proxy in services.items()
        for recorded in proxy.requests
    }
    assert "dynamodb:PutItem" in used
    for action in used:
        assert f"`{action}`" in PAGE, action
