"""Where an event can end, and the account of one that has."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from emulator.lambda_runtime.worker import InvocationResult


class Disposition(StrEnum):
    """Where a delivery ended. Each ends in exactly one place.

    The first three are the function's own outcomes. `no_outcome`: it returned something that is none. The next three
    are the platform's nets: Lambda's on-failure destination, its classic dead-letter queue, the rule target's
    dead-letter queue. `dropped`: no net was there, or none took it. `filtered`: no rule matched.
    """

    MARKED = "marked"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    NO_OUTCOME = "no_outcome"
    ON_FAILURE = "on_failure"
    LAMBDA_DLQ = "lambda_dlq"
    RULE_DLQ = "rule_dlq"
    DROPPED = "dropped"
    FILTERED = "filtered"


_OUTCOMES = {
    disposition.value: disposition
    for disposition in (Disposition.MARKED, Disposition.DUPLICATE, Disposition.DEAD_LETTERED)
}


def disposition_of(answer: bytes) -> Disposition:
    """Return the place that a function's answer, JSON, names as its outcome."""
    try:
        parsed = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return Disposition.NO_OUTCOME
    named = parsed.get("outcome") if isinstance(parsed, dict) else None
    return _OUTCOMES.get(named, Disposition.NO_OUTCOME) if isinstance(named, str) else Disposition.NO_OUTCOME


class Condition(StrEnum):
    """Why Lambda gave an event up: `requestContext.condition` of its record.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html shows the first; the others are
    what Lambda sends.
    """

    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of one delivery of an event.

    Attributes:
        disposition: Where it ended.
        payload: The event, JSON.
        tag: What the event was given in with, for whoever keeps the account.
        tries: Invocations of the function that it took.
        throttles: Times that Lambda put it back because of a throttle or a system error.
        refusals: Times that Lambda's Invoke API refused it.
        redelivered: Whether the queue delivered it once more after it had succeeded. The first delivery has an ending
            of its own.
        age_s: Seconds from when it was queued (or put onto the bus, where it never was) until it ended.
        request_id: Lambda's; empty where it was never queued.
        last: How the last try ended; None where there was none.
        condition: Why Lambda gave it up; None where it did not.
        unsent: What a net should have taken and did not; it is nowhere else.
    """

    disposition: Disposition
    payload: bytes
    tag: Any
    tries: int
    throttles: int
    refusals: int
    redelivered: bool
    age_s: float
    request_id: str
    last: InvocationResult | None
    condition: Condition | None
    unsent: tuple[bytes, ...] = ()
