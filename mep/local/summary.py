"""Counts the outcome of every line of a run."""

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

from emulator.pipeline.model import DeliveryCounters, DeliveryResult, Disposition

type Outcome = Literal["marked", "duplicate", "dead_lettered", "retry"]

_OUTCOMES: dict[Disposition, Outcome] = {
    Disposition.MARKED: "marked",
    Disposition.DUPLICATE: "duplicate",
    Disposition.DEAD_LETTERED: "dead_lettered",
    Disposition.ON_FAILURE: "retry",
    Disposition.LAMBDA_DLQ: "retry",
    Disposition.RULE_DLQ: "retry",
    Disposition.DROPPED: "retry",
    Disposition.RETURNED: "retry",
}

_SENT = {Disposition.DEAD_LETTERED, Disposition.ON_FAILURE, Disposition.LAMBDA_DLQ, Disposition.RULE_DLQ}


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcomes of one run; `summary.json` has the same members.

    Attributes:
        received: Events that were delivered to the function.
        rejected: Lines that are not JSON and were not delivered.
        rejected_rows: Rows of the calendar that are invalid and were not loaded.
        marked: Events whose row was marked as processed.
        duplicate: Events whose row had been processed before.
        dead_lettered: Events that the function sent to the dead-letter queue.
        retry: Events that were given up after their last attempt; Lambda sent their record to the dead-letter queue.
        tries_raised: Attempts that the function failed, also of events that a later attempt processed, and of events
            that had no outcome yet when the run was interrupted.
        elapsed_s: Seconds from the first delivery to the end of the last, or until the run was interrupted.
        invocations: Invocations, retries included, also of events that had no outcome yet.
        undelivered: Of `retry`, the events whose record the dead-letter queue did not accept.
        spans: Spans that were received.
        spans_lost: Span datagrams that were damaged, or dropped because a buffer was full.
        interrupted: Whether the run ended before its last line.
        unfinished: Events that had no outcome yet when the run was interrupted; their rows may be marked.
        incomplete: Names of the files that could not be written completely.
    """

    received: int
    rejected: int
    rejected_rows: int
    marked: int
    duplicate: int
    dead_lettered: int
    retry: int
    tries_raised: int
    elapsed_s: float
    invocations: int
    undelivered: int
    spans: int
    spans_lost: int
    interrupted: bool
    unfinished: int = 0
    incomplete: tuple[str, ...] = ()

    @property
    def accounted(self) -> bool:
        """Whether every event has exactly one outcome."""
        return self.received == self.marked + self.duplicate + self.dead_lettered + self.retry

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return {**asdict(self), "incomplete": list(self.incomplete)}


class RunCounter:
    """Counts during a run; one thread calls `add`.

    Attributes:
        rejected: Lines that are not JSON; counted by the thread that reads them.
        dead_letters: Messages that the dead-letter queue accepted.
        rejected_rows: Rows of the calendar that are invalid; set before the first event.
        last_end: Monotonic time at which the last event ended; 0 before the first.
    """

    def __init__(self) -> None:
        self._outcomes = dict.fromkeys(_OUTCOMES.values(), 0)
        self._received = 0
        self._undelivered = 0
        self.rejected = 0
        self.dead_letters = 0
        self.rejected_rows = 0
        self.last_end = 0.0

    def add(self, delivery_result: DeliveryResult) -> None:
        """Count one event that has ended, unless no rule matched it: the function did not receive it."""
        self.last_end = time.monotonic()
        if delivery_result.disposition is Disposition.FILTERED:
            return
        self._received += 1
        self._undelivered += bool(delivery_result.unsent)
        self.dead_letters += delivery_result.disposition in _SENT
        if (outcome := _OUTCOMES.get(delivery_result.disposition)) is not None:
            self._outcomes[outcome] += 1

    def summary(
        self,
        *,
        elapsed_s: float,
        deliveries: DeliveryCounters,
        spans: int,
        spans_lost: int,
        interrupted: bool,
        incomplete: tuple[str, ...] = (),
    ) -> Summary:
        """Return the counts; `Summary` describes the arguments.

        The attempts are those of `deliveries`, which has also those of events that have not ended.
        """
        return Summary(
            received=self._received,
            rejected=self.rejected,
            rejected_rows=self.rejected_rows,
            marked=self._outcomes["marked"],
            duplicate=self._outcomes["duplicate"],
            dead_lettered=self._outcomes["dead_lettered"],
            retry=self._outcomes["retry"],
            tries_raised=deliveries.failures,
            elapsed_s=round(elapsed_s, 3),
            invocations=deliveries.attempts,
            undelivered=self._undelivered,
            spans=spans,
            spans_lost=spans_lost,
            interrupted=interrupted,
            unfinished=deliveries.live,
            incomplete=incomplete,
        )
