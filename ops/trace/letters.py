"""Dead letters as moments."""

import json
from collections.abc import Iterable
from datetime import UTC

from ops.dlq.letter import Letter, Shape
from ops.trace.moments import Moment, nanoseconds

_WROTE = {
    Shape.HANDLER: "dead letter of the function",
    Shape.ON_FAILURE: "Lambda's on-failure record",
    Shape.RULE: "dead letter of the EventBridge rule",
    Shape.LAMBDA: "dead letter of Lambda's queue",
    Shape.SUBSCRIBER: "dead-letter record of the bus",
    Shape.UNKNOWN: "a message that nobody knows",
}


def letter_moment(letter: Letter, others: Iterable[Moment]) -> Moment:
    """A dead letter as a moment.

    Args:
        letter: as it was read.
        others: tell when it was sent, where the letter does not.
    """
    return Moment(
        at=_sent_at(letter, list(others)),
        kind="dead_letter",
        title=_WROTE[letter.shape],
        gravity="error",
        request_id=letter.request_id,
        facts={
            "error_category": letter.group,
            "code": letter.code,
            "why": letter.message,
            "throttling_reasons": list(letter.throttling_reasons) or None,
            "message_id": letter.message_id,
            "tries": letter.tries,
            "redrives": letter.redrives or None,
            "body": letter.body,
        },
    )


def _sent_at(letter: Letter, others: list[Moment]) -> int:
    if letter.sent_at is not None:
        whole = letter.sent_at.astimezone(UTC)
        return int(whole.timestamp()) * 1_000_000_000 + whole.microsecond * 1000
    if letter.shape is Shape.ON_FAILURE:
        try:
            told = nanoseconds(json.loads(letter.body).get("timestamp"))
        except ValueError:
            told = None
        if told is not None:
            return told
    sending = (moment.at for moment in others if moment.facts.get("dead_letter_id") == letter.message_id)
    return next(sending, max((moment.end for moment in others), default=0))
