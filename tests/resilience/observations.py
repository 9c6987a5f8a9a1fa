"""What can be done to a try of the function, and the books of what happened, kept by those who saw it on the wire."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from emulator.pipeline.model import DeliveryResult


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one try of the function meets.

    Attributes:
        writes: what becomes of each attempt at the write: a key of `tests.resilience.simulation.SPOILT`, or `lost`,
            which is carried out, but the reply never arrives.
        dies: at a call of this operation the process dies, or the deadline strikes.
        after: when the call has been carried out.
        deadline: the deadline, not the process.
        lambda_throttles: Lambda does not even run it.
    """

    writes: tuple[str, ...] = ()
    dies: str | None = None
    after: bool = False
    deadline: bool = False
    lambda_throttles: bool = False


@dataclass
class Try:
    """One invocation of the function, as the wire and the answer tell it.

    Attributes:
        outcome: the answer's; `raised`, `struck` or `crashed` where there was none.
        committed: tokens of the transactions that DynamoDB carried out.
        sent: messages that the queue took.
        metrics: what it counted: its metric line.
    """

    outcome: str = ""
    committed: set[str] = field(default_factory=set)
    sent: int = 0
    metrics: dict[str, Any] | None = None


@dataclass
class Observations:
    """What happened, seen from outside of the function, the chain and the operator's commands.

    Attributes:
        put: deliveries that were put onto the bus, by event ID.
        endings: of deliveries.
        tries: of the function.
        dead_letters: messages that the queue took: message ID to event ID.
        deleted: IDs of the messages that were deleted.
        sent_again: events that EventBridge took from the operator, by event ID; they are in `put`, too.
    """

    put: Counter[str] = field(default_factory=Counter)
    endings: list[DeliveryResult] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    dead_letters: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    sent_again: Counter[str] = field(default_factory=Counter)
    handles: dict[str, str] = field(default_factory=dict)


def event_id(event: Any) -> str:
    """Which event it is: every event here has one of its own."""
    return str(event["detail"]["event_id"])
