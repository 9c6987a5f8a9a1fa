"""An event bus with one rule: it archives events, matches them and hands them to the rule's target."""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from emulator.environment import ACCOUNT_ID, REGION
from emulator.pipeline.bus_log import BusLog, Step
from handler.dead_letters import serialize_event
from handler.validation import format_utc

type PatternMatcher = Callable[[str, str], bool]
"""Whether a pattern matches an event, both JSON."""

_CACHE_SIZE = 10_000
_ARCHIVE_BATCH = 500
_PUBLISHED: Mapping[str, str] = {"source": "source", "detail_type": "detail-type", "resources": "resources"}
"""The fields of an event that its first record has, by their name there."""
# The fields that `TestEventPattern` requires of every event; fields outside the pattern may have any value.
_EVENT_TEMPLATE: Mapping[str, Any] = {
    "id": "0",
    "account": ACCOUNT_ID,
    "source": "none",
    "time": "2025-01-01T00:00:00Z",
    "region": REGION,
    "resources": [],
    "detail-type": "none",
    "detail": {},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of `PutEvents`, from which the bus makes an envelope.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html

    Attributes:
        detail: A JSON object as text; copied into the envelope unchanged.
        time: ISO 8601; None for now.
        resources: ARNs.
    """

    source: str
    detail_type: str
    detail: bytes
    time: str | None = None
    resources: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, envelope: Mapping[str, Any]) -> "Entry":
        """Return the entry that publishes an event again, with another `id`.

        Raises:
            ValueError: The envelope has no source, detail-type or detail that could be published.
        """
        source, detail_type, detail = (envelope.get(name) for name in ("source", "detail-type", "detail"))
        if not isinstance(source, str) or not isinstance(detail_type, str) or not isinstance(detail, Mapping):
            raise ValueError(  # noqa: TRY004 - the event is invalid, not the call
                "only an event with source, detail-type and an object as detail can be put onto a bus"
            )
        if source.startswith("aws."):
            raise ValueError(f"the source {source} is reserved for AWS's own events")
        resources = envelope.get("resources")
        time = envelope.get("time")
        return cls(
            source,
            detail_type,
            json.dumps(detail).encode(),
            time if isinstance(time, str) else None,
            tuple(map(str, resources)) if isinstance(resources, list) else (),
        )

    def envelope(self, event_id: str, now: float) -> bytes:
        """Return the event as a target receives it, JSON."""
        return orjson.dumps(
            {
                "version": "0",
                "id": event_id,
                "detail-type": self.detail_type,
                "source": self.source,
                "account": ACCOUNT_ID,
                "time": self.time or format_utc(datetime.fromtimestamp(now, UTC), "seconds"),
                "region": REGION,
                "resources": list(self.resources),
                "detail": orjson.Fragment(self.detail),
            }
        )


class EventPattern:
    """A rule's event pattern. Results are cached by the top-level fields that the pattern names.

    Two events that agree in those fields have the same result. A pattern on `source` and `detail-type` costs
    one call of the matcher for each pair, and one on `detail` one for each detail.

    Args:
        pattern: The pattern.
        matcher: Evaluates it.

    Raises:
        UsageError: The pattern is invalid.
    """

    def __init__(self, pattern: Mapping[str, Any], matcher: PatternMatcher) -> None:
        self._text = orjson.dumps(pattern).decode()
        self._matcher = matcher
        self._fields = sorted(_pattern_fields(pattern))
        self._cache: OrderedDict[bytes, bool] = OrderedDict()
        self.matches(_EVENT_TEMPLATE)

    def matches(self, event: object) -> bool:
        """Whether the pattern matches. No pattern matches a value without a source and a detail-type."""
        if not isinstance(event, Mapping) or not all(
            isinstance(event.get(key), str) for key in ("source", "detail-type")
        ):
            return False
        relevant = {name: event[name] for name in self._fields if name in event}
        key = _to_json(relevant)
        result = self._cache.get(key)
        if result is None:
            template = {name: value for name, value in _EVENT_TEMPLATE.items() if name not in self._fields}
            result = self._matcher(self._text, _to_json(template | relevant).decode())
            self._cache[key] = result
            if len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return result


def _pattern_fields(pattern: Mapping[str, Any]) -> Iterator[str]:
    for name, value in pattern.items():
        if name == "$or":
            for alternative in value:
                yield from _pattern_fields(alternative)
        else:
            yield name


class Archive:
    """Stores events in the order of their time, in a file.

    Args:
        path: The file; None for a temporary one.
    """

    def __init__(self, path: Path | None = None) -> None:
        # "" is SQLite's name for a temporary file. The pipeline's thread writes; tests read from another afterwards.
        self._database = sqlite3.connect(path or "", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF" if path is None else "PRAGMA journal_mode=WAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, time REAL NOT NULL, payload BLOB NOT NULL)"
        )
        self._database.execute("CREATE INDEX IF NOT EXISTS event_time ON event (time, number)")

    def add(self, time_s: float, payload: bytes) -> None:
        """Store one event with its `time` as Unix time in seconds."""
        self._database.execute("INSERT INTO event (time, payload) VALUES (?, ?)", (time_s, payload))

    def between(self, start: float, end: float) -> Iterator[bytes]:
        """Yield the events from `start` (included) to `end` (excluded) by time; ties in the order of arrival."""
        after: tuple[float, int] = (start, 0)
        while True:
            rows = self._database.execute(
                "SELECT time, number, payload FROM event WHERE (time, number) > (?, ?) AND time < ? "
                "ORDER BY time, number LIMIT ?",
                (*after, end, _ARCHIVE_BATCH),
            ).fetchall()
            if not rows:
                return
            for _, _, payload in rows:
                yield payload
            after = rows[-1][:2]

    def __len__(self) -> int:
        """Return the number of events."""
        count: int = self._database.execute("SELECT count(*) FROM event").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@dataclass(slots=True)
class Bus:
    """A bus with one rule. All methods run as actions of the scheduler.

    Attributes:
        pattern: The rule's pattern; None to match everything, also what no bus would carry.
        archive: Stores the events; None for none.
        now: Unix time in seconds.
        log: The log of the bus.
        deliver: Delivers an event to the rule's target.
        filter_out: Called with each event that the rule does not match.
    """

    pattern: EventPattern | None
    archive: Archive | None
    now: Callable[[], float]
    log: BusLog
    deliver: Callable[[bytes, Any], None]
    filter_out: Callable[[bytes, Any], None]

    def accept(self, payload: bytes, tag: Any, *, unmatched: bool = False) -> None:
        """Accept one event, an envelope in JSON.

        Args:
            payload: The event.
            tag: Any value.
            unmatched: Whether the rule does not match it, whatever the pattern.
        """
        parsed = self.pattern is not None or self.archive is not None or self.log.enabled
        event = _parse(payload) if parsed else None
        # An archive has a rule of its own, which leaves replayed events out.
        if self.archive is not None and isinstance(event, dict) and event and "replay-name" not in event:
            self.archive.add(_time_of(event, self.now()), payload)
        event_id = self._log_published(event) if self.log.enabled else ""
        if not unmatched and (self.pattern is None or self.pattern.matches(event)):
            self.deliver(payload, tag)
        else:
            self.log.record(Step.NO_STANDARD_RULES_MATCHED, event_id)
            self.filter_out(payload, tag)

    def _log_published(self, event: object) -> str:
        """Write the record of an event that the bus has accepted, and return its `id`; empty if it has none."""
        values = event if isinstance(event, dict) else {}
        event_id = values.get("id")
        details = {
            "caller_account_id": ACCOUNT_ID,
            "source_time_ms": round(_time_of(values, self.now()) * 1000),
            **{field: values.get(name) for field, name in _PUBLISHED.items()},
        }
        event_id = event_id if isinstance(event_id, str) else ""
        self.log.record(Step.EVENT_INGEST_SUCCESS, event_id, details)
        return event_id

    def replay(self, name: str, start: float, end: float, pattern: EventPattern | None = None) -> Iterator[bytes]:
        """Yield archived events of a time window in the order of their time, as a replay puts them onto the bus.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html: unchanged except for a
        `replay-name`.

        Args:
            name: The name of the replay.
            start: Unix time in seconds, included.
            end: Unix time in seconds, excluded.
            pattern: Selects events; None for all.

        Raises:
            ValueError: There is no archive.
        """
        if self.archive is None:
            raise ValueError("there is no archive to replay from")
        for payload in self.archive.between(start, end):
            if pattern is None or pattern.matches(_parse(payload)):
                # The rest stays byte for byte: numbers may have more digits than a parser retains.
                yield b'{"replay-name":' + orjson.dumps(name) + b"," + payload.lstrip()[1:]


def _parse(payload: bytes) -> object:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:  # EventBridge accepts more than orjson: deep nesting, lone surrogates, numbers of any length
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _to_json(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a number of more than 64 bits, a lone surrogate, deep nesting
        return serialize_event(value).encode()


def _time_of(event: Mapping[str, Any], now: float) -> float:
    try:
        return datetime.fromisoformat(event["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return now
