"""Dead letters given up, by a person, for a reason: audit entry "requested", delete, audit entry "discarded"."""

from collections.abc import Iterable

from local.errors import UsageError
from ops.dlq.audit import Action, AuditTrail
from ops.dlq.letter import Letter, Shape
from ops.dlq.metrics import OperatorMetrics
from ops.dlq.queue import Queue
from ops.dlq.redrive import Kept, Plan

MAX_REASON = 500


def check_reason(reason: str) -> str:
    """Return the reason, trimmed.

    Raises:
        UsageError: there is none, or it is no line of text.
    """
    text = reason.strip()
    if not text or len(text) > MAX_REASON or not text.isprintable():
        raise UsageError(f"--reason must be one line of 1 to {MAX_REASON} characters: it goes into the audit table")
    return text


def plan(letters: Iterable[Letter]) -> Plan:
    """Decide which letters may be deleted: all that are understood."""
    letters = list(letters)
    unknown = "nobody known writes such a message: it is never deleted"
    return Plan(
        tuple(letter for letter in letters if letter.shape is not Shape.UNKNOWN),
        tuple(Kept(letter, unknown) for letter in letters if letter.shape is Shape.UNKNOWN),
    )


def discard(  # noqa: PLR0913, PLR0917 - what it works with
    letters: Iterable[Letter],
    reason: str,
    queue: Queue,
    audit: AuditTrail,
    metrics: OperatorMetrics,
    done: list[Letter],
) -> None:
    """Delete letters, each framed by its audit entries; `done` has those that are gone, also when interrupted.

    Raises:
        LocalError: the queue or the audit table cannot be used.
    """
    for letter in letters:
        queue.renew()
        if not queue.holds(letter):
            continue
        audit.note(Action.DISCARD_REQUESTED, letter, reason=reason)
        queue.delete(letter)
        done.append(letter)
        metrics.count("DeadLettersDiscarded")
        audit.note(Action.DISCARDED, letter, reason=reason)
