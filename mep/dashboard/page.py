"""The dashboard as a self-contained HTML page, from the definitions that are deployed."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from mep.dashboard.chart import COLOURS, ChartLine, chart, number
from mep.dashboard.run import RunMetrics
from mep.pages.document import document
from mep.pages.query_results import result_table
from mep.query.local_run import query_run
from mep.query.result import QueryResult
from monitoring.alarm_states import State
from monitoring.dashboard import SECTIONS
from monitoring.model import Kind, Widget
from monitoring.queries import QUERIES

_STYLE = Path(__file__).with_name("page.css")
_NO_DATA = '<p class="dim no-data">no data</p>'
_QUERIES = {query.name: query for query in QUERIES}


def page(run: RunMetrics, folder: Path) -> str:
    """Return the dashboard of a run as an HTML document.

    Args:
        run: The metrics of the run.
        folder: `--out` of the run.
    """
    title = f"Dashboard: {folder.resolve().name}"
    return "".join(document(title, _body(run, folder), styles=(_STYLE,)))


def _body(run: RunMetrics, folder: Path) -> Iterator[str]:
    states = run.alarm_states()
    shown = [widget.query for section in SECTIONS for widget in section.widgets if widget.query]
    results = {result.query: result for result in query_run(folder, {name: _QUERIES[name].text for name in shown})}
    yield f'<main class="page"><h1>Dashboard <code>{escape(folder.resolve().name)}</code></h1>'
    yield f'<p class="dim">A preview from a local run of {number(run.end - run.start)} s, with the widgets, '
    yield "expressions and periods that are deployed: a run that is shorter than a period is one value. An alarm is "
    yield "shown in ALARM if it was at any minute of the run.</p>"
    for section in SECTIONS:
        yield f"<h2>{escape(section.question)}</h2><div class=row>"
        for widget in section.widgets:
            yield f'<section style="grid-column:span {widget.width}"><h3>{escape(widget.title)}</h3>'
            yield from _content(run, widget, states, results)
            yield "</section>"
        yield "</div>"
    yield "</main>"


def _content(
    run: RunMetrics, widget: Widget, states: Mapping[str, State], results: Mapping[str, QueryResult]
) -> Iterator[str]:
    match widget.kind:
        case Kind.ALARMS:
            yield from (_alarm(name, state) for name, state in states.items())
        case Kind.LOG:
            yield from result_table(results[widget.query])
        case Kind.NUMBER:
            for line in widget.lines:
                total = run.total(line)
                value = _NO_DATA if total is None else f"<b>{number(total)}</b>"
                yield f"<div class=number>{value}{escape(line.label)}</div>"
        case _:
            lines = [ChartLine(line.label, run.values(line, widget), line.right) for line in widget.lines]
            if all(value is None for line in lines for value in line.values):
                yield _NO_DATA
            else:
                yield chart(lines, stacked=widget.kind is Kind.STACKED, threshold=widget.threshold)
            yield from _legend(lines, widget)


def _alarm(name: str, state: State) -> str:
    shown = " in-alarm" if state is State.ALARM else ""
    return f'<span class="alarm{shown}" title="{state.value}">{escape(name)}{": ALARM" if shown else ""}</span> '


def _legend(lines: list[ChartLine], widget: Widget) -> Iterator[str]:
    yield f'<p class="legend"><span class=dim>{escape(widget.unit)}</span> '
    for index, line in enumerate(lines):
        empty = " empty" if all(value is None for value in line.values) else ""
        yield f'<span class="key{empty}"><i style="background:{COLOURS[index % len(COLOURS)]}"></i>'
        yield f"{escape(line.label)}</span> "
    yield "</p>"
