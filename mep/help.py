"""Help texts: options that show a value only if they take one, examples, and no table on a narrow terminal."""

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from typer.core import TyperCommand, TyperGroup

_MIN_TABLE_WIDTH = 80
"""In columns; a narrower table cuts the names of options."""

_EXAMPLE = re.compile("`([^`]+)`")


def examples(*commands: str) -> str:
    """Return the end of a command's help: complete commands, each on a line of its own, as Markdown."""
    heading = "Example:" if len(commands) == 1 else "Examples:"
    return "\\\n".join((heading, *(f"`{command}`" for command in commands)))


def commands_in(epilog: str) -> list[str]:
    """Return the commands that `examples` was given."""
    return _EXAMPLE.findall(epilog)


class Command(TyperCommand):
    """A command whose help is as this module says."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments, `--help` included."""
        return _with_values(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with _layout(self, formatter):
            super().format_help(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        """Write the examples, without a table."""
        _write_examples(self, formatter)


class Group(TyperGroup):
    """A group of commands with a help as that of `Command`."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. Errors, and the help where no command is given, have the layout of the help."""
        self.rich_markup_mode = _markup()
        return super().main(*args, **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group, `--help` included."""
        return _with_values(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with _layout(self, formatter):
            super().format_help(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        """Write the examples, without a table."""
        _write_examples(self, formatter)


def _with_values(parameters: Iterable[Any]) -> list[Any]:
    """Let arguments show their name alone, flags no value, and values without a name `TEXT` or `N`.

    Typer shows types: `<list[str]>`, `<bool>`, although a flag takes no value, and `<int range>`.
    """
    changed = list(parameters)
    for parameter in changed:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda **_: None
        elif parameter.metavar is None and getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.metavar is None:
            parameter.metavar = "TEXT" if (parameter.min, parameter.max) == (None, None) else "N"
    return changed


def _markup() -> Literal["markdown"] | None:
    """Return None, for text without tables, on a narrow terminal."""
    return "markdown" if shutil.get_terminal_size().columns >= _MIN_TABLE_WIDTH else None


@contextmanager
def _layout(command: TyperCommand | TyperGroup, formatter: Any) -> Iterator[None]:
    """Choose between Typer's tables of options and text without tables, in which Markdown's backticks are left out."""
    command.rich_markup_mode = _markup()
    formatter.width = (
        shutil.get_terminal_size().columns - 1
    )  # the default is at least 50; a broken word takes one column more
    yield
    formatter.buffer[:] = [text.replace("`", "") for text in formatter.buffer]


def _write_examples(command: TyperCommand | TyperGroup, formatter: Any) -> None:
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for example in commands_in(command.epilog or ""):
        lines = textwrap.wrap(example, formatter.width - 6, break_long_words=False, break_on_hyphens=False)
        formatter.write("  " + " \\\n    ".join(lines) + "\n")
