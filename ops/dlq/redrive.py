"""Dead letters brought back: what would be sent, and the sending.

The order for each message is what makes it safe to be interrupted anywhere: audit entry "requested", send, audit entry
"redriven", delete. Until the delete the message is in the queue, and comes back when its hiding ends; so the worst
that a crash does is a second delivery, which the function absorbs as a duplicate.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from local.errors import LocalError, UnavailableError
from ops.dlq.audit import Action, AuditTrail
from ops.dlq.destinations import Destination, NotAccepted, Refused
from ops.dlq.letter import Letter, Shape
from ops.dlq.limits import RATE
from ops.dlq.metrics import OperatorMetrics
from ops.dlq.queue import Queue
from ops.dlq.resend import resent

MAX_FAILURES = 5
"""Questions or sends in a row that the service did not accept and that end the run."""

_METRICS_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that is not sent.

    Attributes:
        letter: which.
        reason: why.
    """

    letter: Letter
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a redrive is going to do.

    Attributes:
        send: these, in this order.
        kept: these stay, each for its reason.
        unjudged: these stay because the destination could not be asked about them.
    """

    send: tuple[Letter, ...]
    kept: tuple[Kept, ...]
    unjudged: tuple[Kept, ...] = ()

    @property
    def staying(self) -> tuple[Kept, ...]:
        """All that are not sent."""
        return self.kept + self.unjudged


@dataclass(slots=True)
class Done:
    """What a redrive did.

    Attributes:
        accepted: accepted, but not deleted: they are in the queue still, and sending them again delivers them twice.
        sent: accepted and deleted.
        failed: not accepted; still in the queue.
        given_up: not tried, because another consumer may have them: they were hidden too short.
        stopped: why it ended early; empty if it did not.
    """

    accepted: list[Letter] = field(default_factory=list)
    sent: list[Letter] = field(default_factory=list)
    failed: list[Kept] = field(default_factory=list)
    given_up: int = 0
    stopped: str = ""


def why_kept(letter: Letter, *, force: bool) -> str:
    """Why a letter is not sent, whatever the destination; empty if it is."""
    if letter.shape is Shape.UNKNOWN:
        return "nobody known writes such a message: it stays as it is"
    if letter.shape is Shape.SUBSCRIBER:
        return "its record names events, but does not hold them: replay them from the bus's archive"
    if letter.event_text is None:
        return "it holds no event that is JSON"
    if not force and (letter.category is None or not letter.category.transient):
        return f"{letter.group} does not mend itself: once the cause is mended, --force"
    return ""


def plan(
    letters: Iterable[Letter], destination: Destination, *, force: bool, renew: Callable[[], None] = lambda: None
) -> Plan:
    """Decide for each letter whether it is sent.

    Args:
        letters: which.
        destination: asked about each, which takes a call or more: many letters take minutes.
        force: also what does not mend itself.
        renew: called before each question, to keep the letters hidden meanwhile.

    Raises:
        RunError: nothing can be sent that way at all.
        UnavailableError: the destination cannot be asked.
    """
    send: list[Letter] = []
    kept: list[Kept] = []
    unjudged: list[Kept] = []
    in_a_row = 0
    for letter in letters:
        if reason := why_kept(letter, force=force):
            kept.append(Kept(letter, reason))
            continue
        renew()
        try:
            destination.check(resent(letter))
        except Refused as refused:
            kept.append(Kept(letter, str(refused)))
        except NotAccepted as failed:
            unjudged.append(Kept(letter, str(failed)))
            in_a_row += 1
            if in_a_row >= MAX_FAILURES:
                what = f"{destination.name} could not be asked about {in_a_row} in a row"
                raise UnavailableError(f"{what}: {failed}") from failed
            continue
        else:
            send.append(letter)
        in_a_row = 0
    return Plan(tuple(send), tuple(kept), tuple(unjudged))


@dataclass(frozen=True, slots=True)
class Redrive:
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

    def run(self, letters: Iterable[Letter], done: Done) -> None:
        """Send one after the other. What comes of it is in `done`, also when this is interrupted.

        Raises:
            LocalError: the queue, the audit table or the destination cannot be used any more; nothing was deleted
                without being accepted.
        """
        in_a_row = 0
        due = metrics_due = self.clock()
        metrics_due += _METRICS_EVERY_S
        for letter in letters:
            if (wait := due - self.clock()) > 0:
                self.sleep(wait)
            due = max(due, self.clock()) + 1 / self.rate
            self.queue.renew()
            if self.queue.holds(letter):
                in_a_row = 0 if self._one(letter, done) else in_a_row + 1
            else:
                done.given_up += 1
            if in_a_row >= MAX_FAILURES:
                done.stopped = f"{MAX_FAILURES} in a row were not accepted: {done.failed[-1].reason}"
                return
            if self.clock() >= metrics_due:
                metrics_due = self.clock() + _METRICS_EVERY_S
                self.metrics.send()

    def _one(self, letter: Letter, done: Done) -> bool:
        where = self.destination.name
        self.audit.note(Action.REDRIVE_REQUESTED, letter, destination=where)
        try:
            accepted = self.destination.send(resent(letter))
        except (NotAccepted, Refused) as refused:
            done.failed.append(Kept(letter, str(refused)))
            self.metrics.count("DeadLettersRedriveFailed")
            return False
        except LocalError as error:
            done.failed.append(Kept(letter, str(error)))
            self.metrics.count("DeadLettersRedriveFailed")
            raise
        done.accepted.append(letter)
        self.metrics.count("DeadLettersRedriven")
        self.audit.note(Action.REDRIVEN, letter, destination=where, accepted_as=accepted)
        self.queue.delete(letter)
        done.accepted.remove(letter)
        done.sent.append(letter)
        return True
