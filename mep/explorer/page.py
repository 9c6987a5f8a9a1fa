"""The page with all events of a run, as one HTML document."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import batched
from pathlib import Path
from typing import Any

from mep.explorer.index import RunIndex
from mep.explorer.run_facts import RunFacts, run_facts
from mep.explorer.summary import summarise
from mep.pages.document import document
from mep.pages.query_results import result_table
from mep.pages.timeline import SCRIPTS, STYLES, timeline_html

_TIMELINES_PER_PART = 100
"""The script reads a part when the first of its timelines is shown."""
_STYLE = Path(__file__).with_name("page.css")
_SCRIPT = Path(__file__).with_name("page.js")
_COLUMNS = ("time", "row", "outcome", "category", "tries", "duration")


def page(folder: Path) -> Iterator[str]:
    """Yield the parts of the page of a run that has ended, with every timeline in it.

    Args:
        folder: `--out` of `mep local`.
    """
    index = RunIndex(folder)
    index.read()
    data: dict[str, Any] = {}
    summaries = []
    for number, correlation_ids in enumerate(batched(index.correlation_ids, _TIMELINES_PER_PART, strict=False)):
        timelines = [index.timeline(correlation_id) for correlation_id in correlation_ids]
        summaries += [summarise(timeline).as_json() for timeline in timelines]
        data[f"timelines-{number}"] = ["".join(timeline_html(timeline)) for timeline in timelines]
    yield from _document(folder, run_facts(folder), {"events": summaries, **data}, live=False)


def live_page(folder: Path, summaries: Sequence[Any]) -> Iterator[str]:
    """Yield the parts of the page of a run that goes on: the script asks the server for the timelines."""
    yield from _document(folder, run_facts(folder), {"events": summaries}, live=True)


def _document(folder: Path, facts: RunFacts, data: dict[str, Any], *, live: bool) -> Iterator[str]:
    name = folder.resolve().name
    yield from document(
        f"Run {name}",
        _body(name, facts),
        styles=(*STYLES, _STYLE),
        scripts=(*SCRIPTS, _SCRIPT),
        data=data,
        attributes=f'data-live="{str(live).lower()}"',
        served=live,
    )


def _body(name: str, facts: RunFacts) -> Iterator[str]:
    yield f'<header><h1><span class="dim">run</span> {escape(name)}</h1>'
    yield '<strong id="connection" class="warning">the run has ended: this is its last state</strong>'
    yield f'<div id="run">{"".join(run_html(facts))}</div></header>'
    yield '<main><section class="list" aria-label="events"><div class="tools"><search>'
    yield '<input id="search" type="search" placeholder="symbol, date or any ID" aria-label="search events" '
    yield 'autocomplete="off">'
    yield '<output id="count" aria-live="polite"></output></search>'
    yield '<div class="chips" id="outcome-chips" role="group" aria-label="filter by outcome"></div>'
    yield '<div class="chips" id="category-chips" role="group" aria-label="filter by error category"></div></div>'
    yield '<div id="grid" role="grid" tabindex="0" aria-label="events" aria-readonly="true">'
    yield '<div class="head" role="row" aria-rowindex="1">'
    for number, column in enumerate(_COLUMNS):
        order = "ascending" if not number else "none"
        yield f'<span role="columnheader" aria-sort="{order}">'
        yield f'<button type="button" tabindex="-1" data-order="{number}">{column}</button></span>'
    yield '</div><div id="viewport" role="presentation"><div id="scroller" role="presentation">'
    yield '<div id="rows" role="rowgroup"></div></div></div></div></section>'
    yield '<section class="detail" aria-label="the chosen event"><button type="button" id="back">all events</button>'
    yield '<article id="timeline" tabindex="-1"></article></section></main>'
    yield "<noscript><p>The list needs JavaScript; <code>mep trace ID --run DIR</code> does not.</p></noscript>"


def run_html(facts: RunFacts) -> Iterator[str]:
    """Yield the head of the page: the run's counts, and its alarms with their runbook sections."""
    yield "".join(
        f'<span><span class="dim">{escape(name)}</span> {escape(value)}</span>' for name, value in facts.counts
    )
    if facts.problem:
        yield f'<p class="note">{escape(facts.problem)}</p>'
    if facts.alarms:
        yield from _alarms_html(facts)
    if facts.results:
        yield "<details><summary>saved queries</summary>"
        for result in facts.results:
            yield f"<h3><code>mep query {escape(result.query)}</code></h3>"
            yield from result_table(result)
        yield "</details>"


def _alarms_html(facts: RunFacts) -> Iterator[str]:
    fired = [alarm for alarm in facts.alarms if alarm.fired]
    names = ", ".join(alarm.name for alarm in fired) or "none"
    colour = "error" if fired else "ok"
    yield f'<details><summary>alarms that this run sets off: <strong class="{colour}">{escape(names)}</strong> '
    yield f'<span class="dim">of {len(facts.alarms)}</span></summary><ul class="alarm-list">'
    for alarm in fired:
        yield f'<li><strong class="error">{escape(alarm.name)}</strong> {escape(alarm.summary)}'
        if alarm.runbook:
            yield f'<details><summary>runbook</summary><div class="runbook">{alarm.runbook}</div></details>'
        yield "</li>"
    quiet = ", ".join(alarm.name for alarm in facts.alarms if not alarm.fired)
    yield f'<li class="dim">OK: {escape(quiet)}</li></ul></details>'
