"""The help of every command: examples that can be typed, flags without a value, any width; version and completion."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from emulator.environment import PROJECT_ROOT
from mep import cli
from mep.help import commands_in
from mep.local.faults import KINDS

RUNNER = CliRunner()


def _commands(words: tuple[str, ...], command: Any) -> Iterator[tuple[str, Any]]:
    yield " ".join(words), command
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _commands((*words, name), inner)


ROOT = typer.main.get_command(cli.app)
COMMANDS = dict(_commands(("mep",), ROOT))


def _help(command: str, columns: int) -> str:
    words = [*command.split()[1:], "--help"]
    result = RUNNER.invoke(cli.app, words, env={"COLUMNS": str(columns), "NO_COLOR": "1"}, prog_name="mep")
    assert result.exit_code == 0
    return result.output


def test_every_command_is_found() -> None:
    assert COMMANDS.keys() >= {"mep", "mep local", "mep demo", "mep dlq", "mep dlq list", "mep dlq discard"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_with_options_that_exist(command: str) -> None:
    examples = commands_in(COMMANDS[command].epilog or "")

    assert examples
    for example in examples:
        assert example.startswith(command)
        context = ROOT.make_context("mep", shlex.split(example)[1:])
        while isinstance(context.command, TyperGroup):
            words = [*context._protected_args, *context.args]
            name, inner, arguments = context.command.resolve_command(context, words)
            assert inner is not None
            context = inner.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_cuts_no_option_and_shows_no_value_of_a_flag(command: str, columns: int) -> None:
    text = _help(command, columns)
    together = " ".join(text.replace("\\\n", "").split())

    assert max(map(len, text.splitlines())) <= columns
    assert [line for line in text.splitlines() if re.search("\u2026|\\w\\.\\.\\.$", line)] == []
    assert "Example" in text
    assert all(example in together for example in commands_in(COMMANDS[command].epilog or ""))
    options = [name for option in COMMANDS[command].params for name in option.opts if name.startswith("--")]
    assert [name for name in options if name not in together] == []
    assert re.findall(r"<\w*", re.sub(r"<\s*=", "", text)) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_one_line_at_80_columns(command: str) -> None:
    text = _help(command, 80)
    examples = [line.strip() for line in text[text.index("Example") :].splitlines()]

    assert [example for example in commands_in(COMMANDS[command].epilog or "") if example not in examples] == []


@pytest.mark.parametrize("columns", [40, 80])
def test_each_fault_has_a_line_of_its_own(columns: int) -> None:
    lines = [line.strip(" •-") for line in _help("mep local", columns).splitlines()]

    assert [name for name in KINDS if sum(line.startswith(f"{name}: ") for line in lines) != 1] == []


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("command", ["mep", "mep dlq"])
def test_a_group_without_a_command_shows_its_help(command: str, columns: int) -> None:
    environ = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    result = RUNNER.invoke(cli.app, command.split()[1:], env=environ, prog_name="mep")

    assert (result.exit_code, result.output.strip()) == (2, _help(command, columns).strip())


def test_an_error_fits_a_narrow_terminal() -> None:
    result = RUNNER.invoke(cli.app, ["locla"], env={"COLUMNS": "40", "NO_COLOR": "1"}, prog_name="mep")

    assert result.exit_code == 2
    assert "Did you mean 'local'" in result.output
    assert "│" not in result.output


def test_redrive_says_what_its_destination_is_and_what_no_filter_means() -> None:
    text = " ".join(_help("mep dlq redrive", 80).split())

    assert "The destination is the environment's bus, --bus (or EVENT_BUS_NAME), or --function." in text
    assert "Without a filter (--id, --correlation-id, --category, --older-than, --newer-than) every message" in text


def test_completion_of_a_shell() -> None:
    environ = {"_MEP_COMPLETE": "complete_bash", "COMP_WORDS": "mep dlq re", "COMP_CWORD": "2"}

    assert RUNNER.invoke(cli.app, [], env=environ, prog_name="mep").output.split() == ["redrive"]


def test_version_and_completion_load_nothing_that_only_commands_need() -> None:
    """A shell starts `mep` for every completion."""
    needed = "{'rich', 'boto3', 'botocore', 'orjson', 'http.client', 'asyncio'}"
    code = f"import sys, mep.cli; print(sorted({needed} & sys.modules.keys()))"
    command = [sys.executable, "-c", code]

    assert subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"
