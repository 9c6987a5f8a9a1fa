"""Groups the entries of one event by invocation.

All invocations of a delivery share request ID and trace ID. What distinguishes them is the span in which a log line was
written, and the order of the lines: Lambda invokes the function again only after the invocation before has ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mep.trace.entries import Entry
from mep.trace.span_tree import SpanTree
from otel.event_types import EventType

_TOLERANCE = 50_000_000
"""Nanoseconds by which times of one invocation may disagree: Lambda's have whole milliseconds."""
_SECOND = 1_000_000_000
_LONGEST_ATTEMPT = 10 * _SECOND
"""Nanoseconds from a commit to the first line after it, where its response was lost and the process then died."""
_BEFORE_THE_OUTCOME = {EventType.ATTEMPT, EventType.RETRY_BACKOFF, EventType.ACCESS_DENIED, EventType.EVENT_OUTCOME}
"""Kinds of lines that the function writes before or with its outcome, never after it."""


@dataclass(slots=True)
class Invocation:
    """The entries of one invocation, while they are collected.

    Attributes:
        root: The span of the event; None if it is not known.
        spans: All spans.
        lines: Log lines in the order in which they were written, and backoffs.
        audit: The audit entries that were written with the mark.
    """

    root: Entry | None = None
    spans: list[Entry] = field(default_factory=list)
    lines: list[Entry] = field(default_factory=list)
    audit: list[Entry] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """Every entry."""
        return [*self.spans, *self.lines, *self.audit]

    @property
    def request_id(self) -> str:
        """Lambda's request ID; empty if it is not known."""
        return next((entry.request_id for entry in (*self.spans, *self.lines) if entry.request_id), "")

    @property
    def trace_id(self) -> str:
        """The trace ID; empty if it is not known."""
        return next((entry.trace_id for entry in self.entries if entry.trace_id), "")

    @property
    def outcome(self) -> Mapping[str, Any] | None:
        """The attributes of the function's outcome; None if it is not known."""
        line = self.outcome_line
        if line is not None:
            return line.attributes
        return next((span.attributes for span in self.spans if "outcome" in span.attributes), None)

    @property
    def outcome_line(self) -> Entry | None:
        """The log line with the outcome; None if it is not known."""
        return next((e for e in self.lines if e.attributes.get("event_type") == EventType.EVENT_OUTCOME), None)

    @property
    def start(self) -> int:
        """Start time, nanoseconds since 1970. Without a span, by the durations in the log."""
        starts = [entry.at for entry in self._exact]
        if self.root is None:
            starts += [
                entry.at - int(duration * 1e6)
                for entry in self.lines
                if (duration := _duration_ms(entry)) is not None and duration * 1e6 < entry.at
            ]
        return min(starts)

    @property
    def start_is_unknown(self) -> bool:
        """Whether no record has the start time: no span of the event, no outcome and no line of Lambda."""
        return self.root is None and self.outcome_line is None and not self.has("lambda_start", "lambda_report")

    @property
    def end(self) -> int:
        """End time, nanoseconds since 1970."""
        return max(entry.end for entry in self._exact)

    @property
    def _exact(self) -> list[Entry]:
        """The entries whose time is exact: all but the runtime client's, unless there are no others."""
        entries = self.entries
        return [entry for entry in entries if entry.writer != "runtime_client"] or entries

    def distance(self, at: int) -> int:
        """Return how far a time is outside of the invocation, nanoseconds; 0 if it is inside."""
        return max(self.start - at, at - self.end, 0)

    def has(self, *writers: str) -> bool:
        """Return whether one of `writers` has written a line of the invocation."""
        return any(line.writer in writers for line in self.lines)


def _duration_ms(line: Entry) -> float | None:
    """Return the duration of the invocation that a line at its end has; None for other lines."""
    timings = line.attributes.get("timings_ms")
    is_outcome = line.attributes.get("event_type") == EventType.EVENT_OUTCOME
    value = timings.get("total") if is_outcome and isinstance(timings, Mapping) else None
    if line.writer == "lambda_report":
        value = line.attributes.get("durationMs")
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def group_by_invocation(entries: Iterable[Entry]) -> tuple[list[Invocation], list[Entry]]:
    """Return the invocations in the order of time, and the entries that belong to none.

    Args:
        entries: Log lines in the order in which they were written; other entries in any order.
    """
    grouping = _Grouping(list(entries))
    return grouping.invocations, grouping.rest


