"""Watches the queue after a redrive for the events that fail again."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from handler.dead_letters import serialize_event
from handler.event import optional
from mep.dlq.model import DeadLetter
from mep.dlq.queue import Queue
from mep.dlq.redrive import prepare_for_redrive
from mep.dlq.results import Returns
from mep.dlq.sources import REDRIVE_COUNT

POLL_S = 2.0
"""Seconds between two reads of the queue."""


class ReturnWatch:
    """Finds the dead letters of events that were redriven and failed again.

    The messages that it receives stay in flight until the queue is released, so each is received once.

    Args:
        queue: The queue.
        sent: The messages whose events were accepted.
        known: IDs of the messages that were in the queue before.
        limit: The maximum number of messages to hold.
        clock: Monotonic time in seconds.
        sleep: Waits for that many seconds.

    Attributes:
        notes: What the last read of the queue may have missed; one line each.
    """

    def __init__(
        self,
        queue: Queue,
        sent: Iterable[DeadLetter],
        known: Iterable[str],
        limit: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._queue = queue
        self._missing = Counter(_identity(prepare_for_redrive(dead_letter)) for dead_letter in sent)
        self._expected = self._missing.total()
        self._checked = set(known)
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._returned: list[DeadLetter] = []
        self.notes: list[str] = []

    def wait(self, timeout_s: float, on_poll: Callable[[float], None] = lambda _: None) -> None:
        """Read the queue until every event has come back, or until the timeout.

        Args:
            timeout_s: The timeout in seconds, counted from the creation of the watch.
            on_poll: Called after each read with the seconds that have passed.

        Raises:
            UnavailableError: The queue could not be read.
        """
        while self._missing.total():
            self._poll()
            elapsed = self._clock() - self._started
            on_poll(elapsed)
            if not self._missing.total() or elapsed >= timeout_s:
                return
            self._sleep(min(POLL_S, timeout_s - elapsed))

    def result(self) -> Returns:
        """Return what has come back so far."""
        return Returns(self._expected, tuple(self._returned), self._clock() - self._started)

    def _poll(self) -> None:
        snapshot = self._queue.read(self._limit)
        self.notes = snapshot.notes()
        for dead_letter in snapshot.dead_letters:
            if dead_letter.message_id in self._checked:
                continue
            self._checked.add(dead_letter.message_id)
            if dead_letter.event_text is not None and self._missing[identity := _identity(dead_letter.event)] > 0:
                self._missing[identity] -= 1
                self._returned.append(dead_letter)


def _identity(event: object) -> str:
    """Return what a redriven event and its next dead letter have in common.

    A bus replaces the envelope, and keeps `detail`: the event ID and the number of redrives in it name one delivery.
    """
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(detail, Mapping):
        return serialize_event(event)
    event_id = optional(detail, "event_id")
    return serialize_event(detail if event_id is None else [event_id, detail.get(REDRIVE_COUNT)])
