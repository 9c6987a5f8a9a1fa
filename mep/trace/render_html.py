"""A timeline as a self-contained HTML page with a waterfall: to view, attach to a report, or print."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from mep.trace.entries import Entry
from mep.trace.formatting import displayed_attributes, milliseconds, text_of
from mep.trace.sources import gap_lines
from mep.trace.timeline import Section, Timeline

_STYLE = Path(__file__).with_name("page.css")


def page(timeline: Timeline) -> str:
    """Return a timeline as an HTML document; every value is escaped."""
    return "".join(_document(timeline))


def _document(timeline: Timeline) -> Iterator[str]:
    name = escape(timeline.correlation_id)
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
    yield f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>{_STYLE.read_text()}</style></head><body>"
    yield f'<h1><span class="dim">correlation ID</span> <code>{name}</code></h1>'
    yield f'<p class="verdict">{escape(timeline.summary)}</p>'
    for row in timeline.rows:
        yield f'<p><span class="dim">calendar row</span> <code>{escape(text_of(row))}</code></p>'
    for line in gap_lines(timeline.gaps):
        yield f'<p class="note"><strong>not read</strong> {escape(line)}</p>'
    for note in timeline.notes:
        yield f'<p class="note">{escape(note)}</p>'
    for section in timeline.sections:
        yield from _section(section)
    yield "</body></html>\n"


def _section(section: Section) -> Iterator[str]:
    length = f" {milliseconds(section.length_ms)}" if section.length_ms else ""
    trace_id = next((entry.trace_id for entry in section.entries if entry.trace_id), "")
    trace = f" trace <code>{escape(trace_id)}</code>" if trace_id else ""
    yield f'<h2>{escape(section.title)} <span class="dim">{section.start_text}{length}{trace}</span></h2><table>'
    for entry, depth in zip(section.entries, section.depths, strict=True):
        yield from _entry(section, entry, depth)
    yield "</table>"


def _entry(section: Section, entry: Entry, depth: int) -> Iterator[str]:
    scale = section.length_ms or 1
    offset = (entry.at - section.start) / 1e6
    left = min(100 * offset / scale, 100)
    width = f"width:{100 * entry.duration_ms / scale:.3f}%;" if entry.duration_ms else ""
    length = f" {milliseconds(entry.duration_ms)}" if entry.duration_ms is not None else ""
    attributes = "".join(
        f'<span class="fact"><span class="dim">{escape(name)}</span> <code>{escape(value)}</code></span>'
        for name, value in displayed_attributes(entry)
    )
    yield f'<tr class="{entry.kind} {entry.severity}"><td class="offset">+{milliseconds(offset)}</td>'
    yield f'<td class="track"><div class="bar" style="left:{left:.3f}%;{width}"></div></td>'
    yield f'<td style="padding-left:{0.4 + 1.2 * depth:.1f}rem"><span class="title">{escape(entry.title)}</span>'
    yield f"{length} {attributes}</td></tr>"
