"""Write docs/commands.md from the command line: `.venv/bin/python -m tests.docs.commands`. A test compares them."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.cli import get_docs_for_click

from emulator.environment import PROJECT_ROOT
from mep.cli import app
from mep.help import commands_in

PAGE = PROJECT_ROOT / "docs" / "commands.md"

_HEAD = """
This page is generated from the help of the commands by `.venv/bin/python -m tests.docs.commands`. Without an installed
`mep`, write `uv run mep`. Every command shows its part of this page with `--help`.

- **[Exit statuses](troubleshooting.md#a-command-could-not-ask-aws)**: 0, 1, 2 and 3 below; 129, 130 and 143 if a closed
  terminal, Ctrl-C or SIGTERM ended the command.
- **[Environment variables](deploy.md#what-operators-set)** and [the environment](investigate.md#the-environment): the
  region, credentials and the names of resources.
- **JSON**: [trace](investigate.md#json), [query](investigate.md#run-a-saved-query), [dlq](dead-letters.md#json-output),
  [calendar check](calendar.md#mep-calendar-check), [verify](verify.md#the-checks).
"""
_HELP_OPTION = re.compile(r"^\* `-h, --help`: .*\n", re.MULTILINE)
_EPILOG = re.compile(r"^Examples?:\\\n(?:`.*\n)+", re.MULTILINE)
_SUBCOMMAND = re.compile(r"^\* `([a-z]+)`: ", re.MULTILINE)
_NO_OPTIONS = re.compile(r"^\*\*Options\*\*:\n\n(?=\n|\*\*|Example)", re.MULTILINE)


def page() -> str:
    """Return the page."""
    root: Any = typer.main.get_command(app)
    for command in _all_commands(root):
        command.short_help = " ".join(command.help.split("\n\n")[0].split())  # else it is cut after a few words
    context = root.make_context("mep", [], resilient_parsing=True)
    text = get_docs_for_click(obj=root, ctx=context, name="mep", title="Commands")
    text = _EPILOG.sub(_examples, _NO_OPTIONS.sub("", _HELP_OPTION.sub("", text)))
    title, _, rest = "".join(_with_links(text)).partition("\n")
    return f"{title}\n{_HEAD}\n{rest.strip()}\n"


def _with_links(text: str) -> Iterator[str]:
    """Yield the sections; the list of commands in each links to theirs."""
    for section in re.split(r"^(?=#+ `mep )", text, flags=re.MULTILINE):
        heading = re.match(r"#+ `(mep .*)`", section)
        above = heading[1].replace(" ", "-") if heading else "mep"
        yield _SUBCOMMAND.sub(rf"* [`\1`](#{above}-\1): ", section)


def _all_commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from _all_commands(command)


def _examples(epilog: re.Match[str]) -> str:
    commands = "".join(f"$ {command}\n" for command in commands_in(epilog.group()))
    return f"**Examples**:\n\n```console\n{commands}```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
