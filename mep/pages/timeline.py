"""The timeline of one event as HTML: its outcome, an overview of all invocations, and every record."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from mep.trace.entries import Entry
from mep.trace.formatting import displayed_attributes, milliseconds, text_of
from mep.trace.lookup import row_keys
from mep.trace.sources import gap_lines
from mep.trace.timeline import Section, Timeline
from otel.event_types import EventType

STYLES = (Path(__file__).with_name("timeline.css"),)
"""The style sheets of a page with a timeline."""

SCRIPTS = (Path(__file__).with_name("timeline.js"),)
"""The script of a page with a timeline: buttons that copy IDs."""

OUTCOME_CLASSES: Mapping[str, str] = {
    "marked": "ok",
    "duplicate": "info",
    "discarded": "info",
    "retry": "warning",
    "dead_lettered": "error",
    "undelivered": "error",
}
"""The colour of an outcome; one that is not here has none."""

_OPEN_SECTIONS = 6
"""A timeline with more sections shows the first and the last open, the others closed."""
_MOST_IDS = 6
"""IDs that are shown: an event with many deliveries has a trace ID of each."""
_WIDEST_GAP = 0.5
"""A gap of more than this part of all invocations together is drawn as a break with its length."""


def timeline_html(timeline: Timeline) -> Iterator[str]:
    """Yield the parts of an event's timeline; every value is escaped."""
    yield f'<p class="verdict">{badge(timeline.verdict.outcome)} {escape(timeline.summary)}</p>'
    for line in gap_lines(timeline.gaps):
        yield f'<p class="note"><strong>not read</strong> {escape(line)}</p>'
    for note in timeline.notes:
        yield f'<p class="note">{escape(note)}</p>'
    yield from _ids(timeline)
    yield from _overview(timeline.sections)
    scale = max((section.length_ms for section in timeline.sections), default=0) or 1
    folded = len(timeline.sections) > _OPEN_SECTIONS
    for number, section in enumerate(timeline.sections):
        is_open = not folded or number in {0, len(timeline.sections) - 1}
        yield from _section(section, scale, number, is_open=is_open)
    for row in timeline.rows:
        yield from _values("The calendar row now", row)


def badge(outcome: str | None) -> str:
    """Return an outcome as a coloured word; the word says it without the colour."""
    name = outcome or "unknown"
    return f'<span class="badge {OUTCOME_CLASSES.get(name, "dim")}">{escape(name)}</span>'


def _ids(timeline: Timeline) -> Iterator[str]:
    """Yield the event's IDs, each to be copied, and the row that it names."""
    entries = timeline.entries
    ids = [("correlation ID", timeline.correlation_id)]
    ids += [("row", " ".join(key)) for key in row_keys(entries)[:1]]
    ids += [("event ID", _first(entries, "event_id"))]
    ids += [("request ID", next((entry.request_id for entry in entries if entry.request_id), ""))]
    ids += [("trace ID", trace_id) for trace_id in dict.fromkeys(e.trace_id for e in entries if e.trace_id)]
    shown = [(name, text) for name, text in ids if text]
    yield '<dl class="ids">'
    for name, text in shown[:_MOST_IDS]:
        yield f"<div><dt>{name}</dt><dd>{_copied(text)}</dd></div>"
    if len(shown) > _MOST_IDS:
        yield f"<div><dt>and</dt><dd>{len(shown) - _MOST_IDS} more traces</dd></div>"
    yield "</dl>"


def _first(entries: Iterable[Entry], name: str) -> str:
    return next((str(entry.attributes[name]) for entry in entries if entry.attributes.get(name)), "")


def _copied(text: str) -> str:
    return f'<code data-copy="{escape(text)}">{escape(text)}</code>'


