"""Dead letters as moments."""

import json
from collections.abc import Iterable
from datetime import UTC

from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.trace.entries import Entry, nanoseconds

_WROTE = {
    DeadLetterSource.HANDLER: "dead letter of the function",
    DeadLetterSource.ON_FAILURE: "Lambda's on-failure record",
    DeadLetterSource.RULE: "dead letter of the EventBridge rule",
    DeadLetterSource.LAMBDA: "dead letter of Lambda's queue",
    DeadLetterSource.SUBSCRIBER: "dead-letter record of the bus",
    DeadLetterSource.UNKNOWN: "a message that nobody knows",
}


def dead_letter_entry(dead_letter: DeadLetter, others: Iterable[Entry]) -> Entry:
    """A dead letter as a moment.

    Args:
        dead_letter: as it was read.
        others: tell when it was sent, where the letter does not.
    """
    return Entry(
        at=_sent_at(dead_letter, list(others)),
        kind="dead_letter",
        title=_WROTE[dead_letter.shape],
        severity="error",
        request_id=dead_letter.request_id,
        attributes={
            "error_category": dead_letter.group,
            "code": dead_letter.code,
            "why": dead_letter.message,
            "throttling_reasons": list(dead_letter.throttling_reasons) or None,
            "message_id": dead_letter.message_id,
            "tries": dead_letter.tries,
            "redrives": dead_letter.redrives or None,
            "body": dead_letter.body,
        },
    )


def _sent_at(dead_letter: DeadLetter, others: list[Entry]) -> int:
    if dead_letter.sent_at is not None:
        whole = dead_letter.sent_at.astimezone(UTC)
        return int(whole.timestamp()) * 1_000_000_000 + whole.microsecond * 1000
    if dead_letter.shape is DeadLetterSource.ON_FAILURE:
        try:
            told = nanoseconds(json.loads(dead_letter.body).get("timestamp"))
        except ValueError:
            told = None
        if told is not None:
            return told
    sending = (entry.at for entry in others if entry.attributes.get("dead_letter_id") == dead_letter.message_id)
    return next(sending, max((entry.end for entry in others), default=0))
