"""A dead letter, whichever service wrote it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from handler.errors import ErrorCategory

UNCLASSIFIED = "unknown"
"""Stands for the category where nothing tells one."""


class DeadLetterSource(StrEnum):
    """Who wrote a message, and so what it looks like."""

    HANDLER = "handler"
    """The function: the body is the event."""
    ON_FAILURE = "on_failure"
    """Lambda's on-failure destination: the event is the record's `requestPayload`."""
    RULE = "rule"
    """The dead-letter queue of an EventBridge rule's target: the body is the event."""
    LAMBDA = "lambda"
    """Lambda's classic dead-letter queue: the body is the event."""
    SUBSCRIBER = "subscriber"
    """EventBridge's newer buses: a record that names the events, but does not hold them."""
    UNKNOWN = "unknown"
    """None of them: shown as it is, never sent, never deleted."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of the dead-letter queue, read.

    Attributes:
        message_id: SQS's.
        shape: who wrote it.
        body: as it was received.
        attributes: its message attributes, as text.
        event: the event that failed, as JSON value; None where the message holds none that can be read.
        event_text: the same as JSON text: the very text where the body is the event.
        category: one of `handler.errors.ErrorCategory`; None where nothing tells it.
        code: the sender's own word for the cause (`NO_PERMISSIONS`, `EventNotProcessed`, `RetriesExhausted`); may be
            empty.
        message: what went wrong, for a person; may be empty, may hold anything.
        throttling_reasons: why DynamoDB throttled the event, each as `REASON RESOURCE`; empty where nothing tells.
        correlation_id: as the function finds it; None where neither the message nor its event has a usable one.
        request_id: Lambda's; may be empty.
        sent_at: when SQS took the message, UTC; None where SQS was not asked.
        receive_count: how often it was received, this time included; 0 where SQS was not asked.
        tries: invocations or deliveries that failed before; None where nothing tells.
        redrives: how often `mep dlq redrive` had sent the event before it came here (again).
        replay_name: of the archive's replay that delivered it; None if none did.
        trace_header: SQS's `AWSTraceHeader`: the trace in which the event failed; may be empty.
        receipt_handle: deletes the message or hides it longer; empty where SQS was not asked.
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
        """The category's name for lists and filters."""
        return self.category.value if self.category else UNCLASSIFIED
