"""An event bus with one rule: events come in, are archived, matched and handed to the rule's target."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from emulator.environment import ACCOUNT_ID, REGION
from emulator.pipeline.archive import Archive
from emulator.pipeline.patterns import EventPattern


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of `PutEvents`: what a publisher says; the bus makes the rest of the envelope.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html

    Attributes:
        source: Who says it.
        detail_type: What it is.
        detail: A JSON object as text; it stands in the envelope as it is.
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
        """Return the entry that publishes an event again. The bus will give it another `id`.

        Raises:
            ValueError: The envelope has no source, detail-type or detail that could be published.
        """
        source, detail_type, detail = (envelope.get(name) for name in ("source", "detail-type", "detail"))
        if not isinstance(source, str) or not isinstance(detail_type, str) or not isinstance(detail, Mapping):
            raise ValueError(  # noqa: TRY004 - what is wrong is the event, not the call
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
        """Return the event as a target gets it, JSON."""
        return orjson.dumps(
            {
                "version": "0",
                "id": event_id,
                "detail-type": self.detail_type,
                "source": self.source,
                "account": ACCOUNT_ID,
                "time": self.time or _utc(now),
                "region": REGION,
                "resources": list(self.resources),
                "detail": orjson.Fragment(self.detail),
            }
        )


@dataclass(slots=True)
class Bus:
    """A bus with one rule; everything here runs as actions of the timeline.

    Attributes:
        pattern: The rule's; None for a rule that matches whatever comes, also what no bus would carry.
        archive: Keeps what comes; None for none.
        now: Unix time in seconds.
        deliver: The rule's target.
        filtered: Called with what no rule matched.
    """

    pattern: EventPattern | None
    archive: Archive | None
    now: Callable[[], float]
    deliver: Callable[[bytes, Any], None]
    filtered: Callable[[bytes, Any], None]

    def receive(self, payload: bytes, tag: Any) -> None:
        """Take one event, an envelope in JSON."""
        event = _parsed(payload) if self.pattern is not None or self.archive is not None else None
        # An archive has a rule of its own, which leaves replayed events out.
        if self.archive is not None and isinstance(event, dict) and event and "replay-name" not in event:
            self.archive.keep(_time_of(event, self.now()), payload)
        if self.pattern is None or self.pattern.matches(event):
            self.deliver(payload, tag)
        else:
            self.filtered(payload, tag)

    def replayed(self, name: str, start: float, end: float, pattern: EventPattern | None = None) -> Iterator[bytes]:
        """Yield the archive's events of a time window, in the order of their time, as a replay puts them onto the bus.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html: the event is as it was,
        and has a `replay-name`.

        Args:
            name: The replay's.
            start: Unix time in seconds; included.
            end: Unix time in seconds; not included.
            pattern: Leaves out what it does not match.

        Raises:
            ValueError: There is no archive.
        """
        if self.archive is None:
            raise ValueError("there is no archive to replay from")
        for payload in self.archive.between(start, end):
            if pattern is None or pattern.matches(_parsed(payload)):
                # All else stays to the letter: numbers may have more digits than a parser keeps.
                yield b'{"replay-name":' + orjson.dumps(name) + b"," + payload.lstrip()[1:]


def _parsed(payload: bytes) -> object:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:  # what delivers events takes more: deep nesting, lone surrogates, numbers of any length
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _time_of(event: Mapping[str, Any], now: float) -> float:
    try:
        return datetime.fromisoformat(event["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return now


def _utc(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
