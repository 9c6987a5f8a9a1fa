"""A timeline on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from handler.contract import CALENDAR, PROCESSED, PROCESSED_AT, PROCESSED_BY
from mep.terminal import bar_width
from mep.text import escape_control
from mep.trace.entries import Entry
from mep.trace.formatting import displayed_attributes, milliseconds
from mep.trace.sources import gap_lines
from mep.trace.timeline import Section, Timeline

_STYLES = {"ok": "", "warning": "yellow", "error": "red"}
_NAME_COLUMNS = 16
_MARKS = {"log": "·", "audit": "✓", "dead_letter": "✉", "backoff": "~", "span": "█", "bus": "→"}


def show(timeline: Timeline, screen: Console) -> None:
    """Print a timeline as tables, one per section."""
    for block in _blocks(timeline, bar_width(screen)):
        screen.print(block)


def _blocks(timeline: Timeline, bar: int) -> Iterator[RenderableType]:
    yield from _facts(timeline, beside=bool(bar))
    for section in timeline.sections:
        yield Text()
        yield Text.assemble(
            (section.start_text, "dim"),
            f"  {section.title}",
            (f"  {milliseconds(section.length_ms)}" if section.length_ms else "", "dim"),
            (_trace_of(section), "dim"),
        )
        yield _table(section, bar)


def _facts(timeline: Timeline, *, beside: bool) -> Iterator[RenderableType]:
    """Yield what is known about the event as a whole: names, and texts that are wrapped beside or below them."""
    facts = [
        Text.assemble(("correlation ID  ", "dim"), (escape_control(timeline.correlation_id), "bold cyan")),
        Text.assemble(("verdict         ", "dim"), (escape_control(timeline.summary), "bold")),
        *(Text.assemble(("calendar row    ", "dim"), escape_control(_row(row))) for row in timeline.rows),
        *(
            Text.assemble(("not read        ", "bold yellow"), escape_control(line))
            for line in gap_lines(timeline.gaps)
        ),
        *(Text.assemble(("note            ", "yellow"), escape_control(note)) for note in timeline.notes),
    ]
    if not beside:
        yield from facts
        return
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for fact in facts:
        table.add_row(*fact.divide([_NAME_COLUMNS]))
    yield table


def _row(row: Mapping[str, Any]) -> str:
    key = " ".join(str(row.get(name)) for name in CALENDAR.key)
    if row.get(PROCESSED) is not True:
        return f"{key}: not processed"
    return (
        f"{key}: processed at {row.get(PROCESSED_AT)} by event {row.get(PROCESSED_BY)} "
        f"(correlation ID {row.get('correlation_id')})"
    )


def _trace_of(section: Section) -> str:
    trace_id = next((entry.trace_id for entry in section.entries if entry.trace_id), "")
    return f"  trace {trace_id}" if trace_id else ""


def _table(section: Section, bar: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False, show_edge=False)
    table.add_column(justify="right", no_wrap=True)
    if bar:
        table.add_column(no_wrap=True, width=bar)
    table.add_column(overflow="fold")
    for entry, depth in zip(section.entries, section.depths, strict=True):
        style = _STYLES[entry.severity]
        text = Text("  " * depth)
        text.append(escape_control(entry.title), f"bold {style}".strip())
        if entry.duration_ms is not None:
            text.append(f"  {milliseconds(entry.duration_ms)}")
        for name, value in displayed_attributes(entry):
            text.append(f"  {escape_control(name)}=", "dim").append(escape_control(value), style)
        offset = milliseconds((entry.at - section.start) / 1e6)
        bars = [Text(_bar(section, entry, bar), style or "cyan")] if bar else []
        table.add_row(Text(f"+{offset}", "dim"), *bars, text)
    return table


def _bar(section: Section, entry: Entry, width: int) -> str:
    scale = section.length_ms or 1
    start = min(int((entry.at - section.start) / 1e6 / scale * width), width - 1)
    length = max(1, round((entry.duration_ms or 0) / scale * width))
    return (" " * start + _MARKS[entry.kind] * length)[:width]
