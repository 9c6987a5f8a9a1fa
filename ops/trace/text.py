"""A timeline on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from local.report import shown
from ops.trace.gaps import lines
from ops.trace.moments import Moment, time_text
from ops.trace.shown import facts_of, milliseconds
from ops.trace.timeline import Part, Timeline

_BAR = 24
_STYLES = {"fine": "", "warning": "yellow", "error": "red"}
_MARKS = {"log": "·", "audit": "✓", "dead_letter": "✉", "backoff": "~", "span": "█"}


def show(timeline: Timeline, screen: Console) -> None:
    """Show a timeline as tables, one for each invocation and for what happened between them."""
    for block in _blocks(timeline):
        screen.print(block)


def _blocks(timeline: Timeline) -> Iterator[RenderableType]:
    yield Text.assemble(
        ("correlation ID  ", "dim"), (shown(timeline.correlation_id), "bold cyan"), "\n", ("verdict         ", "dim"),
        (shown(timeline.verdict), "bold"),
    )  # fmt: skip
    for row in timeline.rows:
        yield Text.assemble(("the row now     ", "dim"), shown(_row(row)))
    for line in lines(timeline.gaps):
        yield Text.assemble(("not asked       ", "bold yellow"), shown(line))
    for note in timeline.notes:
        yield Text.assemble(("note            ", "yellow"), shown(note))
    for part in timeline.parts:
        yield Text()
        yield Text.assemble(
            (time_text(part.start), "dim"),
            f"  {part.title}",
            (f"  {milliseconds(part.length_ms)}" if part.length_ms else "", "dim"),
            (_trace_of(part), "dim"),
        )
        yield _table(part)


def _row(row: Mapping[str, Any]) -> str:
    key = f"{row.get('asset_symbol')} {row.get('earnings_date')}"
    if row.get("is_processed") is not True:
        return f"{key}: not processed"
    return (
        f"{key}: processed at {row.get('processed_at')} by event {row.get('processed_by_event')} "
        f"(correlation ID {row.get('correlation_id')})"
    )


def _trace_of(part: Part) -> str:
    trace_id = next((moment.trace_id for moment in part.moments if moment.trace_id), "")
    return f"  trace {trace_id}" if trace_id else ""


def _table(part: Part) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False, show_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, width=_BAR)
    table.add_column(overflow="fold")
    for moment, depth in zip(part.moments, part.depths, strict=True):
        style = _STYLES[moment.gravity]
        what = Text("  " * depth)
        what.append(shown(moment.title), f"bold {style}".strip())
        if moment.duration_ms is not None:
            what.append(f"  {milliseconds(moment.duration_ms)}")
        for name, value in facts_of(moment):
            what.append(f"  {shown(name)}=", "dim").append(shown(value), style)
        offset = milliseconds((moment.at - part.start) / 1e6)
        table.add_row(Text(f"+{offset}", "dim"), Text(_bar(part, moment), style or "cyan"), what)
    return table


def _bar(part: Part, moment: Moment) -> str:
    scale = part.length_ms or 1
    start = min(int((moment.at - part.start) / 1e6 / scale * _BAR), _BAR - 1)
    length = max(1, round((moment.duration_ms or 0) / scale * _BAR))
    return (" " * start + _MARKS[moment.kind] * length)[:_BAR]
