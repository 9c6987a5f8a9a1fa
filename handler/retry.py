"""Retries: one policy, on stamina, with the invocation's deadline as the budget.

botocore retries nothing (see `handler.aws`), so that each attempt has its own span and its own count.
"""

from collections.abc import Callable
from random import SystemRandom
from typing import NamedTuple

from handler.errors import ErrorCategory, ProcessingError
from handler.settings import FLUSH_RESERVE_SECONDS


class RetryPolicy(NamedTuple):
    """How one category is retried.

    Attributes:
        first_delay: Seconds; each further delay doubles.
        max_attempts: Attempts that may fail in this category; None for as many as the deadline allows.
    """

    first_delay: float
    max_attempts: int | None


MAX_DELAY = 30.0
"""Seconds; as long as a whole invocation is meant to take."""

uniform = SystemRandom().uniform
"""Draws a delay between two bounds from the kernel's randomness. Sandboxes that are restored from one snapshot share
the state of the process-wide generator: with it, they would back off in step."""

RETRY_POLICIES = {
    ErrorCategory.THROTTLING: RetryPolicy(first_delay=1.0, max_attempts=None),
    ErrorCategory.CONFLICT: RetryPolicy(first_delay=0.05, max_attempts=None),
    ErrorCategory.NETWORK: RetryPolicy(first_delay=0.1, max_attempts=3),
    ErrorCategory.DYNAMODB: RetryPolicy(first_delay=0.1, max_attempts=3),
}
"""The categories that are retried within the invocation."""


class Backoff(NamedTuple):
    """One wait before another attempt.

    Attributes:
        attempt: Number of the attempt that failed, from 1.
        delay: Seconds.
        category: Why it failed.
        throttling_reasons: Why DynamoDB throttled it; empty where it gave no reason.
    """

    attempt: int
    delay: float
    category: ErrorCategory
    throttling_reasons: tuple[str, ...] = ()


class Budget(NamedTuple):
    """The time an invocation may spend on calls.

    Attributes:
        remaining: Returns the seconds until Lambda's deadline.
        attempt_timeout: Seconds that one attempt may take at most.
        reserve: Seconds that must be left at the end, for the export of spans and the response.
    """

    remaining: Callable[[], float]
    attempt_timeout: float
    reserve: float = FLUSH_RESERVE_SECONDS

    def allows_attempt(self, after: float = 0.0) -> bool:
        """Return whether an attempt that begins in `after` seconds ends before the reserve begins."""
        return self.remaining() - (after + self.attempt_timeout + self.reserve) > 0


def call_with_retries[T](
    attempt: Callable[[], T],
    *,
    budget: Budget,
    on_backoff: Callable[[Backoff], None],
    jitter: Callable[[float, float], float] = uniform,
) -> T:
    """Call until an attempt succeeds, fails permanently, or the time budget is spent.

    Args:
        attempt: Makes one attempt. Raises `ProcessingError`.
        budget: The time that is left.
        on_backoff: Called before each wait.
        jitter: Draws a delay between two bounds, seconds.

    Raises:
        ProcessingError: Of the last attempt; `timeout` when there is no time for the first.
    """
    if not budget.allows_attempt():
        raise ProcessingError(ErrorCategory.TIMEOUT, "NoTimeForAnAttempt")
    try:
        return attempt()
    except ProcessingError as failure:
        if failure.category not in RETRY_POLICIES:
            raise
        failed_first = failure
    # stamina is imported by the first failure that may be retried: most sandboxes never have one.
    return _retry(failed_first, attempt, _BackoffPolicy(budget, on_backoff, jitter))


def _retry[T](failed_first: ProcessingError, attempt: Callable[[], T], decide: "_BackoffPolicy") -> T:
    import stamina
    from stamina.instrumentation import set_on_retry_hooks

    set_on_retry_hooks(())  # the default hooks log call arguments
    pending: ProcessingError | None = failed_first
    # No attempts and no timeout of stamina's own: its timeout stops after a delay, and overruns.
    for tried in stamina.retry_context(on=decide, attempts=None, timeout=None):
        with tried:
            if pending is not None:
                failure, pending = pending, None
                raise failure
            return attempt()
    raise AssertionError("stamina ends by returning or raising")  # pragma: no cover


class _BackoffPolicy:
    """stamina's `on=` hook: after each failure, the delay before the next attempt, or False to stop."""

    def __init__(
        self, budget: Budget, on_backoff: Callable[[Backoff], None], jitter: Callable[[float, float], float]
    ) -> None:
        self._budget = budget
        self._on_backoff = on_backoff
        self._jitter = jitter
        self._attempts = 0
        self._failures: dict[ErrorCategory, int] = {}

    def __call__(self, error: Exception) -> float | bool:
        self._attempts += 1
        if not isinstance(error, ProcessingError) or (rule := RETRY_POLICIES.get(error.category)) is None:
            return False
        failures = self._failures[error.category] = self._failures.get(error.category, 0) + 1
        if rule.max_attempts is not None and failures >= rule.max_attempts:
            return False
        delay = self._delay(rule, failures)
        if not self._budget.allows_attempt(after=delay):
            return False
        self._on_backoff(Backoff(self._attempts, delay, error.category, error.throttling_reasons))
        return delay

    def _delay(self, rule: RetryPolicy, failures: int) -> float:
        # Between the exponential step and the next one: never less than the first delay, and no two callers back off
        # in step, not even at the upper bound.
        step = min(rule.first_delay * 2.0 ** min(failures - 1, 16), MAX_DELAY / 2)
        return self._jitter(step, 2 * step)
