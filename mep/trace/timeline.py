"""The timeline of an event: one section per invocation, and one per record outside of any, in the order of time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mep.calendar import UNMARKED
from mep.dlq.audit import Action
from mep.trace.bus import by_envelope, judge_on_bus
from mep.trace.entries import Entry, SearchResult, time_text
from mep.trace.invocations import Invocation, group_by_invocation
from mep.trace.lookup import deduplicate, violation_notes
from mep.trace.placement import place
from mep.trace.sources import Gap, Source, nothing_was_read, source_names
from mep.trace.span_tree import SpanTree
from mep.trace.verdict import Verdict, judge

_ACTION_TITLES: Mapping[str, str] = {
    Action.REDRIVE_REQUESTED: "an operator begins a redrive",
    Action.REDRIVEN: "redriven by an operator",
    Action.DISCARD_REQUESTED: "an operator begins to discard it",
    Action.DISCARDED: "discarded by an operator",
    UNMARKED: "the mark is removed by an operator",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One invocation, or an entry outside of any: a dead letter, an operator's audit entry.

    Attributes:
        title: The section's heading.
        start: Start time, nanoseconds since 1970. Not after the first entry: without spans, by the log's durations.
        entries: Entries in the order of time.
        depths: The nesting depth of each entry, by position.
    """

    title: str
    start: int
    entries: tuple[Entry, ...]
    depths: tuple[int, ...]

    @property
    def start_text(self) -> str:
        """The start time as text, for people: a dead letter of a local run has none where log and spans are gone."""
        return time_text(self.start) if self.start else "at an unknown time"

    @property
    def length_ms(self) -> float:
        """Milliseconds from the start to the latest end."""
        return (max(entry.end for entry in self.entries) - self.start) / 1e6


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every record of one correlation ID.

    Attributes:
        correlation_id: The correlation ID.
        sections: Sections in the order of time.
        rows: The calendar rows that the entries name, in their current state.
        notes: Remarks, one sentence each.
        verdict: The event's outcome.
        invocations: Number of invocations of the function.
        gaps: Sources that could not be read.
        queue_was_skipped: Whether the dead-letter queue was not to be read.
    """

    correlation_id: str
    sections: tuple[Section, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    verdict: Verdict
    invocations: int
    gaps: tuple[Gap, ...] = ()
    queue_was_skipped: bool = False

    @property
    def entries(self) -> list[Entry]:
        """Every entry, in the order of the sections."""
        return [entry for section in self.sections for entry in section.entries]

    @property
    def summary(self) -> str:
        """The verdict in one sentence, and which sources are missing."""
        if self.sections:
            partial = f" (partial: without {source_names(self.gaps)})" if self.gaps else ""
            return self.verdict.text + partial
        if not self.gaps:
            return "no record of this ID"
        if nothing_was_read(self.gaps, with_queue=not self.queue_was_skipped):
            return "unknown: AWS could not be called"
        return f"unknown: nothing was found, but {source_names(self.gaps)} could not be read completely"

    def as_json(self) -> dict[str, Any]:
        """Return the timeline as a JSON object."""
        return {
            "correlation_id": self.correlation_id,
            "verdict": self.summary,
            "outcome": self.verdict.outcome,
            "invocations": self.invocations,
            "complete": not self.gaps,
            "not_asked": [gap.as_json() for gap in self.gaps],
            "parts": [
                {
                    "title": section.title,
                    "start": time_text(section.start) if section.start else None,
                    "length_ms": round(section.length_ms, 3),
                    "moments": [
                        {**entry.as_json(), "depth": depth}
                        for entry, depth in zip(section.entries, section.depths, strict=True)
                    ],
                }
                for section in self.sections
            ],
            "rows": [dict(row) for row in self.rows],
            "notes": list(self.notes),
        }


def make_timeline(correlation_id: str, results: Iterable[SearchResult]) -> Timeline:
    """Return the timeline of search results.

    Args:
        correlation_id: The correlation ID.
        results: One result per search.
    """
    results = list(results)
    entries = deduplicate(entry for result in results for entry in result.entries)
    gaps = tuple(gap for result in results for gap in result.gaps)
    on_bus = by_envelope(entry for entry in entries if entry.kind == "bus")
    entries = [entry for entry in entries if entry.kind != "bus"]
    invocations, outside = group_by_invocation(entries)
    tree = SpanTree(entry for entry in entries if entry.kind == "span")
    # The bus comes first where its section starts in the same millisecond as that of the invocation.
    sections = [_section("on the event bus", tuple(each), tree) for each in on_bus.values()]
    sections += [_invocation(invocation, number, tree) for number, invocation in enumerate(invocations, 1)]
    sections += _outside(outside, tree)
    log_was_read = all(gap.source is not Source.LOG for gap in gaps)
    verdict = judge(invocations, outside, log_was_read=log_was_read)
    if on_bus and not entries:
        verdict = _on_bus_only(on_bus)
    return Timeline(
        correlation_id,
        tuple(sorted(sections, key=lambda section: section.start)),
        tuple(row for result in results for row in result.rows),
        (*violation_notes(entries), *(note for result in results for note in result.notes)),
        verdict=verdict,
        invocations=len(invocations),
        gaps=gaps,
        queue_was_skipped=any(result.queue_was_skipped for result in results),
    )


def _on_bus_only(on_bus: Mapping[str, list[Entry]]) -> Verdict:
    """Return the verdict of an event of which only the log of the bus is known; of several, that of the last."""
    *_, last = on_bus.values()
    found = judge_on_bus(last)
    return Verdict(found.outcome, f"{found.text}, according to the log of the bus", is_final=False)


def _invocation(invocation: Invocation, number: int, tree: SpanTree) -> Section:
    only_audit = not invocation.spans and not invocation.lines
    title = f"invocation {number}{', known only by its audit entry' if only_audit else ''}"
    return _section(title, place(invocation), tree, invocation.start)


def _outside(entries: Iterable[Entry], tree: SpanTree) -> list[Section]:
    """Return the sections of the entries outside of invocations: one each, and one for all spans of Lambda itself."""
    entries = sorted(entries, key=lambda entry: (entry.at, -entry.end))
    spans = [entry for entry in entries if entry.kind == "span"]
    sections = [_section(_title(entry), (entry,), tree) for entry in entries if entry.kind != "span"]
    return [*sections, _section("Lambda's own spans", tuple(spans), tree)] if spans else sections


def _title(entry: Entry) -> str:
    """Return the title of an entry that belongs to no invocation: what it is."""
    if entry.kind == "dead_letter":
        return "in the dead-letter queue"
    if entry.kind != "audit":
        return "outside of a known invocation"
    action = str(entry.attributes.get("action"))
    return _ACTION_TITLES.get(action, f"audit entry {action}")


def _section(title: str, entries: tuple[Entry, ...], tree: SpanTree, start: int | None = None) -> Section:
    in_spans = any(entry.kind == "span" for entry in entries)
    depths = tuple(_depth(entry, tree, in_spans=in_spans) for entry in entries)
    return Section(title, entries[0].at if start is None else start, entries, depths)


def _depth(entry: Entry, tree: SpanTree, *, in_spans: bool) -> int:
    if entry.kind == "span":
        return tree.depth(entry.span_id)
    if entry.kind == "audit":
        return int(in_spans)
    return int(entry.span_id in tree.spans)
