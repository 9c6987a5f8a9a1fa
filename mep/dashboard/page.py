"""The dashboard as a self-contained HTML page, from the definitions that are deployed."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from mep.dashboard.chart import COLOURS, ChartLine, chart, number
from mep.dashboard.run import RunMetrics
from monitoring.alarms import COMPOSITES, alarms
from monitoring.dashboard import SECTIONS
from monitoring.model import Kind, Limits, Widget
from monitoring.queries import QUERIES

_STYLE = Path(__file__).with_name("page.css")
_QUERIES = {query.name: query for query in QUERIES}


def page(run: RunMetrics, name: str) -> str:
    """Return the dashboard of a run as an HTML document.

    Args:
        run: The metrics of the run.
        name: The name of the run.
    """
    return "".join(_document(run, name))


def _document(run: RunMetrics, name: str) -> Iterator[str]:
    seconds = run.grid.period * run.grid.count
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Dashboard: {escape(name)}</title>'
    yield '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
    yield f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>{_STYLE.read_text()}</style></head><body>"
    yield f"<h1>Dashboard <code>{escape(name)}</code></h1>"
    yield f'<p class="dim">A preview from a local run of {number(seconds)} s, in {run.grid.count} periods, with the '
    yield "widgets and expressions that are deployed. Alarm states and query results need CloudWatch.</p>"
    for section in SECTIONS:
        yield f"<h2>{escape(section.question)}</h2><div class=row>"
        for widget in section.widgets:
            yield f'<section style="grid-column:span {widget.width}"><h3>{escape(widget.title)}</h3>'
            yield from _content(run, widget)
            yield "</section>"
        yield "</div>"
    yield "</body></html>\n"


def _content(run: RunMetrics, widget: Widget) -> Iterator[str]:
    match widget.kind:
        case Kind.ALARMS:
            names = [alarm.name for alarm in alarms(Limits(memory_mb=run.memory_mb))]
            names += [composite.name for composite in COMPOSITES]
            yield from (f"<span class=alarm>{escape(name)}</span> " for name in names)
        case Kind.LOG:
            yield f"<pre>{escape(_QUERIES[widget.query].text)}</pre>"
        case Kind.NUMBER:
            for line in widget.lines:
                yield f"<div class=number><b>{number(run.total(line))}</b>{escape(line.label)}</div>"
        case _:
            lines = [ChartLine(line.label, run.values(line), line.right) for line in widget.lines]
            yield chart(lines, stacked=widget.kind is Kind.STACKED, threshold=widget.threshold)
            yield from _legend(lines, widget)


def _legend(lines: list[ChartLine], widget: Widget) -> Iterator[str]:
    yield f'<p class="legend"><span class=dim>{escape(widget.unit)}</span> '
    for index, line in enumerate(lines):
        empty = " empty" if all(value is None for value in line.values) else ""
        yield f'<span class="key{empty}"><i style="background:{COLOURS[index % len(COLOURS)]}"></i>'
        yield f"{escape(line.label)}</span> "
    yield "</p>"
