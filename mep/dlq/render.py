"""Dead letters on a terminal and as JSON."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from handler.dead_letters import serialize_event
from handler.errors import ErrorCategory
from handler.validation import format_utc
from mep.dlq.event import trace_id
from mep.dlq.model import DeadLetter
from mep.dlq.redrive import Skipped
from mep.dlq.sqs_queue import QueueSnapshot
from mep.terminal import escape_control

GROUPINGS = ("category", "age", "correlation-id")

_AGES = ((timedelta(hours=1), "under 1 hour"), (timedelta(days=1), "under 1 day"), (timedelta(days=7), "under 7 days"))
_MAX_PRINTED_SKIPPED = 10
_NOT_ASCII = re.compile("[^ -~]+")


def age_of(dead_letter: DeadLetter, now: datetime) -> timedelta | None:
    """How long the message has been in the queue; never negative, whatever two clocks say."""
    return None if dead_letter.sent_at is None else max(now - dead_letter.sent_at, timedelta())


def _age_text(age: timedelta | None) -> str:
    if age is None:
        return "?"
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _age_group(age: timedelta | None) -> str:
    if age is None:
        return "unknown"
    return next((name for limit, name in _AGES if age < limit), "7 days and more")


def group_name(dead_letter: DeadLetter, by: str, now: datetime) -> str:
    """The group that a letter belongs to under one of `GROUPINGS`."""
    if by == "age":
        return _age_group(age_of(dead_letter, now))
    return dead_letter.group if by == "category" else dead_letter.correlation_id or "none"


def to_json_summary(dead_letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """A letter as JSON object, without what it holds."""
    age = age_of(dead_letter, now)
    return {
        "message_id": dead_letter.message_id,
        "shape": dead_letter.shape.value,
        "category": dead_letter.group,
        "code": dead_letter.code,
        "message": dead_letter.message,
        "throttling_reasons": list(dead_letter.throttling_reasons),
        "correlation_id": dead_letter.correlation_id,
        "request_id": dead_letter.request_id or None,
        "trace_id": trace_id(dead_letter),
        "sent_at": format_utc(dead_letter.sent_at) if dead_letter.sent_at else None,
        "age_s": None if age is None else int(age.total_seconds()),
        "receive_count": dead_letter.receive_count,
        "tries": dead_letter.tries,
        "redrives": dead_letter.redrives,
        "replay_name": dead_letter.replay_name,
    }


def to_json_full(dead_letter: DeadLetter, now: datetime) -> dict[str, Any]:
    """A letter as JSON object, with all that it holds."""
    return to_json_summary(dead_letter, now) | {
        "attributes": dead_letter.attributes,
        "body": dead_letter.body,
        "event": dead_letter.event,
    }


def json_text(value: object) -> str:
    """A JSON value on one line, in ASCII; a number beyond a double's range (1e999) stays one, as in the function."""
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], serialize_event(value))


def as_json(dead_letters: Sequence[DeadLetter], reading: QueueSnapshot, by: str, now: datetime) -> str:
    """What `mep dlq list --json` prints: one JSON object on one line."""
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for dead_letter in dead_letters:
        groups[group_name(dead_letter, by, now)].append(dead_letter)
    return json_text(
        {
            "seen": len(reading.dead_letters),
            "matching": len(dead_letters),
            "complete": reading.complete,
            "in_flight": reading.in_flight,
            "unseen": reading.unseen,
            "groups": [{"by": by, "group": name, "count": len(members)} for name, members in groups.items()],
            "letters": [to_json_full(dead_letter, now) for dead_letter in dead_letters],
        }
    )


def _why(dead_letter: DeadLetter) -> str:
    text = dead_letter.message or dead_letter.code
    if not dead_letter.throttling_reasons or dead_letter.category is not ErrorCategory.THROTTLING:
        return text[:120]
    # The category and the ID, which the function's own text begins with, have columns of their own; of an ARN, a list
    # shows which table and which index.
    code = text.partition(" : ")[2].partition(" (")[0] or text
    return f"{code[:120]}: {'; '.join(re.sub('arn:[^ /]*:', '', reason) for reason in dead_letter.throttling_reasons)}"


