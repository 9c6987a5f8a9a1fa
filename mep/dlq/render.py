"""Dead letters on a terminal and as JSON."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from handler.dead_letters import serialize_event
from handler.errors import ErrorCategory
from handler.validation import format_utc
from mep.dlq.model import DeadLetter
from mep.dlq.queue import QueueSnapshot
from mep.dlq.redrive import Skipped
from mep.terminal import plain_table
from mep.text import escape_control

GROUPINGS = ("category", "age", "correlation-id")

_AGES = ((timedelta(hours=1), "under 1 hour"), (timedelta(days=1), "under 1 day"), (timedelta(days=7), "under 7 days"))
_MAX_PRINTED_SKIPPED = 10
_PRINTED_ERROR = 120
_NOT_ASCII = re.compile("[^ -~]+")
_SHOWN_BY_NAME = frozenset(
    {
        *("ERROR_CODE", "ERROR_MESSAGE", "CORRELATION_ID", "REQUEST_ID", "THROTTLING_REASONS"),
        *("RequestID", "ErrorCode", "ErrorMessage"),
    }
)
"""Message attributes that `mep dlq show` prints under another name."""


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
        "age_s": None if age is None else int(age.total_seconds()),
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


def as_json(dead_letters: Sequence[DeadLetter], snapshot: QueueSnapshot, by: str, now: datetime) -> str:
    """Return the output of `mep dlq list --json`: one JSON object on one line."""
    return json_text(
        {
            "seen": len(snapshot.dead_letters),
            "matching": len(dead_letters),
            "complete": snapshot.complete,
            "in_flight": snapshot.in_flight,
            "unseen": snapshot.unseen,
            "groups": [
                {"by": by, "group": name, "count": len(members)}
                for name, members in _groups(dead_letters, by, now).items()
            ],
            "letters": [to_json_full(dead_letter, now) for dead_letter in dead_letters],
        }
    )


def listing(dead_letters: Sequence[DeadLetter], by: str) -> RenderableType:
    """Return a table of dead letters in groups, the largest group first, the oldest message of each first."""
    now = datetime.now(UTC)
    table = plain_table("message ID", "age", "category", "correlation ID", "from", "why")
    for name, members in sorted(_groups(dead_letters, by, now).items(), key=lambda item: (-len(item[1]), item[0])):
        table.add_section()
        table.add_row(Text(f"{len(members)}", "bold"), "", Text(escape_control(name), "bold red"), "", "", "")
        for dead_letter in members:
            times = "once" if dead_letter.redrives == 1 else f"{dead_letter.redrives} times"
            redriven = f" (redriven {times})" if dead_letter.redrives else ""
            table.add_row(
                Text(escape_control(dead_letter.message_id)),
                _age_text(dead_letter.age(now)),
                dead_letter.group,
                Text(escape_control(dead_letter.correlation_id or "none"), "cyan"),
                dead_letter.shape.value,
                Text(escape_control(_error_text(dead_letter)) + redriven),
            )
    return table


def details(dead_letter: DeadLetter) -> RenderableType:
    """Return one dead letter with all its fields; control characters are escaped."""
    now = datetime.now(UTC)
    fields = to_json_summary(dead_letter, now) | {"throttling_reasons": "; ".join(dead_letter.throttling_reasons)}
    lines = [
        Text.assemble((f"{name}  ", "dim"), (escape_control(value), "bold"))
        for name, value in fields.items()
        if value not in {None, ""}
    ]
    lines += [
        Text.assemble((f"{escape_control(name)}  ", "dim"), escape_control(value))
        for name, value in dead_letter.attributes.items()
        if name not in _SHOWN_BY_NAME
    ]
    if dead_letter.event_text is None:
        return Group(*lines, Text("body", "dim"), Text(escape_control(dead_letter.body)))
    event = json.dumps(dead_letter.event, indent=2)
    if "Infinity" in event:  # perhaps a number beyond a double's range, which json.dumps cannot write
        event = json_text(dead_letter.event)
    return Group(*lines, Text("event", "dim"), Text(event))


def print_skipped(skipped: Iterable[Skipped], screen: Console) -> None:
    """Print the messages that stay in the queue, by reason, with the first few IDs of each."""
    by_reason: dict[str, list[DeadLetter]] = defaultdict(list)
    for entry in skipped:
        by_reason[entry.reason].append(entry.dead_letter)
    for reason, members in by_reason.items():
        ids = ", ".join(dead_letter.message_id for dead_letter in members[:_MAX_PRINTED_SKIPPED])
        rest = f" and {len(members) - _MAX_PRINTED_SKIPPED} more" if len(members) > _MAX_PRINTED_SKIPPED else ""
        screen.print(
            Text.assemble((f"{len(members)} skipped: ", "yellow"), escape_control(reason), (f"  ({ids}{rest})", "dim"))
        )


def _groups(dead_letters: Iterable[DeadLetter], by: str, now: datetime) -> dict[str, list[DeadLetter]]:
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for dead_letter in dead_letters:
        match by:
            case "age":
                name = _age_group(dead_letter.age(now))
            case "category":
                name = dead_letter.group
            case _:
                name = dead_letter.correlation_id or "none"
        groups[name].append(dead_letter)
    return groups


def _age_group(age: timedelta | None) -> str:
    if age is None:
        return "unknown"
    return next((name for limit, name in _AGES if age < limit), "7 days and more")


def _age_text(age: timedelta | None) -> str:
    if age is None:
        return "?"
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _error_text(dead_letter: DeadLetter) -> str:
    text = dead_letter.message or dead_letter.code
    if not dead_letter.throttling_reasons or dead_letter.category is not ErrorCategory.THROTTLING:
        return text[:_PRINTED_ERROR]
    # The function's text begins with category and correlation ID, which have columns of their own. Of an ARN the list
    # shows the table and the index only.
    code = text.partition(" : ")[2].partition(" (")[0] or text
    reasons = "; ".join(re.sub("arn:[^ /]*:", "", reason) for reason in dead_letter.throttling_reasons)
    return f"{code[:_PRINTED_ERROR]}: {reasons}"
