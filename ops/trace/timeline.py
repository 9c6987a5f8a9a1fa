"""Puts moments together: one part for each invocation, in the order of time, and a verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.trace.gaps import Gap, Source, named, nobody_answered
from ops.trace.moments import Finding, Moment, time_text, without_repeats
from ops.trace.shown import text_of
from otel.event_types import EventType
from otel.names import DYNAMODB_THROTTLING_REASONS, THROTTLING_REASONS

_REASONS = (THROTTLING_REASONS, DYNAMODB_THROTTLING_REASONS)
_ENDINGS = {
    "marked": "the row is marked",
    "duplicate": "a duplicate: the row was marked before",
    "dead_lettered": "dead-lettered: more tries cannot help",
    "retry": "not processed: left to Lambda's retries and its on-failure destination",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One invocation, or what happened between two: a dead letter, what an operator did.

    Attributes:
        title: what it is.
        moments: in the order of time.
        depths: how deep each moment stands below the first, by position.
    """

    title: str
    moments: tuple[Moment, ...]
    depths: tuple[int, ...]

    @property
    def start(self) -> int:
        """When it began, nanoseconds since 1970."""
        return self.moments[0].at

    @property
    def length_ms(self) -> float:
        """Milliseconds from its first moment to the end of its last."""
        return (max(each.end for each in self.moments) - self.start) / 1e6


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that one correlation ID left behind.

    Attributes:
        correlation_id: the ID.
        parts: in the order of time.
        rows: the calendar rows it is about, as they are now.
        notes: what is worth knowing; one sentence each.
        gaps: what could not be asked.
    """

    correlation_id: str
    parts: tuple[Part, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def moments(self) -> list[Moment]:
        """Every moment, in the order of the parts."""
        return [moment for part in self.parts for moment in part.moments]

    @property
    def verdict(self) -> str:
        """How it ended, in one sentence, and whether something is missing in it."""
        moments = self.moments
        if moments:
            return _verdict(moments, self.gaps) + (f" (partial: without {named(self.gaps)})" if self.gaps else "")
        if not self.gaps:
            return "nothing is known of this ID"
        if nobody_answered(self.gaps):
            return "unknown: AWS could not be asked"
        return f"unknown: nothing was found, but {named(self.gaps)} could not be asked, or not about everything"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return {
            "correlation_id": self.correlation_id,
            "verdict": self.verdict,
            "complete": not self.gaps,
            "not_asked": [gap.as_json() for gap in self.gaps],
            "parts": [
                {
                    "title": part.title,
                    "start": time_text(part.start),
                    "length_ms": round(part.length_ms, 3),
                    "moments": [
                        {**moment.as_json(), "depth": depth}
                        for moment, depth in zip(part.moments, part.depths, strict=True)
                    ],
                }
                for part in self.parts
            ],
            "rows": [dict(row) for row in self.rows],
            "notes": list(self.notes),
        }


def make_timeline(correlation_id: str, findings: Iterable[Finding]) -> Timeline:
    """Put together what the sources found.

    Args:
        correlation_id: what was asked for.
        findings: of each source.
    """
    every = list(findings)
    moments = without_repeats(moment for finding in every for moment in finding.moments)
    # A span before what happened inside it, even at the same nanosecond.
    moments.sort(key=lambda moment: (moment.at, moment.kind != "span", -moment.end))
    return Timeline(
        correlation_id,
        tuple(_parts(moments)),
        tuple(row for finding in every for row in finding.rows),
        tuple(note for finding in every for note in finding.notes),
        tuple(gap for finding in every for gap in finding.gaps),
    )


def _parts(moments: list[Moment]) -> list[Part]:
    spans = {moment.span_id: moment for moment in moments if moment.kind == "span"}
    roots = {span_id: _root(span, spans) for span_id, span in spans.items()}
    requests: dict[str, set[str]] = {root.span_id: set() for root in roots.values()}
    for moment in moments:
        if moment.request_id and moment.span_id in roots:
            requests[roots[moment.span_id].span_id].add(moment.request_id)
    grouped: dict[str, list[Moment]] = {}
    for position, moment in enumerate(moments):
        home = _home(moment, roots, requests) or f"alone {position}"
        grouped.setdefault(home, []).append(moment)
    parts = []
    invocations = 0
    for home, members in grouped.items():
        if home.startswith("alone "):
            title = _title_alone(members[0])
        else:
            invocations += 1
            title = f"invocation {invocations}"
        depths = tuple(_depth(member, spans) for member in members)
        parts.append(Part(title, tuple(members), depths))
    return parts


def _title_alone(moment: Moment) -> str:
    """What to call a moment that belongs to no invocation that is known."""
    if moment.kind == "audit":
        return "by an operator" if "operator" in moment.facts else "by the function"
    return "in the dead-letter queue" if moment.kind == "dead_letter" else ""


def _home(moment: Moment, roots: Mapping[str, Moment], requests: Mapping[str, set[str]]) -> str:
    """The span ID of the invocation that a moment belongs to; empty where it belongs to none.

    Args:
        moment: any.
        roots: of each span, by its ID, the span at the top.
        requests: of each top span, the request IDs that are known of it.
    """
    if moment.span_id in roots:
        return roots[moment.span_id].span_id
    # An operator's entry names the request that failed, but came after it.
    if moment.kind == "dead_letter" or "operator" in moment.facts:
        return ""
    # The tries of one event share trace and request: the last that had begun by then is meant.
    candidates = [
        root
        for root in roots.values()
        if root.at <= moment.at
        and (
            moment.request_id in requests[root.span_id]
            if moment.request_id and requests[root.span_id]
            else moment.trace_id == root.trace_id
        )
    ]
    if candidates:
        return max(candidates, key=lambda root: root.at).span_id
    # Without spans (switched off, not sampled, lost) the log alone tells what belongs together.
    return moment.span_id or moment.request_id if moment.kind != "audit" else ""


def _root(span: Moment, spans: Mapping[str, Moment]) -> Moment:
    seen = {span.span_id}
    while span.parent_id in spans and span.parent_id not in seen:
        span = spans[span.parent_id]
        seen.add(span.span_id)
    return span


def _depth(moment: Moment, spans: Mapping[str, Moment]) -> int:
    depth, parent, seen = 0, moment.parent_id, {moment.span_id}
    if moment.kind != "span":
        return int(moment.span_id in spans)
    while parent in spans and parent not in seen:
        seen.add(parent)
        depth, parent = depth + 1, spans[parent].parent_id
    return depth


def _proves_the_mark(moment: Moment) -> bool:
    """Whether a moment is the audit entry that is written in one transaction with the mark, or not at all."""
    if moment.kind != "audit":
        return False
    from handler.marking import ACTION  # with it comes boto3

    return bool(moment.facts.get("action") == ACTION)


def _verdict(moments: list[Moment], gaps: tuple[Gap, ...]) -> str:
    told = [moment for moment in moments if moment.facts.get("event_type") == EventType.EVENT_OUTCOME]
    if not told:
        told = [moment for moment in moments if moment.kind == "span" and "outcome" in moment.facts]
    if not any(moment.facts["outcome"] == "marked" for moment in told) and any(map(_proves_the_mark, moments)):
        return "the row is marked: its audit entry says so"
    if not told:
        silent = any(gap.source is Source.LOG for gap in gaps)
        return f"no outcome is known: {'the log could not be asked' if silent else 'the function did not report one'}"
    told.sort(key=lambda moment: moment.at)
    # A redelivery of what is marked already is not how it ended.
    last = next((moment for moment in reversed(told) if moment.facts["outcome"] == "marked"), told[-1])
    facts = last.facts
    text = _ENDINGS.get(str(facts["outcome"]), str(facts["outcome"]))
    if "error_category" in facts:
        why = [str(facts[name]) for name in ("error_category", "error_code") if name in facts]
        why += [text_of(facts[name]) for name in _REASONS if facts.get(name)][:1]
        text += f" ({': '.join(why)})"
    if facts.get("same_event") is not None:
        text += " by this very event" if facts["same_event"] else " by another event"
    attempts = facts.get("attempts", 0)
    if isinstance(attempts, int) and attempts > 1:
        text += f", after {attempts} attempts"
    if len(told) > 1:
        text += f", invocation {told.index(last) + 1} of {len(told)}"
    letters = [moment for moment in moments if moment.kind == "dead_letter"]
    if letters and facts["outcome"] != "marked":
        text += "; a dead letter holds the event"
    return text
