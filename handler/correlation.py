"""The correlation ID: found before anything else, so that even a hopeless event can be followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from handler.event import optional
from handler.validation import FieldError, absent, parse_id


@dataclass(frozen=True, slots=True)
class CorrelationId:
    """The ID that every span, log line, metric line, audit entry and dead letter of one event carries.

    Attributes:
        id: the ID itself.
        replaced: whether it had to be made up, because none came or the one that came may not be repeated.
    """

    id: str
    replaced: bool


def resolve_correlation_id(event: object, request_id: str = "") -> CorrelationId:
    """The first of `detail.correlation_id`, `detail.event_id` and the envelope's `id` that is there and not empty.

    It travels in `detail` because an event published again gets a new envelope, and because EventBridge does not
    deliver a trace header. One that is not a valid ID is replaced, never repeated: it may be anything. The replacement
    is Lambda's request ID, which stays the same when Lambda delivers the event again.

    Args:
        event: any JSON value.
        request_id: Lambda's request ID; without one the replacement is random.
    """
    for candidate in _candidates(event):
        try:
            return CorrelationId(parse_id(candidate), replaced=False)
        except FieldError:
            break
    try:
        return CorrelationId(parse_id(request_id), replaced=True)
    except FieldError:
        return CorrelationId(str(uuid4()), replaced=True)


def _candidates(event: object) -> list[Any]:
    if not isinstance(event, Mapping):
        return []
    detail = event.get("detail")
    found = []
    if isinstance(detail, Mapping):
        found = [optional(detail, name) for name in ("correlation_id", "event_id")]
    return [value for value in (*found, event.get("id")) if not absent(value)]
