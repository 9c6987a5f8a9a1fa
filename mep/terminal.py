"""Consoles and tables for terminals of any width."""

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from mep.output import drawing

WIDTH = 100
"""Columns where neither a terminal nor the variable `COLUMNS` gives the width."""

_MIN_TEXT = 16
"""Columns that a text gets at least: where there are fewer, a table becomes a list."""

_BARS = ((60, 0), (100, 16), (140, 24))
_WIDEST_BAR = 48


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as `COLUMNS` says, else as the terminal, else of `WIDTH` columns."""
    file = drawing(sys.stderr if stderr else sys.stdout)
    plain = Console(file=file, stderr=stderr, highlight=False)
    columns = _columns()
    if columns is None and plain.is_terminal:
        return plain
    return Console(file=file, stderr=stderr, highlight=False, width=columns or WIDTH)


def is_width_known(screen: Console) -> bool:
    """Whether there is a width that lines must fit; text in a pipe may have lines of any length."""
    return screen.is_terminal or _columns() is not None


def bar_width(screen: Console) -> int:
    """Return the columns for a bar beside text; 0 where the text needs them all."""
    return next((bar for limit, bar in _BARS if screen.width < limit), _WIDEST_BAR)


def print_heading(screen: Console, title: str, explanation: str) -> None:
    """Print a heading over a line; it is wrapped where it is longer."""
    screen.print()
    screen.print(Text.assemble((title, "bold"), (f"  {explanation}", "dim")))
    screen.print(Rule(style="dim"))


def print_line(console: Console, text: object) -> None:
    """Print a message of the program as one line, however wide the terminal is."""
    console.print(f"mep: {text}", markup=False, highlight=False, soft_wrap=True)


def plain_table(*headers: str, named: bool = False) -> Table:
    """Return an empty table without a frame, which becomes a list where it does not fit: no cell is cut.

    Args:
        headers: The headers of the columns.
        named: Whether every cell of the list has the header of its column.
    """
    table = _FittingTable(*headers, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.named = named
    return table


def _columns() -> int | None:
    value = os.environ.get("COLUMNS", "")
    return int(value) if value.isdecimal() and int(value) else None


class _FittingTable(Table):
    """A table that does not break a word, such as an ID, over lines: it becomes a list where it would have to.

    As a list, a row is its cells without spaces, as many to a line as fit, then each text on lines of its own. Numbers
    have the header of their column.

    Attributes:
        named: Whether every cell of the list has the header of its column.
    """

    named = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or the list."""
        sizes = [_size(console, column) for column in self.columns]
        spare = options.max_width - sum(size.least + 2 for size in sizes)  # 2: the space on the right and the separator
        if spare < 0:
            yield from self._list(console, options.max_width)
            return
        columns = sorted(zip(sizes, self.columns, strict=True), key=lambda pair: pair[0].wish)
        for others, (size, column) in zip(range(len(columns), 0, -1), columns, strict=True):
            more = min(size.wish, spare // others)
            column.width, column.overflow = size.least + more, "fold"
            spare -= more
        yield from super().__rich_console__(console, options)

    def _list(self, console: Console, width: int) -> Iterator[RenderableType]:
        if not self.named:
            yield Text("  ".join(str(column.header) for column in self.columns if column.justify != "right"), "bold")
            yield Rule(style="dim")
        for row, cells in zip(self.rows, zip(*(column.cells for column in self.columns), strict=True), strict=True):
            line = Text()
            texts: list[RenderableType] = []
            for column, cell in zip(self.columns, cells, strict=True):
                text = _text(console, cell)
                if not text:
                    continue
                is_text = " " in text.plain
                if self.named or (column.justify == "right" and not is_text):
                    text = Text.assemble((f"{column.header} ", "dim"), text)
                if is_text and (not self.named or text.cell_len > width):
                    texts.append(_unwrapped(text) if column.no_wrap else Padding(text, (0, 0, 0, 2)))
                    continue
                if line and line.cell_len + 2 + text.cell_len > width:
                    yield line
                    line = Text()
                line = Text.assemble(line, "  ", text) if line else text
            if line:
                yield line
            yield from texts
            if row.end_section or self.named:
                yield Text()


class _Size(NamedTuple):
    """The width of a column.

    Attributes:
        least: That of its longest word, or more; of its longest cell where the cells are not to be wrapped.
        wish: What it takes in addition to have every cell on one line.
    """

    least: int
    wish: int


def _size(console: Console, column: Column) -> _Size:
    texts = [_text(console, cell) for cell in (column.header, *column.cells)]
    longest = max(text.cell_len for text in texts)
    word = max(cell_len(word) for text in texts for word in (text.plain.split() or [""]))
    least = longest if column.no_wrap else min(longest, max(word, _MIN_TEXT))
    return _Size(least, longest - least)


def _unwrapped(text: Text) -> Text:
    """Return an indented text on one line, which `Console.print` cuts unless `crop` is False."""
    line = Text.assemble("  ", text)
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _text(console: Console, cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else console.render_str(str(cell))
