"""Groups entries by invocation, in the order of time, and summarizes the result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handler.contract import AUDIT_ACTION
from mep.trace.entries import Entry, SearchResult, time_text
from mep.trace.formatting import text_of
from mep.trace.lookup import deduplicate
from mep.trace.sources import Gap, Source, nothing_was_read, source_names
from otel.event_types import EventType
from otel.semconv import DYNAMODB_THROTTLING_REASONS, THROTTLING_REASONS

_REASONS = (THROTTLING_REASONS, DYNAMODB_THROTTLING_REASONS)
_NO_INVOCATION = "outside"
_SUMMARIES = {
    "marked": "the row is marked",
    "duplicate": "a duplicate: the row was marked before",
    "dead_lettered": "dead-lettered: permanent failure",
    "retry": "not processed: left to Lambda's retries and its on-failure destination",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One invocation, or an entry outside of any: a dead letter, an operator's audit entry.

    Attributes:
        title: The section's heading.
        entries: Entries in the order of time.
        depths: The nesting depth of each entry, by position.
    """

    title: str
    entries: tuple[Entry, ...]
    depths: tuple[int, ...]

    @property
    def start(self) -> int:
        """Start time, nanoseconds since 1970."""
        return self.entries[0].at

    @property
    def length_ms(self) -> float:
        """Milliseconds from the start of the first entry to the latest end."""
        return (max(entry.end for entry in self.entries) - self.start) / 1e6


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every record of one correlation ID.

    Attributes:
        correlation_id: The correlation ID.
        sections: Sections in the order of time.
        rows: The calendar rows that the entries name, in their current state.
        notes: Remarks, one sentence each.
        gaps: Sources that could not be read.
    """

    correlation_id: str
    sections: tuple[Section, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """Every entry, in the order of the sections."""
        return [entry for section in self.sections for entry in section.entries]

    @property
    def summary(self) -> str:
        """The outcome in one sentence, and which sources are missing."""
        entries = self.entries
        if entries:
            partial = f" (partial: without {source_names(self.gaps)})" if self.gaps else ""
            return _summarize(entries, self.gaps) + partial
        if not self.gaps:
            return "no record of this ID"
        if nothing_was_read(self.gaps):
            return "unknown: AWS could not be called"
        return f"unknown: nothing was found, but {source_names(self.gaps)} could not be read completely"

    def as_json(self) -> dict[str, Any]:
        """Return the timeline as a JSON object."""
        return {
            "correlation_id": self.correlation_id,
            "verdict": self.summary,
            "complete": not self.gaps,
            "not_asked": [gap.as_json() for gap in self.gaps],
            "parts": [
                {
                    "title": section.title,
                    "start": time_text(section.start),
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
    # A span sorts before the entries inside it, even at the same nanosecond.
    entries.sort(key=lambda entry: (entry.at, entry.kind != "span", -entry.end))
    return Timeline(
        correlation_id,
        tuple(_sections(entries)),
        tuple(row for result in results for row in result.rows),
        tuple(note for result in results for note in result.notes),
        tuple(gap for result in results for gap in result.gaps),
    )


def _sections(entries: list[Entry]) -> list[Section]:
    spans = {entry.span_id: entry for entry in entries if entry.kind == "span"}
    roots = {span_id: _root(span, spans) for span_id, span in spans.items()}
    requests: dict[str, set[str]] = {root.span_id: set() for root in roots.values()}
    for entry in entries:
        if entry.request_id and entry.span_id in roots:
            requests[roots[entry.span_id].span_id].add(entry.request_id)
    grouped: dict[str, list[Entry]] = {}
    for position, entry in enumerate(entries):
        owner = _owner_invocation(entry, roots, requests) or f"{_NO_INVOCATION} {position}"
        grouped.setdefault(owner, []).append(entry)
    sections = []
    invocations = 0
    for owner, members in grouped.items():
        if owner.startswith(_NO_INVOCATION):
            title = _title_outside(members[0])
        else:
            invocations += 1
            title = f"invocation {invocations}"
        depths = tuple(_depth(member, spans) for member in members)
        sections.append(Section(title, tuple(members), depths))
    return sections


def _title_outside(entry: Entry) -> str:
    """Return the title of an entry that belongs to no known invocation."""
    if entry.kind == "audit":
        return "by an operator" if "operator" in entry.attributes else "by the function"
    return "in the dead-letter queue" if entry.kind == "dead_letter" else ""


def _owner_invocation(entry: Entry, roots: Mapping[str, Entry], requests: Mapping[str, set[str]]) -> str:
    """Return the root span ID of the invocation that an entry belongs to; empty where it belongs to none.

    Args:
        entry: The entry.
        roots: The root span of each span, by span ID.
        requests: The known request IDs of each root span.
    """
    if entry.span_id in roots:
        return roots[entry.span_id].span_id
    # An operator's audit entry names the request that failed, but was written after it.
    if entry.kind == "dead_letter" or "operator" in entry.attributes:
        return ""
    # The attempts of one event share trace and request: the entry belongs to the last that had started by then.
    candidates = [
        root
        for root in roots.values()
        if root.at <= entry.at
        and (
            entry.request_id in requests[root.span_id]
            if entry.request_id and requests[root.span_id]
            else entry.trace_id == root.trace_id
        )
    ]
    if candidates:
        return max(candidates, key=lambda root: root.at).span_id
    # Without spans (disabled, not sampled, lost) entries are grouped by the IDs in the log.
    return entry.span_id or entry.request_id if entry.kind != "audit" else ""


def _root(span: Entry, spans: Mapping[str, Entry]) -> Entry:
    seen = {span.span_id}
    while span.parent_id in spans and span.parent_id not in seen:
        span = spans[span.parent_id]
        seen.add(span.span_id)
    return span


def _depth(entry: Entry, spans: Mapping[str, Entry]) -> int:
    depth, parent, seen = 0, entry.parent_id, {entry.span_id}
    if entry.kind != "span":
        return int(entry.span_id in spans)
    while parent in spans and parent not in seen:
        seen.add(parent)
        depth, parent = depth + 1, spans[parent].parent_id
    return depth


def _is_mark(entry: Entry) -> bool:
    """Return whether an entry is the audit entry that is written in one transaction with the mark."""
    if entry.kind != "audit":
        return False
    return bool(entry.attributes.get("action") == AUDIT_ACTION)


def _summarize(entries: list[Entry], gaps: tuple[Gap, ...]) -> str:
    outcomes = [entry for entry in entries if entry.attributes.get("event_type") == EventType.EVENT_OUTCOME]
    if not outcomes:
        outcomes = [entry for entry in entries if entry.kind == "span" and "outcome" in entry.attributes]
    if not any(entry.attributes["outcome"] == "marked" for entry in outcomes) and any(map(_is_mark, entries)):
        return "the row is marked, according to its audit entry"
    if not outcomes:
        log_is_missing = any(gap.source is Source.LOG for gap in gaps)
        return f"no outcome: {'the log could not be read' if log_is_missing else 'the function did not report one'}"
    outcomes.sort(key=lambda entry: entry.at)
    # A duplicate that is delivered after the mark does not change the outcome.
    last = next((entry for entry in reversed(outcomes) if entry.attributes["outcome"] == "marked"), outcomes[-1])
    attributes = last.attributes
    text = _SUMMARIES.get(str(attributes["outcome"]), str(attributes["outcome"]))
    if "error_category" in attributes:
        cause = [str(attributes[name]) for name in ("error_category", "error_code") if name in attributes]
        cause += [text_of(attributes[name]) for name in _REASONS if attributes.get(name)][:1]
        text += f" ({': '.join(cause)})"
    if attributes.get("same_event") is not None:
        text += " by this event" if attributes["same_event"] else " by another event"
    attempts = attributes.get("attempts", 0)
    if isinstance(attempts, int) and attempts > 1:
        text += f", after {attempts} attempts"
    if len(outcomes) > 1:
        text += f", invocation {outcomes.index(last) + 1} of {len(outcomes)}"
    dead_letters = [entry for entry in entries if entry.kind == "dead_letter"]
    if dead_letters and attributes["outcome"] != "marked":
        text += "; a dead letter contains the event"
    return text
