"""Event patterns, matched by an emulator's `TestEventPattern`: its implementation, not ours."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import orjson

from emulator.clients import loopback_client
from emulator.errors import InputError
from emulator.services.ministack import ministack
from handler.dead_letters import serialize_event

type PatternMatcher = Callable[[str, str], bool]
"""Whether a pattern matches an event, both JSON."""

_REMEMBERED = 10_000
# What `TestEventPattern` asks of every event; where the pattern does not look, any value will do.
_SKELETON: Mapping[str, Any] = {
    "id": "0",
    "account": "000000000000",
    "source": "none",
    "time": "2025-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail-type": "none",
    "detail": {},
}


class EventPattern:
    """A rule's pattern. What it looks at is asked once: an answer is remembered by the fields that the pattern names.

    Two events that agree in every top-level field that the pattern names cannot be told apart by it, so a pattern on
    `source` and `detail-type` costs one call for each pair that comes, and one on `detail` one for each detail.

    Args:
        pattern: As the rule has it.
        test: Who knows.

    Raises:
        InputError: The pattern is none.
    """

    def __init__(self, pattern: Mapping[str, Any], test: PatternMatcher) -> None:
        self._text = orjson.dumps(pattern).decode()
        self._test = test
        self._fields = sorted(_named(pattern))
        self._remembered: OrderedDict[bytes, bool] = OrderedDict()
        self.matches(_SKELETON)

    def matches(self, event: object) -> bool:
        """Whether the pattern matches. What is no event (no JSON object, no source) is matched by none."""
        if not isinstance(event, Mapping) or not all(
            isinstance(event.get(key), str) for key in ("source", "detail-type")
        ):
            return False
        seen = {name: event[name] for name in self._fields if name in event}
        key = _json(seen)
        known = self._remembered.get(key)
        if known is None:
            skeleton = {name: value for name, value in _SKELETON.items() if name not in self._fields}
            known = self._test(self._text, _json(skeleton | seen).decode())
            self._remembered[key] = known
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return known


def _named(pattern: Mapping[str, Any]) -> Iterator[str]:
    for name, value in pattern.items():
        if name == "$or":
            for alternative in value:
                yield from _named(alternative)
        else:
            yield name


@contextmanager
def emulated_matcher() -> Iterator[PatternMatcher]:
    """Run an emulator of EventBridge and yield its `TestEventPattern`.

    Raises:
        ServiceError: It did not start.
    """
    with ministack("events") as url, closing(loopback_client("events", url)) as client:
        yield api_matcher(client)


def api_matcher(client: Any) -> PatternMatcher:
    """Return `TestEventPattern` of a boto3 client of EventBridge."""

    def test(pattern: str, event: str) -> bool:
        try:
            return bool(client.test_event_pattern(EventPattern=pattern, Event=event)["Result"])
        except client.exceptions.InvalidEventPatternException as error:
            raise InputError(f"the event pattern {pattern} is none: {error}") from error

    return test


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a number of more than 64 bits, a lone surrogate, deep nesting
        return serialize_event(value).encode()
