"""Help texts: options that show a value only if they take one, examples, and no table on a narrow terminal."""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    _Base = TyperCommand
else:
    _Base = object  # beside Typer's class of commands or of groups, which have no common one

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


class _Help(_Base):
    """The help of a command and of a group."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments, `--help` included."""
        return _with_values(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with _layout(self, formatter):
            super().format_help(ctx, formatter)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        """Write the description, without a table."""
        _write_description(self, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        """Write the examples, without a table."""
        _write_examples(self, formatter)


class Command(_Help, TyperCommand):
    """A command whose help is as this module says."""


class Group(_Help, TyperGroup):
    """A group of commands with a help as that of `Command`."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. Errors, and the help where no command is given, have the layout of the help."""
        self.rich_markup_mode = _markup()
        return super().main(*args, **kwargs)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, without a table; Typer cuts their texts to one line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_paragraph(self.get_command(ctx, name))) for name in self.commands])


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
    write_rows = formatter.write_dl
    formatter.write_dl = lambda rows: write_rows([(name, _plain(text)) for name, text in rows])
    yield


def _plain(text: str) -> str:
    """Leave Markdown's backticks out: before the text is wrapped, so that its lines are full."""
    return text.replace("`", "")


def _first_paragraph(command: Any) -> str:
    return inspect.cleandoc(command.help or "").split("\n\n")[0]


def _write_description(command: TyperCommand | TyperGroup, formatter: Any) -> None:
    """Write the description of a command; the items of its Markdown lists begin on lines of their own."""
    for paragraph in _plain(inspect.cleandoc(command.help or "")).split("\n\n"):
        formatter.write_paragraph()
        for item in re.split("\n(?=- )", paragraph):
            first = "  - " if item.startswith("- ") else "  "
            text = " ".join(item.removeprefix("- ").split())
            rest = " " * len(first)
            lines = textwrap.wrap(text, formatter.width - 1, initial_indent=first, subsequent_indent=rest)
            formatter.write("".join(f"{line}\n" for line in lines))


def _write_examples(command: TyperCommand | TyperGroup, formatter: Any) -> None:
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for example in commands_in(command.epilog or ""):
        lines = textwrap.wrap(example, formatter.width - 6, break_long_words=False, break_on_hyphens=False)
        formatter.write("  " + " \\\n    ".join(lines) + "\n")
