"""The dead letters that a run left behind, as a person sees them."""

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from local.report import bare_table, shown
from ops.dlq.shapes import read_line


def dead_letters(lines: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the lines of `dlq.jsonl` as a table."""
    table = bare_table("category", "correlation ID", "why")
    table.columns[1].overflow = "fold"
    for letter in map(read_line, lines):
        table.add_row(
            Text(shown(letter.group), "red"),
            Text(shown(letter.correlation_id or ""), "cyan"),
            Text(shown(letter.message or letter.code)),
        )
    return table
