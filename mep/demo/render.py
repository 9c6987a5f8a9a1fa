"""The dead letters that a run left behind, as a person sees them."""

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from mep.dlq.sources import read_line
from mep.terminal import escape_control, plain_table


def dead_letters(lines: Iterable[dict[str, Any]]) -> RenderableType:
    """Return the lines of `dlq.jsonl` as a table."""
    table = plain_table("category", "correlation ID", "why")
    table.columns[1].overflow = "fold"
    for dead_letter in map(read_line, lines):
        table.add_row(
            Text(escape_control(dead_letter.group), "red"),
            Text(escape_control(dead_letter.correlation_id or ""), "cyan"),
            Text(escape_control(dead_letter.message or dead_letter.code)),
        )
    return table
