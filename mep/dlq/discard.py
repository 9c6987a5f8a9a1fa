"""Discards dead letters with a reason: audit entry "requested", delete, audit entry "discarded"."""

from collections.abc import Iterable

from mep.dlq.audit import Action, AuditTrail
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.queue import Queue
from mep.dlq.redrive import Plan, Skipped
from mep.dlq.results import NO_ANSWER, MessageState, Recorder
from mep.dlq.session import OperatorMetrics
from mep.errors import AwsUnavailableError, UsageError

MAX_REASON = 500


def check_reason(reason: str) -> str:
    """Return the reason, trimmed.

    Raises:
        UsageError: It is empty, too long, or not one printable line.
    """
    text = reason.strip()
    if not text or len(text) > MAX_REASON or not text.isprintable():
        raise UsageError(f"--reason must be one line of 1 to {MAX_REASON} characters: the audit table records it")
    return text


def plan(dead_letters: Iterable[DeadLetter]) -> Plan:
    """Select the messages that may be deleted: all of a recognised format."""
    selected: list[DeadLetter] = []
    skipped: list[Skipped] = []
    for dead_letter in dead_letters:
        if dead_letter.shape is DeadLetterSource.UNKNOWN:
            skipped.append(Skipped(dead_letter, "unrecognised message format; never deleted"))
        else:
            selected.append(dead_letter)
    return Plan(tuple(selected), tuple(skipped))


def discard(
    dead_letters: Iterable[DeadLetter],
    reason: str,
    queue: Queue,
    audit: AuditTrail,
    metrics: OperatorMetrics,
    recorder: Recorder,
) -> None:
    """Delete messages, with an audit entry before and after each, and record each, also when this is interrupted.

    Messages whose visibility timeout has expired are left out.

    Raises:
        MepError: The queue or the audit table failed.
    """
    for dead_letter in dead_letters:
        queue.extend_visibility()
        if not queue.owns(dead_letter):
            recorder.set(dead_letter, MessageState.EXPIRED)
            continue
        audit.record(Action.DISCARD_REQUESTED, dead_letter, reason=reason)
        recorder.set(dead_letter, MessageState.UNCERTAIN, "no answer of the queue")
        try:
            queue.delete(dead_letter)
        except AwsUnavailableError as error:
            if error.problem.reason not in NO_ANSWER:
                recorder.set(dead_letter, MessageState.FAILED, str(error))
            raise
        recorder.set(dead_letter, MessageState.DISCARDED)
        metrics.count("DeadLettersDiscarded")
        audit.record(Action.DISCARDED, dead_letter, reason=reason)
