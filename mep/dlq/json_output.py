"""Dead letters and what was done with them, as JSON. The keys are documented in `docs/dead-letters.md`."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from handler.dead_letters import serialize_event
from handler.validation import format_utc
from mep.dlq.model import DeadLetter
from mep.dlq.queue import QueueSnapshot
from mep.dlq.results import ActionResult
from mep.dlq.summary import group_by, summarize

_NOT_ASCII = re.compile("[^ -~]+")


def to_json_summary(dead_letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """Return a dead letter as a JSON object, without body, event and attributes."""
    age = dead_letter.age(now)
    return {
        "message_id": dead_letter.message_id,
        "shape": dead_letter.shape.value,
        "category": dead_letter.group,
        "code": dead_letter.code,
        "message": dead_letter.message,
        "throttling_reasons": list(dead_letter.throttling_reasons),
        "correlation_id": dead_letter.correlation_id,
        "request_id": dead_letter.request_id or None,
        "trace_id": dead_letter.trace_id,
        "sent_at": format_utc(dead_letter.sent_at) if dead_letter.sent_at else None,
        "age_s": _seconds(age),
        "receive_count": dead_letter.receive_count,
        "tries": dead_letter.tries,
        "redrives": dead_letter.redrives,
        "replay_name": dead_letter.replay_name,
    }


def to_json_full(dead_letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """Return a dead letter as a JSON object."""
    return to_json_summary(dead_letter, now) | {
        "attributes": dead_letter.attributes,
        "body": dead_letter.body,
        "event": dead_letter.event,
    }


def json_text(value: object) -> str:
    """Return a JSON value on one line, in ASCII; a number beyond a double's range (1e999) stays unchanged."""
    return _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], serialize_event(value))


def list_json(
    dead_letters: Sequence[DeadLetter], snapshot: QueueSnapshot, by: str, now: datetime, limit: int | None
) -> Iterator[str]:
    """Yield the parts of the output of `mep dlq list --json`: one JSON object on one line.

    Args:
        dead_letters: The messages that match.
        snapshot: What was read.
        by: One of `GROUPINGS`.
        now: For the ages.
        limit: The maximum number of messages in the output; None for all.
    """
    summary = summarize(dead_letters, now)
    head = json_text(
        {
            "seen": len(snapshot.dead_letters),
            "matching": len(dead_letters),
            "complete": snapshot.complete,
            "in_flight": snapshot.in_flight,
            "unseen": snapshot.unseen,
            "summary": [
                {
                    "category": group.cause.category,
                    "code": group.cause.code,
                    "shape": group.cause.source.value,
                    "count": group.count,
                    "oldest_s": _seconds(group.oldest),
                    "newest_s": _seconds(group.newest),
                }
                for group in summary.causes
            ],
            "ages": [{"by": "age", "group": name, "count": count} for name, count in summary.ages],
            "groups": [
                {"by": by, "group": name, "count": len(members)}
                for name, members in group_by(dead_letters, by, now).items()
            ],
        }
    )
    yield head[:-1] + ',"letters":['  # one by one: all of them as one text would need their memory twice
    for number, dead_letter in enumerate(dead_letters[:limit]):
        yield ("," if number else "") + json_text(to_json_full(dead_letter, now))
    yield "]}"


def result_json(
    result: ActionResult, snapshot: QueueSnapshot, missing: Sequence[str], other_targets: Sequence[str]
) -> str:
    """Return the output of `mep dlq redrive --json` and `discard --json`: one JSON object on one line.

    Args:
        result: What was done.
        snapshot: What was read.
        missing: Named message IDs and correlation IDs that were not found.
        other_targets: What else receives the events of a redrive.
    """
    returns = result.returns
    return json_text(
        {
            "action": result.action.value,
            "destination": result.destination or None,
            "other_targets": list(other_targets),
            "dry_run": result.dry_run,
            "seen": len(snapshot.dead_letters),
            "complete": snapshot.complete,
            "in_flight": snapshot.in_flight,
            "unseen": snapshot.unseen,
            "selected": len(result.messages),
            "counts": {state.value: count for state, count in result.counts.items()},
            "missing": list(missing),
            "stopped": result.stopped or None,
            "messages": [
                _identification(message.dead_letter) | {"state": message.state.value, "reason": message.reason or None}
                for message in result.messages
            ],
            "returns": returns
            and {
                "expected": returns.expected,
                "returned": len(returns.returned),
                "not_returned": returns.not_returned,
                "waited_s": round(returns.waited_s, 1),
                "messages": [_identification(dead_letter) for dead_letter in returns.returned],
            },
        }
    )


def _identification(dead_letter: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": dead_letter.message_id,
        "correlation_id": dead_letter.correlation_id,
        "category": dead_letter.group,
    }


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())
