"""The events of a pipeline that wait for their next attempt, for progress displays."""

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Literal


@dataclass(frozen=True, slots=True)
class Wait:
    """One event that waits.

    Attributes:
        attempt: The number of the next attempt, from 2.
        due: Unix time in seconds at which it starts, on the scheduler's clock.
        service: Which service repeats it.
    """

    attempt: int
    due: float
    service: Literal["Lambda", "EventBridge"] = "Lambda"


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """What a pipeline is doing.

    Attributes:
        live: Events that have not reached their final state.
        waits: Those that wait for their next attempt; the others are in progress.
    """

    live: int
    waits: tuple[Wait, ...]


class Waits:
    """The current waits, by event. Any thread may read them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waits: dict[Hashable, Wait] = {}

    def begin(self, event: Hashable, wait: Wait) -> None:
        """Add the wait of an event."""
        with self._lock:
            self._waits[event] = wait

    def end(self, event: Hashable) -> None:
        """Remove the wait of an event, if it has one."""
        with self._lock:
            self._waits.pop(event, None)

    def snapshot(self) -> tuple[Wait, ...]:
        """Return the waits."""
        with self._lock:
            return tuple(self._waits.values())
