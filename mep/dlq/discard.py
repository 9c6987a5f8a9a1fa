"""Dead letters given up, by a person, for a reason: audit entry "requested", delete, audit entry "discarded"."""

from collections.abc import Iterable

from mep.dlq.audit import Action, AuditTrail
from mep.dlq.metrics import OperatorMetrics
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.redrive import RedrivePlan, Skipped
from mep.dlq.sqs_queue import Queue
from mep.errors import UsageError

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


def plan(dead_letters: Iterable[DeadLetter]) -> RedrivePlan:
    """Decide which letters may be deleted: all that are understood."""
    dead_letters = list(dead_letters)
    unknown = "nobody known writes such a message: it is never deleted"
    return RedrivePlan(
        tuple(dead_letter for dead_letter in dead_letters if dead_letter.shape is not DeadLetterSource.UNKNOWN),
        tuple(
            Skipped(dead_letter, unknown)
            for dead_letter in dead_letters
            if dead_letter.shape is DeadLetterSource.UNKNOWN
        ),
    )


def discard(
    dead_letters: Iterable[DeadLetter],
    reason: str,
    queue: Queue,
    audit: AuditTrail,
    metrics: OperatorMetrics,
    done: list[DeadLetter],
) -> None:
    """Delete letters, each framed by its audit entries; `done` has those that are gone, also when interrupted.

    Raises:
        LocalError: the queue or the audit table cannot be used.
    """
    for dead_letter in dead_letters:
        queue.extend_visibility()
        if not queue.owns(dead_letter):
            continue
        audit.record(Action.DISCARD_REQUESTED, dead_letter, reason=reason)
        queue.delete(dead_letter)
        done.append(dead_letter)
        metrics.count("DeadLettersDiscarded")
        audit.record(Action.DISCARDED, dead_letter, reason=reason)