class _Grouping:
    def __init__(self, entries: list[Entry]) -> None:
        self._tree = SpanTree(entry for entry in entries if entry.kind == "span")
        self._by_span: dict[str, Invocation] = {}
        self._latest: dict[str, Invocation] = {}
        self.invocations: list[Invocation] = []
        self.rest: list[Entry] = []
        audit = []
        for entry in entries:
            if entry.kind == "span":
                self._add_span(entry)
        for entry in entries:
            if entry.kind == "audit" and entry.writer == "function":
                audit.append(entry)
            elif entry.kind in {"log", "backoff"} and (entry.span_id or entry.request_id):
                self._add_line(entry)
            elif entry.kind != "span":
                self.rest.append(entry)
        self._merge()
        for entry in audit:
            self._add_audit(entry)
        self.invocations.sort(key=lambda invocation: invocation.start)

    def _new(self, span_id: str = "") -> Invocation:
        invocation = Invocation()
        self.invocations.append(invocation)
        if span_id:
            self._by_span[span_id] = invocation
        return invocation

    def _add_span(self, span: Entry) -> None:
        root = self._tree.root(span)
        if root is None:
            self.rest.append(span)
            return
        invocation = self._by_span.get(root.span_id) or self._new(root.span_id)
        invocation.spans.append(span)
        if span is root:
            invocation.root = span

    def _add_line(self, line: Entry) -> None:
        latest = self._latest.get(line.request_id) if line.request_id else None
        if line.span_id:
            span = self._tree.spans.get(line.span_id)
            root = self._tree.root(span) if span is not None else None
            key = root.span_id if root is not None else line.span_id
            invocation = self._by_span.get(key)
            begun = latest if latest is not None and {e.writer for e in latest.lines} == {"lambda_start"} else None
            if invocation is None:
                invocation = begun if begun is not None and begun.root is None else self._new()
                self._by_span[key] = invocation
            elif begun is not None and begun is not invocation and begun.root is None:
                invocation.lines[:0] = begun.lines
                self.invocations.remove(begun)
        elif latest is None or _is_of_another(line, latest):
            invocation = self._new()
        else:
            invocation = latest
        invocation.lines.append(line)
        if line.request_id:
            self._latest[line.request_id] = invocation

    def _merge(self) -> None:
        """Join Lambda's lines about an invocation with its spans, where the function's own lines are missing."""
        of_lambda = [each for each in self.invocations if not each.spans and not any(e.span_id for e in each.lines)]
        for invocation in of_lambda:
            candidates = [
                each
                for each in self.invocations
                if each.root is not None
                and each.request_id == invocation.request_id
                and not any(line.kind == "log" for line in each.lines)
                and _gap(each, invocation) <= _SECOND
            ]
            if candidates:
                nearest = min(candidates, key=lambda each: _gap(each, invocation))
                nearest.lines += invocation.lines
                self.invocations.remove(invocation)

    def _add_audit(self, entry: Entry) -> None:
        """Add the audit entry of a mark to the invocation that wrote it, at the time of its commit."""
        candidates = [each for each in self.invocations if entry.request_id in {"", each.request_id}]
        if not candidates:
            candidates = [each for each in self.invocations if entry.trace_id and each.trace_id == entry.trace_id]
        marked = [each for each in candidates if (each.outcome or {}).get("outcome") == "marked"]
        # The start of an invocation that was killed is not known: its commit may be before its first line.
        # The entry is put together before the first attempt: an invocation that has reported by then did not write it.
        near = [
            each
            for each in candidates
            if (each.outcome_line is None or each.outcome_line.at >= entry.at)
            and (
                each.distance(entry.at) <= _TOLERANCE
                or (each.start_is_unknown and entry.at < each.start <= entry.at + _LONGEST_ATTEMPT)
            )
        ]
        for invocation in marked or sorted(near, key=lambda each: each.distance(entry.at)):
            invocation.audit.append(entry)
            return
        self._new().audit.append(entry)


def _is_of_another(line: Entry, latest: Invocation) -> bool:
    """Return whether a line without a span is not of the latest invocation of its request, but of the next."""
    match line.writer:
        case "lambda_start":
            return True
        case "lambda_report":
            return latest.has("lambda_report")
        case "runtime_client":
            return latest.has("runtime_client", "lambda_report") or line.at + _SECOND < latest.start
        case _:
            precedes_outcome = line.kind == "backoff" or line.attributes.get("event_type") in _BEFORE_THE_OUTCOME
            ended = latest.outcome_line is not None and precedes_outcome
            return ended or latest.has("runtime_client", "lambda_report")


def _gap(first: Invocation, second: Invocation) -> int:
    """Return the nanoseconds between two invocations; 0 if they overlap."""
    return max(first.start - second.end, second.start - first.end, 0)
