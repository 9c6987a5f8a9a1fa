"""The events that an ID or a key leads to: found in the records that have it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handler.contract import AUDIT, AUDIT_ACTION, CALENDAR, KEY_FIELDS, PROCESSED, PROCESSED_AT, PROCESSED_BY
from handler.event import optional
from handler.validation import FieldError
from mep.calendar import UNMARKED
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.trace.asked import Asked
from mep.trace.entries import Entry, nanoseconds, nanoseconds_of, time_text
from otel.event_types import EventType
from otel.semconv import LINKED_TRACE_ID

OTHER_IDS = ("event_id", "envelope_id", "request_id", "trace_id", "span_id", "dead_letter_id")
"""Log fields with IDs of an event, the correlation ID excluded."""

_AUDIT_IDS = ("event_id", "request_id", "trace_id", "message_id", "accepted_as")
_ROW = "row"
_OUTCOMES = {
    DeadLetterSource.HANDLER: "dead_lettered",
    DeadLetterSource.ON_FAILURE: "retry",
    DeadLetterSource.LAMBDA: "retry",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One record that has what is asked for.

    Attributes:
        correlation_id: The event's correlation ID.
        kind: What the record has it as: the name of an ID, or `row`.
        at: The time of the record, nanoseconds since 1970; 0 if it has none.
        outcome: The outcome or the operator's action that it records; empty if it records none.
        key: The key of the row that the record is about; empty if it names none.
    """

    correlation_id: str
    kind: str
    at: int = 0
    outcome: str = ""
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One event that has what is asked for.

    Attributes:
        correlation_id: Its correlation ID.
        kind: As in `Observation`.
        at: The time of its last record, nanoseconds since 1970; 0 if none has a time.
        outcome: `marked`, else the last that is known; empty if none is.
        key: The key of its row; empty if it is not known.
    """

    correlation_id: str
    kind: str
    at: int
    outcome: str
    key: tuple[str, ...]

    def note(self, text: str) -> str:
        """Return the note that what is asked for, `text`, led to this event."""
        if self.kind == _ROW:
            return f"the event about {text} has the correlation ID {self.correlation_id}"
        kind = self.kind.replace("_", " ").replace(" id", " ID")
        return f"{text} is the {kind} of the event with the correlation ID {self.correlation_id}"

    def as_json(self, command: str) -> dict[str, Any]:
        """Return the hit as a JSON object.

        Args:
            command: The command that traces it.
        """
        return {
            "correlation_id": self.correlation_id,
            "found_as": self.kind,
            "timestamp": time_text(self.at) if self.at else None,
            "outcome": self.outcome or None,
            "row": dict(zip(CALENDAR.key, self.key, strict=False)) or None,
            "command": command,
        }


def hits(observations: Iterable[Observation]) -> list[Hit]:
    """Return the events of observations, the newest first: those that have the ID; without any, those of the row."""
    observations = list(observations)
    exact = [each for each in observations if each.kind != _ROW]
    by_event: dict[str, list[Observation]] = {}
    for observation in sorted(exact or observations, key=lambda each: each.at):
        by_event.setdefault(observation.correlation_id, []).append(observation)
    found = [_hit(correlation_id, of_event) for correlation_id, of_event in by_event.items()]
    return sorted(found, key=lambda hit: hit.at, reverse=True)


def _hit(correlation_id: str, observations: list[Observation]) -> Hit:
    outcomes = [each.outcome for each in observations if each.outcome]
    if UNMARKED in outcomes:  # a mark before it is no more
        outcomes = outcomes[-1 - outcomes[::-1].index(UNMARKED) :]
    keys = [each.key for each in observations if each.key]
    return Hit(
        correlation_id,
        observations[0].kind,
        observations[-1].at,
        "marked" if "marked" in outcomes else (outcomes or [""])[-1],
        (keys or [()])[0],
    )


def observe_line(line: Mapping[str, Any], asked: Asked) -> Iterator[Observation]:
    """Yield what a log line of the function has of what is asked for."""
    key = tuple(str(line.get(name) or "") for name in CALENDAR.key)
    outcome = str(line.get("outcome") or "") if line.get("event_type") == EventType.EVENT_OUTCOME else ""
    yield from _observe(line, asked, OTHER_IDS, key, line.get("timestamp"), outcome)


def observe_audit(item: Mapping[str, Any], asked: Asked) -> Iterator[Observation]:
    """Yield what an audit entry has of what is asked for."""
    action = str(item.get("action") or "")
    key = tuple(str(item.get(AUDIT.key[0]) or "").split("#"))
    outcome = "marked" if action == AUDIT_ACTION else action
    yield from _observe(item, asked, _AUDIT_IDS, key, item.get("recorded_at"), outcome)


def observe_row(row: Mapping[str, Any], asked: Asked) -> Iterator[Observation]:
    """Yield what a calendar row has of what is asked for: the event that marked it."""
    key = tuple(str(row.get(name) or "") for name in CALENDAR.key)
    outcome = "marked" if row.get(PROCESSED) is True else ""
    # `updated_at` is when the function wrote it; the other time is the producer's.
    written_at = row.get("updated_at", row.get(PROCESSED_AT))
    named = {"event_id": row.get(PROCESSED_BY), "correlation_id": row.get("correlation_id")}
    yield from _observe(named, asked, ("event_id",), key, written_at, outcome)


def observe_linked(span: Entry, asked: Asked) -> Iterator[Observation]:
    """Yield what a span has: the producer's trace, to which it links, as a link or as an annotation."""
    linked = {span.attributes.get(LINKED_TRACE_ID), *span.attributes.get("links", ())}
    correlation_id = span.attributes.get("correlation_id")
    if asked.id and asked.id in linked and correlation_id:
        key = tuple(str(span.attributes.get(name) or "") for name in CALENDAR.key)
        outcome = str(span.attributes.get("outcome") or "")
        yield Observation(str(correlation_id), LINKED_TRACE_ID, span.end, outcome, key if all(key) else ())


