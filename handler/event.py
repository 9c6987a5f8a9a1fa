"""From the JSON that arrives to a `ValidEvent`, or to every violation of the contract."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4

from handler import contract
from handler.errors import ErrorCategory, ProcessingError
from handler.validation import FieldError, Validator, Violation, absent, describe_type, parse_id

_MISSING = object()


class ValidEvent(NamedTuple):
    """A valid event.

    Attributes:
        key: The key of the row that it is about, by `contract.KEY_FIELDS`.
        event_id: `detail.event_id`, else the envelope's `id`: the same when the event is delivered again.
        processed_at: When the producer finished, UTC; None if the event does not have it.
        envelope_id: The envelope's `id`, if the event ID is another: the log of the bus has no other ID.
    """

    key: Mapping[str, str]
    event_id: str
    processed_at: str | None
    envelope_id: str | None = None


class CorrelationId(NamedTuple):
    """The ID that every span, log line, metric line, audit entry and dead letter of one event carries.

    Attributes:
        id: The ID.
        replaced: Whether it was generated, because the event has none or an invalid one.
    """

    id: str
    replaced: bool


def parse_event(event: object, *, source: str) -> ValidEvent:
    """Check an EventBridge envelope and its detail.

    Args:
        event: Any JSON value.
        source: The `source` of the rule's event pattern.

    Raises:
        ProcessingError: With every violation, not only the first.
    """
    if not isinstance(event, Mapping):
        raise _invalid([Violation("event", "an EventBridge event (a JSON object)", describe_type(event))])
    check = _Check()
    check.equal("source", event, source)
    check.equal("detail-type", event, contract.DETAIL_TYPE)
    envelope_id = check.value("id", event.get("id", _MISSING), parse_id, required=True)
    detail = event.get("detail", _MISSING)
    if isinstance(detail, Mapping):
        key = {name: check.detail(detail, name, rule, required=True) for name, rule in contract.KEY_FIELDS.items()}
        optional_fields = {
            name: check.detail(detail, name, rule, required=False) for name, rule in contract.OPTIONAL_FIELDS.items()
        }
        for name in contract.UNCHECKED_FIELDS:
            check.spelling(detail, name, required=False)
    else:
        key, optional_fields = {}, {}
        check.violation("detail", "a JSON object", detail)
    if check.violations:
        raise _invalid(check.violations)
    event_id = optional_fields["event_id"]
    return ValidEvent(
        key={name: str(value) for name, value in key.items()},
        event_id=str(event_id or envelope_id),
        processed_at=optional_fields[contract.PROCESSED_AT],
        envelope_id=envelope_id if event_id and event_id != envelope_id else None,
    )


def _invalid(violations: list[Violation]) -> ProcessingError:
    message = "; ".join(f"{v.field}: {v.rule} (received: {v.received})" for v in violations)
    return ProcessingError(ErrorCategory.VALIDATION, "InvalidEvent", message, violations=tuple(violations))


def resolve_correlation_id(event: object, request_id: str = "") -> CorrelationId:
    """Return the first of `detail.correlation_id`, `detail.event_id` and the envelope's `id` that is not empty.

    It is in `detail` because an event that is published again gets a new envelope, and because EventBridge does not
    deliver a trace header. An invalid one may hold anything: it is replaced and never repeated. The replacement is
    Lambda's request ID, which stays the same when Lambda delivers the event again.

    Args:
        event: Any JSON value.
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


def traceparent(event: object) -> object:
    """Return `detail.traceparent` as it came, under either spelling; None where there is none."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    # The one field whose two spellings differ only in the case of a character.
    return detail.get("traceparent") or detail.get("traceParent") if isinstance(detail, Mapping) else None


@cache  # the same few names for every event
def camel_case(name: str) -> str:
    """Return `asset_symbol` as `assetSymbol`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def optional(detail: Mapping[str, Any], name: str) -> Any:
    """Return the value of an optional field of `detail` under either spelling; None if it is absent."""
    for spelling in (name, camel_case(name)):
        value = detail.get(spelling)
        if not absent(value):
            return value
    return None


class _Check:
    """Applies validators and collects the violations."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def violation(self, field: str, rule: str, value: object) -> None:
        received = "nothing" if value is _MISSING else describe_type(value)
        self.violations.append(Violation(field, rule, received))

    def equal(self, field: str, envelope: Mapping[str, Any], expected: str) -> None:
        value = envelope.get(field, _MISSING)
        if value != expected:
            self.violation(field, f'exactly "{expected}"', value)

    def value(self, field: str, value: object, rule: Validator, *, required: bool) -> str | None:
        if not required and value is _MISSING:
            return None
        try:
            return rule(value)
        except FieldError as error:
            self.violation(field, str(error), value)
            return None

    def detail(self, detail: Mapping[str, Any], name: str, rule: Validator, *, required: bool) -> str | None:
        return self.value(f"detail.{name}", self.spelling(detail, name, required=required), rule, required=required)

    def spelling(self, detail: Mapping[str, Any], name: str, *, required: bool) -> object:
        """Return the field's value under either spelling; two different values are a violation.

        An optional field that is absent under one spelling does not differ from its value under the other.
        """
        other_name = camel_case(name)
        snake = detail.get(name, _MISSING)
        camel = detail.get(other_name, _MISSING)
        if not required:
            snake = _MISSING if absent(snake) else snake
            camel = _MISSING if absent(camel) else camel
        if snake is _MISSING or other_name == name:
            return camel if snake is _MISSING else snake
        if camel is not _MISSING and (type(camel) is not type(snake) or camel != snake):
            self.violation(f"detail.{name}", f"the same value as detail.{other_name}", camel)
        return snake
