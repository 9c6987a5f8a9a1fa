"""The vocabulary of the event pipeline: its settings, its waits, its IDs, and the results of a delivery."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

import orjson

from emulator.environment import ACCOUNT_ID, REGION
from emulator.lambda_runtime.worker import InvocationResult
from handler.contract import BUS, DISPLAY_NAME

HOUR_S = 3600.0

FUNCTION_ERROR_WAITS_S = (60.0, 120.0)
"""Seconds before the second and the third attempt after a function error.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

# Throttles and system errors: from 1 second, exponentially, to 5 minutes (same page).
_QUEUE_FIRST_S, _QUEUE_LONGEST_S = 1.0, 300.0
# A rule's target: AWS documents "exponential back off and jitter" only. With these, 185 attempts take about a day.
_TARGET_FIRST_S, _TARGET_LONGEST_S = 1.0, 600.0


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}: it must be {low:g} to {high:g}")


@dataclass(frozen=True, slots=True)
class AsyncInvokeConfig:
    """Lambda's settings of asynchronous invocation.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html and, for the effect of the
    defaults, https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

    Attributes:
        maximum_retry_attempts: Retries after a function error, 0 to 2.
        maximum_event_age_s: Seconds that an event may stay in the queue, 60 to 21,600.
        reserved_concurrency: Concurrent invocations; further ones are throttled. 0 sends every event to the failure
            destinations. None: as many as there are workers, and events wait for one.
        duplicate_probability: Probability of delivering an event again after it succeeded, 0 to 0.9. AWS documents
            only that it happens.

    Raises:
        ValueError: A value is out of AWS's bounds.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age_s: float = 6 * HOUR_S
    reserved_concurrency: int | None = None
    duplicate_probability: float = 0.0

    def __post_init__(self) -> None:
        _check_range("maximum_retry_attempts", self.maximum_retry_attempts, 0, 2)
        _check_range("maximum_event_age_s", self.maximum_event_age_s, 60, 6 * HOUR_S)
        _check_range("reserved_concurrency", self.reserved_concurrency or 0, 0, float("inf"))
        _check_range("duplicate_probability", self.duplicate_probability, 0, 0.9)


@dataclass(frozen=True, slots=True)
class TargetRetryPolicy:
    """The retry policy of a rule's target.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html

    Attributes:
        maximum_retry_attempts: 0 to 185.
        maximum_event_age_s: Seconds, 60 to 86,400.

    Raises:
        ValueError: A value is out of AWS's bounds.
    """

    maximum_retry_attempts: int = 185
    maximum_event_age_s: float = 24 * HOUR_S

    def __post_init__(self) -> None:
        _check_range("maximum_retry_attempts", self.maximum_retry_attempts, 0, 185)
        _check_range("maximum_event_age_s", self.maximum_event_age_s, 60, 24 * HOUR_S)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The settings of the whole pipeline.

    Attributes:
        invoke: Lambda's asynchronous invocation.
        retry: The retry policy of the rule's target.
        timeout_s: The function's timeout in seconds.
        seed: Seed of jitter, IDs and duplicates.
        live_limit: Deliveries in progress at which the pipeline stops reading its input.
    """

    invoke: AsyncInvokeConfig = AsyncInvokeConfig()
    retry: TargetRetryPolicy = TargetRetryPolicy()
    timeout_s: float = 30
    function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{DISPLAY_NAME}"
    rule_arn: str = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{BUS}/{DISPLAY_NAME}"
    seed: int = 0
    live_limit: int = 10_000


def queue_wait(number: int, random: Random) -> float:
    """Return the seconds to wait after the `number`-th throttle (from 1) of an event in Lambda's queue."""
    return _jittered(min(_QUEUE_FIRST_S * 2.0 ** min(number - 1, 30), _QUEUE_LONGEST_S), _QUEUE_FIRST_S, random)


def target_wait(number: int, random: Random) -> float:
    """Return the seconds to wait after the `number`-th failed delivery (from 1) to a rule's target."""
    return _jittered(min(_TARGET_FIRST_S * 2.0 ** min(number - 1, 30), _TARGET_LONGEST_S), _TARGET_FIRST_S, random)


def _jittered(longest: float, shortest: float, random: Random) -> float:
    """Draw from the upper half, so that waits still grow, and never below the shortest."""
    return max(shortest, longest * (0.5 + random.random() / 2))


