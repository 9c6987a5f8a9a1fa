"""A timeline as a self-contained HTML page with a waterfall: to view, attach to a report, or print."""

from collections.abc import Iterator
from html import escape

from mep.pages.document import document
from mep.pages.timeline import SCRIPTS, STYLES, timeline_html
from mep.trace.timeline import Timeline


def page(timeline: Timeline) -> str:
    """Return a timeline as an HTML document; every value is escaped."""
    return "".join(document(timeline.correlation_id, _body(timeline), styles=STYLES, scripts=SCRIPTS))


def _body(timeline: Timeline) -> Iterator[str]:
    name = escape(timeline.correlation_id)
    yield f'<main class="page"><h1><span class="dim">correlation ID</span> <code>{name}</code></h1>'
    yield from timeline_html(timeline)
    yield "</main>"
