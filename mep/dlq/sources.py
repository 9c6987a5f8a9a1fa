"""Parses an SQS message into a `DeadLetter`: the only module that knows the formats. No body makes it raise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from handler.dead_letters import serialize_event
from handler.event import resolve_correlation_id
from handler.validation import FieldError, parse_id
from mep.dlq.error_mapping import (
    eventbridge_category,
    function_cause,
    not_invoked_category,
    parse_category,
    status_category,
    throttling_reasons,
)
from mep.dlq.model import DeadLetter, DeadLetterSource

REDRIVE_COUNT = "redrive_count"
"""The member of `detail` that counts redrives; the function ignores it."""

SYSTEM_ATTRIBUTES = ("SentTimestamp", "ApproximateReceiveCount", "AWSTraceHeader")
"""The system attributes to request from SQS."""

_BODY_IS_EVENT = {DeadLetterSource.HANDLER, DeadLetterSource.RULE, DeadLetterSource.LAMBDA}

_NOT_JSON = object()


@dataclass(frozen=True, slots=True)
class _Message:
    """A message whose source is not known yet."""

    body: str
    attributes: Mapping[str, str]
    value: object

    def text(self, name: str) -> str:
        return self.attributes.get(name, "")


def read_message(message: Mapping[str, Any]) -> DeadLetter:
    """Parse a message of boto3's `receive_message`, called with `SYSTEM_ATTRIBUTES` and all message attributes."""
    attributes = {
        name: value.get("StringValue", "")
        for name, value in (message.get("MessageAttributes") or {}).items()
        if isinstance(value, Mapping)
    }
    return replace(
        read_dead_letter(message["MessageId"], message["Body"], attributes, message.get("Attributes") or {}),
        receipt_handle=message.get("ReceiptHandle", ""),
    )


def read_line(line: Mapping[str, Any]) -> DeadLetter:
    """Parse a line of `dlq.jsonl`, which `mep local` writes; missing members are empty."""
    attributes = line.get("attributes") or {}
    return read_dead_letter(str(line.get("message_id", "")), str(line.get("body", "")), attributes, line.get("system"))


def read_dead_letter(
    message_id: str, body: str, attributes: Mapping[str, str], system: Mapping[str, str] | None = None
) -> DeadLetter:
    """Parse a message by its parts.

    Args:
        message_id: SQS's message ID.
        body: Any text.
        attributes: Message attributes by name.
        system: System attributes by name; each of `SYSTEM_ATTRIBUTES` may be missing.

    Returns:
        The dead letter; its `shape` is `UNKNOWN` if the format is not recognised.
    """
    message = _Message(body, attributes, _json(body))
    system = system or {}
    dead_letter = _parse(message, DeadLetter(message_id, DeadLetterSource.UNKNOWN, body, dict(attributes)))
    if dead_letter.shape in _BODY_IS_EVENT and dead_letter.event_text is None:
        # The attributes are those of a source that always sends JSON; they still help to find the message.
        dead_letter = replace(dead_letter, shape=DeadLetterSource.UNKNOWN)
    dead_letter = replace(
        dead_letter,
        sent_at=_time(system.get("SentTimestamp", "")),
        receive_count=_count(system.get("ApproximateReceiveCount")) or 0,
        trace_header=system.get("AWSTraceHeader", ""),
    )
    return _add_event_fields(dead_letter)


def _parse(message: _Message, blank: DeadLetter) -> DeadLetter:
    if message.text("SOURCE") == "handler" and message.text("ERROR_CODE"):
        return _from_handler(message, blank)
    if message.text("RULE_ARN") and message.text("ERROR_CODE"):
        return _from_rule(message, blank)
    if message.text("RequestID") and ("ErrorCode" in message.attributes or "ErrorMessage" in message.attributes):
        return _from_lambda(message, blank)
    if isinstance(message.value, dict):
        record = message.value
        if isinstance(context := record.get("requestContext"), dict) and "condition" in context:
            return _from_on_failure(record, context, blank)
        if isinstance(record.get("failedMessages"), list) and isinstance(record.get("subscriberArn"), str):
            return _from_subscriber(record, blank)
    return blank