class IdGenerator:
    """Generates request IDs, event IDs and trace headers. Safe to use from several threads.

    Args:
        seed: The same seed gives the same IDs in the same order.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(f"identities {seed}")

    def new(self) -> str:
        """Return a UUID of version 4."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def trace_root(self, now: float) -> str:
        """Return a trace ID in X-Ray's format for a trace that starts at `now`, Unix time in seconds."""
        return f"1-{int(now):08x}-{self._random.getrandbits(96):024x}"

    def trace_header(self, root: str) -> str:
        """Return the trace header of one attempt: the attempts of an event share the trace, not the parent."""
        return f"Root={root};Parent={self._random.getrandbits(64):016x};Sampled=1"


class Disposition(StrEnum):
    """The final state of a delivery. Each delivery reaches exactly one.

    The first three are the function's own outcomes. `no_outcome`: its response names no outcome. The next three are
    the platform's: Lambda's on-failure destination, its dead-letter queue, and the rule target's dead-letter queue.
    `dropped`: no destination was configured, or none accepted the message. `filtered`: the rule did not match.
    `returned`: the caller of a synchronous invocation got the function's error.
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
    RETURNED = "returned"


_OUTCOMES = {
    disposition.value: disposition
    for disposition in (Disposition.MARKED, Disposition.DUPLICATE, Disposition.DEAD_LETTERED)
}


def disposition_of(response: bytes) -> Disposition:
    """Return the disposition for the outcome that a function's response, JSON, names."""
    try:
        parsed = orjson.loads(response)
    except orjson.JSONDecodeError:
        return Disposition.NO_OUTCOME
    outcome = parsed.get("outcome") if isinstance(parsed, dict) else None
    return _OUTCOMES.get(outcome, Disposition.NO_OUTCOME) if isinstance(outcome, str) else Disposition.NO_OUTCOME


class Condition(StrEnum):
    """Why Lambda discarded an event: `requestContext.condition` of its record.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html shows the first only.
    """

    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one delivery of an event.

    Attributes:
        payload: The event, JSON.
        tag: The tag of the input event.
        attempts: Invocations of the function, throttled ones included.
        throttles: Attempts that Lambda throttled or that failed with a system error.
        failures: Attempts that the function failed: it raised, timed out or crashed.
        refusals: Deliveries to Lambda's Invoke API that failed.
        redelivered: Whether the queue delivered the event again after a success. The first delivery has a result of
            its own.
        age_s: Seconds from when the event was queued (or put onto the bus, where it never was) to its final state.
        request_id: Lambda's request ID; empty where the event was never queued.
        last: The last attempt; None without one.
        condition: Why Lambda discarded the event; None where it did not.
        unsent: The messages that no failure destination accepted.
    """

    disposition: Disposition
    payload: bytes
    tag: Any
    attempts: int = 0
    throttles: int = 0
    failures: int = 0
    refusals: int = 0
    redelivered: bool = False
    age_s: float = 0.0
    request_id: str = ""
    last: InvocationResult | None = None
    condition: Condition | None = None
    unsent: tuple[bytes, ...] = ()


class DeliveryCounters:
    """Counts deliveries in constant memory.

    A delivery is one event for one target. An event that the queue delivers again, or that is redriven or replayed,
    is a further delivery.

    Args:
        on_result: Called with the result of each delivery.

    Attributes:
        received: Deliveries that the pipeline accepted.
        redelivered: Deliveries that the queue repeated after a success.
        dispositions: Finished deliveries by final state.
        attempts: Invocations of the function, throttled ones included, also of deliveries in progress.
        throttles: Attempts that were throttled or failed with a system error.
        failures: Attempts that the function failed: it raised, timed out or crashed.
    """

    def __init__(self, on_result: Callable[[DeliveryResult], None] | None = None) -> None:
        self._on_result = on_result
        self.received = 0
        self.redelivered = 0
        self.dispositions = dict.fromkeys(Disposition, 0)
        self.attempts = 0
        self.throttles = 0
        self.failures = 0

    def attempt(self, result: InvocationResult) -> None:
        """Count an attempt that has ended."""
        self.attempts += 1
        self.throttles += result.is_refused
        self.failures += not result.is_refused and result.status != "ok"

    def finish(self, result: DeliveryResult) -> None:
        """Count a finished delivery."""
        self.dispositions[result.disposition] += 1
        if self._on_result is not None:
            self._on_result(result)

    @property
    def finished(self) -> int:
        """Deliveries that reached their final state."""
        return sum(self.dispositions.values())

    @property
    def live(self) -> int:
        """Deliveries in progress."""
        return self.received + self.redelivered - self.finished
