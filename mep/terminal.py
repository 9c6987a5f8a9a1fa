"""Consoles and tables for terminals."""

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 100


def console(*, stderr: bool = False) -> Console:
    """Return a console of at most `WIDTH` columns; of exactly `WIDTH` columns where there is no terminal."""
    plain = Console(stderr=stderr, highlight=False)
    width = min(plain.width, WIDTH) if plain.is_terminal else WIDTH
    return Console(stderr=stderr, highlight=False, width=width)


def plain_table(*headers: str) -> Table:
    """Return an empty table without a frame."""
    return Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)


def print_line(console: Console, text: object) -> None:
    """Print a message of the program as one line, however wide the terminal is."""
    console.print(f"mep: {text}", markup=False, highlight=False, soft_wrap=True)