def observe_dead_letter(dead_letter: DeadLetter, asked: Asked) -> Iterator[Observation]:
    """Yield what a dead letter, or the event in it, has of what is asked for."""
    event = dead_letter.event if isinstance(dead_letter.event, Mapping) else {}
    detail = event.get("detail")
    named = {
        "message_id": dead_letter.message_id,
        "request_id": dead_letter.request_id,
        "trace_id": dead_letter.trace_id,
        "event_id": dead_letter.event_id,
        "envelope_id": event.get("id"),
        "earnings_id": optional(detail, "earnings_id") if isinstance(detail, Mapping) else None,
        "correlation_id": dead_letter.correlation_id,
    }
    kinds = tuple(name for name in named if name != "correlation_id")
    key = _key_of(detail) if isinstance(detail, Mapping) else ()
    at = time_text(nanoseconds_of(dead_letter.sent_at)) if dead_letter.sent_at is not None else None
    yield from _observe(named, asked, kinds, key, at, _OUTCOMES.get(dead_letter.shape, "undelivered"))


def _key_of(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the valid first parts of the key that an event names: its symbol, where its date is invalid."""
    key: list[str] = []
    for name in CALENDAR.key:
        try:
            key.append(KEY_FIELDS[name](optional(detail, name)))
        except FieldError:
            break
    return tuple(key)


def _observe(
    record: Mapping[str, Any], asked: Asked, kinds: Iterable[str], key: tuple[str, ...], time: object, outcome: str
) -> Iterator[Observation]:
    correlation_id = record.get("correlation_id")
    if not correlation_id:
        return
    at = nanoseconds(time) or 0
    kind = next((name for name in kinds if asked.id and record.get(name) == asked.id), "")
    if not kind and asked.matches(key):
        kind = _ROW
    if kind:
        is_complete = len(key) == len(CALENDAR.key) and all(key)
        yield Observation(str(correlation_id), kind, at, outcome, key if is_complete else ())
