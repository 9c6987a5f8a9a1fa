"""Puts moments together: one part for each invocation, in the order of time, and a verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handler.contract import AUDIT_ACTION
from mep.trace.entries import Entry, SearchResult, deduplicate, time_text
from mep.trace.formatting import text_of
from mep.trace.gaps import Gap, Source, named, nobody_answered
from otel.event_types import EventType
from otel.semconv import DYNAMODB_THROTTLING_REASONS, THROTTLING_REASONS

_REASONS = (THROTTLING_REASONS, DYNAMODB_THROTTLING_REASONS)
_SUMMARIES = {
    "marked": "the row is marked",
    "duplicate": "a duplicate: the row was marked before",
    "dead_lettered": "dead-lettered: more tries cannot help",
    "retry": "not processed: left to Lambda's retries and its on-failure destination",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One invocation, or what happened between two: a dead letter, what an operator did.

    Attributes:
        title: what it is.
        entries: in the order of time.
        depths: how deep each moment stands below the first, by position.
    """

    title: str
    entries: tuple[Entry, ...]
    depths: tuple[int, ...]

    @property
    def start(self) -> int:
        """When it began, nanoseconds since 1970."""
        return self.entries[0].at

    @property
    def length_ms(self) -> float:
        """Milliseconds from its first moment to the end of its last."""
        return (max(each.end for each in self.entries) - self.start) / 1e6


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that one correlation ID left behind.

    Attributes:
        correlation_id: the ID.
        sections: in the order of time.
        rows: the calendar rows it is about, as they are now.
        notes: what is worth knowing; one sentence each.
        gaps: what could not be asked.
    """

    correlation_id: str
    sections: tuple[Section, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """Every moment, in the order of the parts."""
        return [entry for section in self.sections for entry in section.entries]

    @property
    def summary(self) -> str:
        """How it ended, in one sentence, and whether something is missing in it."""
        entries = self.entries
        if entries:
            return _summarize(entries, self.gaps) + (f" (partial: without {named(self.gaps)})" if self.gaps else "")
        if not self.gaps:
            return "nothing is known of this ID"
        if nobody_answered(self.gaps):
            return "unknown: AWS could not be asked"
        return f"unknown: nothing was found, but {named(self.gaps)} could not be asked, or not about everything"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
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


def make_timeline(correlation_id: str, findings: Iterable[SearchResult]) -> Timeline:
    """Put together what the sources found.

    Args:
        correlation_id: what was asked for.
        findings: of each source.
    """
    every = list(findings)
    entries = deduplicate(entry for finding in every for entry in finding.entries)
    # A span before what happened inside it, even at the same nanosecond.
    entries.sort(key=lambda entry: (entry.at, entry.kind != "span", -entry.end))
    return Timeline(
        correlation_id,
        tuple(_parts(entries)),
        tuple(row for finding in every for row in finding.rows),
        tuple(note for finding in every for note in finding.notes),
        tuple(gap for finding in every for gap in finding.gaps),
    )


def _parts(entries: list[Entry]) -> list[Section]:
    spans = {entry.span_id: entry for entry in entries if entry.kind == "span"}
    roots = {span_id: _root(span, spans) for span_id, span in spans.items()}
    requests: dict[str, set[str]] = {root.span_id: set() for root in roots.values()}
    for entry in entries:
        if entry.request_id and entry.span_id in roots:
            requests[roots[entry.span_id].span_id].add(entry.request_id)
    grouped: dict[str, list[Entry]] = {}
    for position, entry in enumerate(entries):
        home = _owner_invocation(entry, roots, requests) or f"alone {position}"
        grouped.setdefault(home, []).append(entry)
    sections = []
    invocations = 0
    for home, members in grouped.items():
        if home.startswith("alone "):
            title = _title_alone(members[0])
        else:
            invocations += 1
            title = f"invocation {invocations}"
        depths = tuple(_depth(member, spans) for member in members)
        sections.append(Section(title, tuple(members), depths))
    return sections


def _title_alone(entry: Entry) -> str:
    """What to call a moment that belongs to no invocation that is known."""
    if entry.kind == "audit":
        return "by an operator" if "operator" in entry.attributes else "by the function"
    return "in the dead-letter queue" if entry.kind == "dead_letter" else ""


def _owner_invocation(entry: Entry, roots: Mapping[str, Entry], requests: Mapping[str, set[str]]) -> str:
    """The span ID of the invocation that a moment belongs to; empty where it belongs to none.

    Args:
        entry: any.
        roots: of each span, by its ID, the span at the top.
        requests: of each top span, the request IDs that are known of it.
    """
    if entry.span_id in roots:
        return roots[entry.span_id].span_id
    # An operator's entry names the request that failed, but came after it.
    if entry.kind == "dead_letter" or "operator" in entry.attributes:
        return ""
    # The tries of one event share trace and request: the last that had begun by then is meant.
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
    # Without spans (switched off, not sampled, lost) the log alone tells what belongs together.
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


def _proves_the_mark(entry: Entry) -> bool:
    """Whether a moment is the audit entry that is written in one transaction with the mark, or not at all."""
    if entry.kind != "audit":
        return False
    return bool(entry.attributes.get("action") == AUDIT_ACTION)


def _summarize(entries: list[Entry], gaps: tuple[Gap, ...]) -> str:
    told = [entry for entry in entries if entry.attributes.get("event_type") == EventType.EVENT_OUTCOME]
    if not told:
        told = [entry for entry in entries if entry.kind == "span" and "outcome" in entry.attributes]
    if not any(entry.attributes["outcome"] == "marked" for entry in told) and any(map(_proves_the_mark, entries)):
        return "the row is marked: its audit entry says so"
    if not told:
        silent = any(gap.source is Source.LOG for gap in gaps)
        return f"no outcome is known: {'the log could not be asked' if silent else 'the function did not report one'}"
    told.sort(key=lambda entry: entry.at)
    # A redelivery of what is marked already is not how it ended.
    last = next((entry for entry in reversed(told) if entry.attributes["outcome"] == "marked"), told[-1])
    attributes = last.attributes
    text = _SUMMARIES.get(str(attributes["outcome"]), str(attributes["outcome"]))
    if "error_category" in attributes:
        why = [str(attributes[name]) for name in ("error_category", "error_code") if name in attributes]
        why += [text_of(attributes[name]) for name in _REASONS if attributes.get(name)][:1]
        text += f" ({': '.join(why)})"
    if attributes.get("same_event") is not None:
        text += " by this very event" if attributes["same_event"] else " by another event"
    attempts = attributes.get("attempts", 0)
    if isinstance(attempts, int) and attempts > 1:
        text += f", after {attempts} attempts"
    if len(told) > 1:
        text += f", invocation {told.index(last) + 1} of {len(told)}"
    dead_letters = [entry for entry in entries if entry.kind == "dead_letter"]
    if dead_letters and attributes["outcome"] != "marked":
        text += "; a dead letter holds the event"
    return text