def listing(dead_letters: Sequence[DeadLetter], by: str) -> RenderableType:
    """Letters in groups, the largest group first, the oldest letter of each first."""
    now = datetime.now(UTC)
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for dead_letter in dead_letters:
        groups[group_name(dead_letter, by, now)].append(dead_letter)
    table = Table("message ID", "age", "category", "correlation ID", "from", "why", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[3].overflow = table.columns[5].overflow = "fold"
    for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        table.add_section()
        table.add_row(Text(f"{len(members)}", "bold"), "", Text(escape_control(name), "bold red"), "", "", "")
        for dead_letter in members:
            times = "once" if dead_letter.redrives == 1 else f"{dead_letter.redrives} times"
            again = f" (redriven {times})" if dead_letter.redrives else ""
            table.add_row(
                escape_control(dead_letter.message_id[:13]),
                _age_text(age_of(dead_letter, now)),
                dead_letter.group,
                Text(escape_control(dead_letter.correlation_id or "none"), "cyan"),
                dead_letter.shape.value,
                Text(escape_control(_why(dead_letter)) + again),
            )
    return table


def unread_notes(reading: QueueSnapshot) -> list[str]:
    """What an honest list has to add, a line each."""
    told = []
    if reading.in_flight:
        told.append(f"about {reading.in_flight} more are hidden: somebody else is working on them")
    if reading.unseen and reading.limit is not None:
        told.append(f"about {reading.unseen} more were there and not looked at: --max {reading.limit} was reached")
    elif reading.unseen:
        told.append(f"about {reading.unseen} more were there and not received: run it again")
    if reading.own_redrive_policy:
        told.append("the queue has a redrive policy of its own: each look counts against its maxReceiveCount")
    return told


def details(dead_letter: DeadLetter) -> RenderableType:
    """One letter with all that it holds; control characters are escaped."""
    now = datetime.now(UTC)
    told = to_json_summary(dead_letter, now) | {"throttling_reasons": "; ".join(dead_letter.throttling_reasons)}
    lines = [
        Text.assemble((f"{name}  ", "dim"), (escape_control(value), "bold"))
        for name, value in told.items()
        if value not in {None, ""}
    ]
    known = {"ERROR_CODE", "ERROR_MESSAGE", "CORRELATION_ID", "REQUEST_ID", "RequestID", "ErrorCode", "ErrorMessage"}
    known.add("THROTTLING_REASONS")
    lines += [
        Text.assemble((f"{escape_control(name)}  ", "dim"), escape_control(value))
        for name, value in dead_letter.attributes.items()
        if name not in known
    ]
    if dead_letter.event_text is None:
        return Group(*lines, Text("body", "dim"), Text(escape_control(dead_letter.body)))
    event = json.dumps(dead_letter.event, indent=2)
    if "Infinity" in event:  # perhaps a number, and then no JSON
        event = json_text(dead_letter.event)
    return Group(*lines, Text("event", "dim"), Text(event))


def print_skipped(dead_letters: Iterable[Skipped], screen: Console) -> None:
    """Say what stays in the queue, by reason, with the first few of each."""
    reasons: dict[str, list[DeadLetter]] = defaultdict(list)
    for each in dead_letters:
        reasons[each.reason].append(each.dead_letter)
    for reason, members in reasons.items():
        ids = ", ".join(dead_letter.message_id[:13] for dead_letter in members[:_MAX_PRINTED_SKIPPED])
        more = f" and {len(members) - _MAX_PRINTED_SKIPPED} more" if len(members) > _MAX_PRINTED_SKIPPED else ""
        screen.print(
            Text.assemble((f"{len(members)} kept: ", "yellow"), escape_control(reason), (f"  ({ids}{more})", "dim"))
        )
