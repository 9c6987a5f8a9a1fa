"""The `mep dlq` commands of the runbook, run on a queue with a dead letter of every category."""

import re
import shlex

import pytest

from emulator.environment import PROJECT_ROOT
from handler.errors import ErrorCategory
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler
from tests.support.dlq_harness import Harness

TEXT = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {
        " ".join(command.split()).removeprefix("mep ")
        for command in (
            *re.findall(r"`uv run (mep dlq [^`]+)`", TEXT),
            *re.findall(r"^ {4,}uv run (mep dlq .+)$", TEXT, flags=re.MULTILINE),
        )
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_runbook(command: str, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    dead_letters = [from_handler(event(number), category.value) for number, category in enumerate(ErrorCategory)]
    ids = harness.send(*dead_letters)
    words = [word.replace("MESSAGE_ID", ids[0]) for word in shlex.split(command)]

    assert mep(monkeypatch, *words) == 0

    sent = "redrive" in words and "--dry-run" not in words
    redriven = words[words.index("--category") + 1] if sent else ""
    assert [entry["DetailType"] for entry in harness.put_events()] == ["earningsProcessed"] * sent
    left = {dead_letter.attributes["ERROR_CODE"] for dead_letter in harness.left()}
    assert left == {category.value for category in ErrorCategory} - {redriven}


def test_the_runbook_redrives_every_category() -> None:
    categories = {match[1] for name in COMMANDS if (match := re.match(r"dlq redrive --category (\w+)", name))}
    assert categories == {category.value for category in ErrorCategory}