def _overview(sections: tuple[Section, ...]) -> Iterator[str]:
    """Yield one line of time over all sections: their lengths to scale, long gaps as breaks."""
    timed = [section for section in sections if section.start]
    total = sum(section.length_ms for section in timed) or 1
    yield '<ol class="overview" aria-label="all records in the order of time">'
    for previous, section in zip([None, *timed], timed, strict=False):
        if previous is not None:
            end = max(entry.end for entry in previous.entries)
            yield from _gap((section.start - end) / 1e6, total)
        label = f"{section.title}, {milliseconds(section.length_ms)}" if section.length_ms else section.title
        share = 100 * section.length_ms / total
        yield f'<li class="{_colour(section)}" style="flex-grow:{share:.2f}" title="{escape(label)}">'
        yield f"<span>{escape(_short(section))}</span></li>"
    yield "</ol>"


def _gap(length_ms: float, total_ms: float) -> Iterator[str]:
    if length_ms > _WIDEST_GAP * total_ms:
        yield f'<li class="break">{milliseconds(length_ms)}</li>'
    elif length_ms > 0:
        yield f'<li class="gap" style="flex-grow:{100 * length_ms / total_ms:.2f}"></li>'


def _short(section: Section) -> str:
    """Return the title of a section where there is little room: an invocation's number, or the kind of a record."""
    if section.title.startswith("invocation "):
        return section.title.removeprefix("invocation ").partition(",")[0]
    kinds = {"dead_letter": "dead letter", "audit": "operator", "span": "Lambda", "bus": "bus"}
    return kinds.get(section.entries[0].kind, section.entries[0].kind)


def _colour(section: Section) -> str:
    """Return the colour of a section: that of the outcome that it reports, else that of its worst record."""
    for entry in section.entries:
        if entry.attributes.get("event_type") == EventType.EVENT_OUTCOME:
            return OUTCOME_CLASSES.get(str(entry.attributes.get("outcome")), "info")
    severities = {entry.severity for entry in section.entries}
    return next((severity for severity in ("error", "warning") if severity in severities), "info")


def _section(section: Section, scale_ms: float, number: int, *, is_open: bool) -> Iterator[str]:
    length = f" {milliseconds(section.length_ms)}" if section.length_ms else ""
    yield f'<details class="section" id="section-{number}"{" open" if is_open else ""}><summary><h2>'
    yield f'<span class="{_colour(section)}">{escape(section.title)}</span> '
    yield f'<span class="dim">{section.start_text}{length}</span></h2></summary>'
    yield '<table class="records"><thead><tr><th scope="col">after</th>'
    yield f'<th scope="col"><span class="scale"><span>0</span><span>{milliseconds(scale_ms)}</span></span></th>'
    yield '<th scope="col">record</th></tr></thead><tbody>'
    for entry, depth in zip(section.entries, section.depths, strict=True):
        yield from _entry(section, entry, depth, scale_ms)
    yield "</tbody></table>"
    for entry in section.entries:
        if entry.kind == "dead_letter" and entry.attributes.get("body"):
            yield '<details class="body"><summary>the message\'s body</summary>'
            yield f"<pre>{escape(str(entry.attributes['body']))}</pre></details>"
    yield "</details>"


def _entry(section: Section, entry: Entry, depth: int, scale_ms: float) -> Iterator[str]:
    offset = (entry.at - section.start) / 1e6
    left = min(max(100 * offset / scale_ms, 0), 100)
    width = f"width:{min(100 * entry.duration_ms / scale_ms, 100 - left):.3f}%;" if entry.duration_ms else ""
    length = f" {milliseconds(entry.duration_ms)}" if entry.duration_ms is not None else ""
    attributes = "".join(
        f'<span class="fact"><span class="dim">{escape(name)}</span> <code>{escape(value)}</code></span>'
        for name, value in displayed_attributes(entry)
    )
    yield f'<tr class="{entry.kind} {entry.severity}"><td class="offset">+{milliseconds(offset)}</td>'
    yield f'<td class="track"><div class="bar" style="--left:{left:.3f}%;{width}"></div></td>'
    yield f'<td style="padding-left:{0.4 + 1.2 * depth:.1f}rem"><span class="title">{escape(entry.title)}</span>'
    yield f"{length} {attributes}</td></tr>"


def _values(heading: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2>{heading}</h2><dl class="values">'
    for name, value in values.items():
        yield f"<div><dt>{escape(name)}</dt><dd><code>{escape(text_of(value))}</code></dd></div>"
    yield "</dl>"
