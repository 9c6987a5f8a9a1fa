"""A dead letter, whichever service wrote it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from handler.errors import ErrorCategory
from handler.event import optional
from handler.validation import FieldError, parse_id

UNCLASSIFIED = "unknown"
"""The group of dead letters without a category."""

# https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
_ROOT = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?=;|$)")
_PARENT = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})(?=;|$)")
_SAMPLED = re.compile(r"(?:^|;)\s*Sampled=1(?=;|$)")


class DeadLetterSource(StrEnum):
    """The service that wrote a message, which determines its format."""

    HANDLER = "handler"
    """The function: the body is the event."""
    ON_FAILURE = "on_failure"
    """Lambda's on-failure destination: the event is the record's `requestPayload`."""
    RULE = "rule"
    """The dead-letter queue of an EventBridge rule's target: the body is the event."""
    LAMBDA = "lambda"
    """Lambda's dead-letter queue: the body is the event."""
    SUBSCRIBER = "subscriber"
    """EventBridge's newer buses: a record that names the events but does not contain them."""
    UNKNOWN = "unknown"
    """An unrecognised format: shown, never sent, never deleted."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of the dead-letter queue.

    Attributes:
        message_id: SQS's message ID.
        shape: The service that wrote the message.
        body: The body as received.
        attributes: The message attributes, as text.
        event: The event that failed, as a JSON value; None where the message contains none that can be parsed.
        event_text: The event as JSON text: the body itself where the body is the event.
        category: The error category; None where the message has none.
        code: The sender's error code (`NO_PERMISSIONS`, `EventNotProcessed`, `RetriesExhausted`); may be empty.
        message: The error message; may be empty, may contain anything.
        throttling_reasons: DynamoDB's throttling reasons, each as `REASON RESOURCE`.
        correlation_id: As the function resolves it; None where neither the message nor its event has a valid one.
        request_id: Lambda's request ID; may be empty.
        sent_at: When SQS accepted the message, UTC; None for a message that was not received from SQS.
        receive_count: Receives of the message, this one included; 0 for a message that was not received from SQS.
        tries: Failed invocations or deliveries; None where the message has none.
        redrives: How often `mep dlq redrive` had sent the event before this failure.
        replay_name: The archive replay that delivered the event; None if none did.
        trace_header: SQS's `AWSTraceHeader`: the trace in which the event failed; may be empty.
        receipt_handle: The handle to delete the message; empty for a message that was not received from SQS.
    """

    message_id: str
    shape: DeadLetterSource
    body: str
    attributes: dict[str, str] = field(default_factory=dict)
    event: object = None
    event_text: str | None = None
    category: ErrorCategory | None = None
    code: str = ""
    message: str = ""
    throttling_reasons: tuple[str, ...] = ()
    correlation_id: str | None = None
    request_id: str = ""
    sent_at: datetime | None = None
    receive_count: int = 0
    tries: int | None = None
    redrives: int = 0
    replay_name: str | None = None
    trace_header: str = ""
    receipt_handle: str = field(default="", repr=False)

    @property
    def group(self) -> str:
        """The category's name in lists and filters."""
        return self.category.value if self.category else UNCLASSIFIED

    @property
    def event_id(self) -> str | None:
        """The event's ID as the function resolves it: `detail.event_id`, else the envelope's `id`."""
        event = self.event if isinstance(self.event, Mapping) else {}
        detail = event.get("detail")
        detail_id = optional(detail, "event_id") if isinstance(detail, Mapping) else None
        try:
            return parse_id(detail_id if detail_id is not None else event.get("id"))
        except FieldError:
            return None

    @property
    def trace_id(self) -> str | None:
        """The trace in which the event failed, 32 hexadecimal digits; None without a trace header."""
        match = _ROOT.search(self.trace_header)
        return match[1] + match[2] if match else None

    @property
    def traceparent(self) -> str | None:
        """The trace header in W3C form; None where it names no span."""
        trace_id, parent = self.trace_id, _PARENT.search(self.trace_header)
        if trace_id is None or parent is None or not int(trace_id, 16) or not int(parent[1], 16):
            return None
        return f"00-{trace_id}-{parent[1]}-{'01' if _SAMPLED.search(self.trace_header) else '00'}"

    def without_content(self) -> "DeadLetter":
        """Return the dead letter without body, event and attributes, which may have 1 MB."""
        return replace(self, body="", attributes={}, event=None, event_text=None)

    def age(self, now: datetime) -> timedelta | None:
        """Return how long the message has been in the queue, never negative; None where it is unknown."""
        return None if self.sent_at is None else max(now - self.sent_at, timedelta())
