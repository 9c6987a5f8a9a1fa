"""Dead letters brought back: what would be sent, and the sending.

The order for each message is what makes it safe to be interrupted anywhere: audit entry "requested", send, audit entry
"redriven", delete. Until the delete the message is in the queue, and comes back when its hiding ends; so the worst
that a crash does is a second delivery, which the function absorbs as a duplicate.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mep.dlq.audit import Action, AuditTrail
from mep.dlq.destinations import CannotSendError, Destination, RejectedError
from mep.dlq.event import prepare_for_redrive
from mep.dlq.limits import RATE
from mep.dlq.metrics import OperatorMetrics
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.sqs_queue import Queue
from mep.errors import LocalError, UnavailableError

MAX_FAILURES = 5
"""Questions or sends in a row that the service did not accept and that end the run."""

_METRICS_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class Skipped:
    """A letter that is not sent.

    Attributes:
        dead_letter: which.
        reason: why.
    """

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class RedrivePlan:
    """What a redrive is going to do.

    Attributes:
        send: these, in this order.
        kept: these stay, each for its reason.
        unverified: these stay because the destination could not be asked about them.
    """

    send: tuple[DeadLetter, ...]
    kept: tuple[Skipped, ...]
    unverified: tuple[Skipped, ...] = ()

    @property
    def skipped_count(self) -> tuple[Skipped, ...]:
        """All that are not sent."""
        return self.kept + self.unverified


@dataclass(slots=True)
class RedriveResult:
    """What a redrive did.

    Attributes:
        accepted: accepted, but not deleted: they are in the queue still, and sending them again delivers them twice.
        sent: accepted and deleted.
        failed: not accepted; still in the queue.
        expired: not tried, because another consumer may have them: they were hidden too short.
        stopped: why it ended early; empty if it did not.
    """

    accepted: list[DeadLetter] = field(default_factory=list)
    sent: list[DeadLetter] = field(default_factory=list)
    failed: list[Skipped] = field(default_factory=list)
    expired: int = 0
    stopped: str = ""


def skip_reason(dead_letter: DeadLetter, *, force: bool) -> str:
    """Why a letter is not sent, whatever the destination; empty if it is."""
    if dead_letter.shape is DeadLetterSource.UNKNOWN:
        return "nobody known writes such a message: it stays as it is"
    if dead_letter.shape is DeadLetterSource.SUBSCRIBER:
        return "its record names events, but does not hold them: replay them from the bus's archive"
    if dead_letter.event_text is None:
        return "it holds no event that is JSON"
    if not force and (dead_letter.category is None or not dead_letter.category.transient):
        return f"{dead_letter.group} does not mend itself: once the cause is mended, --force"
    return ""


def plan(
    dead_letters: Iterable[DeadLetter],
    destination: Destination,
    *,
    force: bool,
    extend_visibility: Callable[[], None] = lambda: None,
) -> RedrivePlan:
    """Decide for each letter whether it is sent.

    Args:
        dead_letters: which.
        destination: asked about each, which takes a call or more: many letters take minutes.
        force: also what does not mend itself.
        extend_visibility: called before each question, to keep the letters hidden meanwhile.

    Raises:
        RunError: nothing can be sent that way at all.
        UnavailableError: the destination cannot be asked.
    """
    send: list[DeadLetter] = []
    kept: list[Skipped] = []
    unverified: list[Skipped] = []
    in_a_row = 0
    for dead_letter in dead_letters:
        if reason := skip_reason(dead_letter, force=force):
            kept.append(Skipped(dead_letter, reason))
            continue
        extend_visibility()
        try:
            destination.check(prepare_for_redrive(dead_letter))
        except CannotSendError as refused:
            kept.append(Skipped(dead_letter, str(refused)))
        except RejectedError as failed:
            unverified.append(Skipped(dead_letter, str(failed)))
            in_a_row += 1
            if in_a_row >= MAX_FAILURES:
                what = f"{destination.name} could not be asked about {in_a_row} in a row"
                raise UnavailableError(f"{what}: {failed}") from failed
            continue
        else:
            send.append(dead_letter)
        in_a_row = 0
    return RedrivePlan(tuple(send), tuple(kept), tuple(unverified))


@dataclass(frozen=True, slots=True)
class Redriver:
    """Sends letters.

    Attributes:
        queue: holds them.
        destination: takes them.
        audit: is told before and after.
        metrics: count.
        rate: events a second at most.
        clock: seconds, monotonic.
        sleep: waits so many seconds.
    """

    queue: Queue
    destination: Destination
    audit: AuditTrail
    metrics: OperatorMetrics
    rate: float = RATE
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, dead_letters: Iterable[DeadLetter], done: RedriveResult) -> None:
        """Send one after the other. What comes of it is in `done`, also when this is interrupted.

        Raises:
            LocalError: the queue, the audit table or the destination cannot be used any more; nothing was deleted
                without being accepted.
        """
        in_a_row = 0
        due = metrics_due = self.clock()
        metrics_due += _METRICS_EVERY_S
        for dead_letter in dead_letters:
            if (wait := due - self.clock()) > 0:
                self.sleep(wait)
            due = max(due, self.clock()) + 1 / self.rate
            self.queue.extend_visibility()
            if self.queue.owns(dead_letter):
                in_a_row = 0 if self._one(dead_letter, done) else in_a_row + 1
            else:
                done.expired += 1
            if in_a_row >= MAX_FAILURES:
                done.stopped = f"{MAX_FAILURES} in a row were not accepted: {done.failed[-1].reason}"
                return
            if self.clock() >= metrics_due:
                metrics_due = self.clock() + _METRICS_EVERY_S
                self.metrics.send()

    def _one(self, dead_letter: DeadLetter, done: RedriveResult) -> bool:
        where = self.destination.name
        self.audit.record(Action.REDRIVE_REQUESTED, dead_letter, destination=where)
        try:
            accepted = self.destination.send(prepare_for_redrive(dead_letter))
        except (RejectedError, CannotSendError) as refused:
            done.failed.append(Skipped(dead_letter, str(refused)))
            self.metrics.count("DeadLettersRedriveFailed")
            return False
        except LocalError as error:
            done.failed.append(Skipped(dead_letter, str(error)))
            self.metrics.count("DeadLettersRedriveFailed")
            raise
        done.accepted.append(dead_letter)
        self.metrics.count("DeadLettersRedriven")
        self.audit.record(Action.REDRIVEN, dead_letter, destination=where, accepted_as=accepted)
        self.queue.delete(dead_letter)
        done.accepted.remove(dead_letter)
        done.sent.append(dead_letter)
        return True
