"""Records that a failure destination of a local run did not accept: `undelivered.jsonl`. Their events are lost."""

from typing import Any

import orjson

from handler.event import resolve_correlation_id
from mep.dlq.sources import read_dead_letter

FILE = "undelivered"
NOTE = "the event is lost: the dead-letter queue rejected its record, which undelivered.jsonl has"


def correlation_id_of(record: dict[str, Any]) -> str:
    """Return the correlation ID of the event in a record; empty if it has none.

    Args:
        record: Lambda's record for an on-failure destination, or the event itself.
    """
    dead_letter = read_dead_letter("", orjson.dumps(record).decode(), {})
    if dead_letter.correlation_id:
        return dead_letter.correlation_id
    resolved = resolve_correlation_id(record)
    return "" if resolved.replaced else resolved.id
