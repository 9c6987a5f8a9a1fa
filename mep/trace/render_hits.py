"""Several events that an ID or a row leads to, each with the command that traces it."""

import shlex
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mep.program import program
from mep.terminal import plain_table
from mep.text import escape_control
from mep.trace.entries import time_text
from mep.trace.follow import Found
from mep.trace.hits import Hit
from mep.trace.sources import gap_lines

_STYLES = {"marked": "green", "duplicate": "yellow", "dead_lettered": "red", "retry": "red", "undelivered": "red"}


def command(hit: Hit, options: Sequence[str]) -> str:
    """Return the command that traces an event.

    Args:
        hit: The event.
        options: The options of the search that found it.
    """
    return f"{program()} {shlex.join(['trace', hit.correlation_id, *options])}"


def show_hits(found: Found, options: Sequence[str], screen: Console) -> None:
    """Print the events, the newest first.

    Args:
        found: The events.
        options: The options of the search that found them.
        screen: Where to print.
    """
    screen.print(Text(escape_control(f"{found.timeline.correlation_id}: {len(found.hits)} events, the newest first")))
    for line in gap_lines(found.timeline.gaps):
        screen.print(Text.assemble(("not read  ", "bold yellow"), escape_control(line)))
    table = plain_table("last record", "outcome", "row", "to show it")
    table.columns[-1].no_wrap = True  # to be copied
    for hit in found.hits:
        table.add_row(
            time_text(hit.at) if hit.at else "unknown",
            Text(hit.outcome or "unknown", _STYLES.get(hit.outcome, "")),
            Text(escape_control(" ".join(hit.key))),
            Text(escape_control(command(hit, options))),
        )
    screen.print(table, crop=False)


def hits_json(found: Found, options: Sequence[str]) -> dict[str, Any]:
    """Return the events as a JSON object.

    Args:
        found: The events.
        options: The options of the search that found them.
    """
    return {
        "asked": found.timeline.correlation_id,
        "complete": not found.timeline.gaps,
        "not_asked": [gap.as_json() for gap in found.timeline.gaps],
        "events": [hit.as_json(command(hit, options)) for hit in found.hits],
    }
