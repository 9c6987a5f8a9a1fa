"""States what a run waits for, for its progress line."""

import math
from collections.abc import Callable
from time import time

from emulator.pipeline.waits import PipelineStatus

_ORDINALS = {2: "second", 3: "third"}


def waiting_text(status: PipelineStatus, *, exhausted: bool, now: Callable[[], float] = time) -> str:
    """Return what the run waits for; nothing while events are delivered.

    Args:
        status: What the pipeline is doing.
        exhausted: Whether the input has ended.
        now: Unix time in seconds.
    """
    if status.live == 0:
        return "" if exhausted else "waiting for more events"
    if len(status.waits) < status.live:
        return f"waiting for the function: {_events(status.live)}" if exhausted else ""
    seconds = max(0, math.ceil(min(wait.due for wait in status.waits) - now()))
    attempts = {(wait.service, wait.attempt) for wait in status.waits}
    if len(attempts) > 1:
        return f"waiting for further attempts of {_events(status.live)}, the next in {seconds} s"
    ((service, attempt),) = attempts
    ordinal = _ORDINALS.get(attempt, f"{attempt}th")
    return f"waiting for {service}'s {ordinal} attempt of {_events(status.live)}, {seconds} s"


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
