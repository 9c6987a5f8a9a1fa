"""What the list shows of an event: one line."""

from dataclasses import dataclass
from typing import Any

from mep.trace.entries import Entry
from mep.trace.lookup import row_keys
from mep.trace.timeline import Timeline
from otel.event_types import EventType

UNKNOWN = "unknown"
"""The outcome of an event of which no record has one, or of several events with one correlation ID."""

_IDS = ("event_id", "message_id", "envelope_id")


@dataclass(frozen=True, slots=True)
class EventSummary:
    """One event in the list.

    Attributes:
        at_ms: When its first invocation began, milliseconds since 1970; 0 if no record has a time.
        row: The key of its calendar row as text; empty for an event that names no valid row.
        outcome: The verdict's outcome, or `unknown`.
        category: The error category of the last failure; empty without one.
        invocations: Number of invocations of the function.
        duration_ms: Milliseconds from the first record to the end of the last invocation.
        correlation_id: The correlation ID.
        ids: The event's other IDs.
    """

    at_ms: float
    row: str
    outcome: str
    category: str
    invocations: int
    duration_ms: float
    correlation_id: str
    ids: tuple[str, ...]

    def as_json(self) -> list[Any]:
        """Return the values in their order, which the page's script knows."""
        duration = round(self.duration_ms, 1)
        return [
            *(round(self.at_ms), self.row, self.outcome, self.category, self.invocations, duration),
            *(self.correlation_id, " ".join(self.ids)),
        ]


def summarise(timeline: Timeline) -> EventSummary:
    """Return the line of an event in the list."""
    entries = timeline.entries
    starts = [section.start for section in timeline.sections if section.start]
    start = min(starts, default=0)
    end = max((entry.end for entry in entries if _is_of_function(entry)), default=start)
    keys = row_keys(entries)
    return EventSummary(
        at_ms=start / 1e6,
        row=" ".join(keys[0]) if keys else "",
        outcome=timeline.verdict.outcome or UNKNOWN,
        category=_category(entries) if timeline.verdict.outcome != "marked" else "",
        invocations=timeline.invocations,
        duration_ms=max(end - start, 0) / 1e6,
        correlation_id=timeline.correlation_id,
        ids=tuple(dict.fromkeys(_ids(entries))),
    )


def _is_of_function(entry: Entry) -> bool:
    return entry.kind != "dead_letter" and entry.writer != "operator"


def _category(entries: list[Entry]) -> str:
    """Return the error category of the last outcome, or of a dead letter where the function reported none."""
    outcomes = [entry for entry in entries if entry.attributes.get("event_type") == EventType.EVENT_OUTCOME]
    failures = outcomes[-1:] or [entry for entry in entries if entry.kind == "dead_letter"]
    return next((str(entry.attributes["error_category"]) for entry in failures if _has_category(entry)), "")


def _has_category(entry: Entry) -> bool:
    return bool(entry.attributes.get("error_category"))


def _ids(entries: list[Entry]) -> list[str]:
    ids = [text for entry in entries for text in (entry.request_id, entry.trace_id)]
    ids += [str(entry.attributes[name]) for entry in entries for name in _IDS if entry.attributes.get(name)]
    return [text for text in ids if text]