def _from_handler(message: _Message, blank: DeadLetter) -> DeadLetter:
    return replace(
        _with_event(message, blank),
        shape=DeadLetterSource.HANDLER,
        category=parse_category(message.text("ERROR_CODE")),
        code=message.text("ERROR_CODE"),
        message=message.text("ERROR_MESSAGE"),
        throttling_reasons=throttling_reasons(message.text("THROTTLING_REASONS").split(";")),
        correlation_id=_valid_id(message.text("CORRELATION_ID")),
        request_id=message.text("REQUEST_ID"),
    )


def _from_rule(message: _Message, blank: DeadLetter) -> DeadLetter:
    return replace(
        _with_event(message, blank),
        shape=DeadLetterSource.RULE,
        category=eventbridge_category(message.text("ERROR_CODE")),
        code=message.text("ERROR_CODE"),
        message=message.text("ERROR_MESSAGE"),
        tries=_count(message.attributes.get("RETRY_ATTEMPTS")),
    )


def _from_lambda(message: _Message, blank: DeadLetter) -> DeadLetter:
    status, text = message.text("ErrorCode"), message.text("ErrorMessage")
    cause = function_cause("", text)
    return replace(
        _with_event(message, blank),
        shape=DeadLetterSource.LAMBDA,
        category=status_category(status) or cause.category,
        code=status,
        message=text,
        throttling_reasons=cause.throttling_reasons,
        correlation_id=cause.correlation_id,
        request_id=message.text("RequestID"),
    )


def _from_on_failure(record: Mapping[str, Any], context: Mapping[str, Any], blank: DeadLetter) -> DeadLetter:
    condition = _text(context.get("condition"))
    response = record.get("responsePayload")
    error = response if isinstance(response, dict) else {}
    error_type, text = _text(error.get("errorType")), _text(error.get("errorMessage"))
    cause = function_cause(error_type, text)
    dead_letter = replace(
        blank,
        shape=DeadLetterSource.ON_FAILURE,
        # If the event expired after an attempt failed, that failure is the better cause.
        category=cause.category or not_invoked_category(condition),
        code=error_type or condition,
        message=text or condition,
        throttling_reasons=cause.throttling_reasons,
        correlation_id=cause.correlation_id,
        request_id=_text(context.get("requestId")),
        tries=_count(context.get("approximateInvokeCount")),
    )
    if "requestPayload" not in record:
        return dead_letter
    event = record["requestPayload"]
    return replace(dead_letter, event=event, event_text=serialize_event(event))


def _from_subscriber(record: Mapping[str, Any], blank: DeadLetter) -> DeadLetter:
    return replace(
        blank,
        shape=DeadLetterSource.SUBSCRIBER,
        category=eventbridge_category(_text(record.get("errorCode"))),
        code=_text(record.get("errorCode")),
        message=_text(record.get("errorMessage")),
        tries=_count(record.get("retryAttempts")),
    )


def _with_event(message: _Message, blank: DeadLetter) -> DeadLetter:
    """Return the dead letter with its body as the event, if the body is JSON."""
    if message.value is _NOT_JSON:
        return blank
    return replace(blank, event=message.value, event_text=message.body)


def _add_event_fields(dead_letter: DeadLetter) -> DeadLetter:
    """Add the fields that come from the event itself."""
    if dead_letter.event_text is None:
        return dead_letter
    event = dead_letter.event if isinstance(dead_letter.event, dict) else {}
    detail = event.get("detail")
    resolved = resolve_correlation_id(dead_letter.event, dead_letter.request_id)
    # Without a request ID a replaced ID is random, and would differ on each read.
    correlation_id = None if resolved.replaced and resolved.id != dead_letter.request_id else resolved.id
    return replace(
        dead_letter,
        correlation_id=dead_letter.correlation_id or correlation_id,
        redrives=_count(detail.get(REDRIVE_COUNT)) or 0 if isinstance(detail, dict) else 0,
        replay_name=_text(event.get("replay-name")) or None,
    )


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
        serialize_event(value)  # an event that cannot be serialized cannot be redriven
    except (ValueError, RecursionError):
        return _NOT_JSON
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _valid_id(text: str) -> str | None:
    try:
        return parse_id(text)
    except FieldError:
        return None


_MAX_COUNT = 10**9


def _count(value: object) -> int | None:
    """Return a count given as number or text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) < len(str(_MAX_COUNT))):
            return None
        value = int(value)
    return value if 0 <= value < _MAX_COUNT else None


def _time(milliseconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
