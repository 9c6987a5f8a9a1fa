"""What a test injects into an invocation, and what it observes on the wire."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from emulator.pipeline.model import DeliveryResult


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The faults of one invocation.

    Attributes:
        writes: The fault of each attempt at the write: a key of `tests.resilience.simulation.WRITE_FAULTS`, or `lost`:
            the write is carried out, but the response never arrives.
        fails_at: The operation at which the process crashes or the deadline is reached.
        after: Whether that happens after the call has been carried out.
        deadline: Whether the deadline is reached; otherwise the process crashes.
        lambda_throttles: Whether Lambda refuses to run the function.
    """

    writes: tuple[str, ...] = ()
    fails_at: str | None = None
    after: bool = False
    deadline: bool = False
    lambda_throttles: bool = False


@dataclass
class Attempt:
    """One invocation of the function.

    Attributes:
        outcome: The outcome in the answer; without an answer, `raised`, `timed_out` or `crashed`.
        committed: Tokens of the transactions that DynamoDB carried out.
        sent: Number of messages that the queue accepted.
        metrics: The metric line.
    """

    outcome: str = ""
    committed: set[str] = field(default_factory=set)
    sent: int = 0
    metrics: dict[str, Any] | None = None


@dataclass
class Observations:
    """What happened, as seen from outside of the function, the event pipeline and the operator's commands.

    Attributes:
        published: Deliveries that were put onto the bus, by event ID.
        results: Results of deliveries.
        attempts: Invocations of the function.
        dead_letters: Messages that the queue accepted: message ID to event ID.
        deleted: IDs of the messages that were deleted.
        redriven: Events that EventBridge accepted from the operator, by event ID; they are in `published`, too.
        receipt_handles: Every receipt handle that the queue issued, with its message ID.
    """

    published: Counter[str] = field(default_factory=Counter)
    results: list[DeliveryResult] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    dead_letters: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    redriven: Counter[str] = field(default_factory=Counter)
    receipt_handles: dict[str, str] = field(default_factory=dict)


def event_id(event: Any) -> str:
    """Return the ID in an event's detail; every event of these tests has one of its own."""
    return str(event["detail"]["event_id"])
