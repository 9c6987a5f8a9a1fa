"""How long each part of the platform waits before it tries again."""

from random import Random

FUNCTION_ERROR_WAITS_S = (60.0, 120.0)
"""Before the second and the third try after a function error: one minute, then two.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

QUEUE_FIRST_S, QUEUE_LONGEST_S = 1.0, 300.0
"""Throttles and system errors: from 1 second, exponentially, to 5 minutes (same page)."""

TARGET_FIRST_S, TARGET_LONGEST_S = 1.0, 600.0
"""A rule's target: AWS says "exponential back off and jitter" and no more; so that 185 tries take about a day."""


def queue_wait(number: int, random: Random) -> float:
    """Return the seconds until an event that was throttled for the `number`-th time (from 1) is tried again."""
    return _jittered(min(QUEUE_FIRST_S * 2.0 ** min(number - 1, 30), QUEUE_LONGEST_S), QUEUE_FIRST_S, random)


def target_wait(number: int, random: Random) -> float:
    """Return the seconds until a target that refused for the `number`-th time (from 1) is tried again."""
    return _jittered(min(TARGET_FIRST_S * 2.0 ** min(number - 1, 30), TARGET_LONGEST_S), TARGET_FIRST_S, random)


def _jittered(longest: float, shortest: float, random: Random) -> float:
    """Draw from the upper half, so that waits still grow, and never below the shortest."""
    return max(shortest, longest * (0.5 + random.random() / 2))
