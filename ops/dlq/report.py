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

from handler.categories import ErrorCategory
from handler.dead_letter import body_of
from handler.fields import utc_text
from local.report import shown
from ops.dlq.letter import Letter
from ops.dlq.queue import Reading
from ops.dlq.redrive import Kept
from ops.dlq.resend import trace_id

GROUPINGS = ("category", "age", "correlation-id")

_AGES = ((timedelta(hours=1), "under 1 hour"), (timedelta(days=1), "under 1 day"), (timedelta(days=7), "under 7 days"))
_SHOWN_KEPT = 10
_NOT_ASCII = re.compile("[^ -~]+")


def age_of(letter: Letter, now: datetime) -> timedelta | None:
    """How long the message has been in the queue; never negative, whatever two clocks say."""
    return None if letter.sent_at is None else max(now - letter.sent_at, timedelta())


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


def group_name(letter: Letter, by: str, now: datetime) -> str:
    """The group that a letter belongs to under one of `GROUPINGS`."""
    if by == "age":
        return _age_group(age_of(letter, now))
    return letter.group if by == "category" else letter.correlation_id or "none"


def summary(letter: Letter, now: datetime) -> dict[str, Any]:
    """A letter as JSON object, without what it holds."""
    age = age_of(letter, now)
    return {
        "message_id": letter.message_id,
        "shape": letter.shape.value,
        "category": letter.group,
        "code": letter.code,
        "message": letter.message,
        "throttling_reasons": list(letter.throttling_reasons),
        "correlation_id": letter.correlation_id,
        "request_id": letter.request_id or None,
        "trace_id": trace_id(letter),
        "sent_at": utc_text(letter.sent_at) if letter.sent_at else None,
        "age_s": None if age is None else int(age.total_seconds()),
        "receive_count": letter.receive_count,
        "tries": letter.tries,
        "redrives": letter.redrives,
        "replay_name": letter.replay_name,
    }


def whole(letter: Letter, now: datetime) -> dict[str, Any]:
    """A letter as JSON object, with all that it holds."""
    return summary(letter, now) | {"attributes": letter.attributes, "body": letter.body, "event": letter.event}


def json_text(value: object) -> str:
    """A JSON value on one line, in ASCII; a number beyond a double's range (1e999) stays one, as in the function."""
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], body_of(value))


def as_json(letters: Sequence[Letter], reading: Reading, by: str, now: datetime) -> str:
    """What `mep dlq list --json` prints: one JSON object on one line."""
    groups: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        groups[group_name(letter, by, now)].append(letter)
    return json_text(
        {
            "seen": len(reading.letters),
            "matching": len(letters),
            "complete": reading.complete,
            "in_flight": reading.in_flight,
            "unseen": reading.unseen,
            "groups": [{"by": by, "group": name, "count": len(members)} for name, members in groups.items()],
            "letters": [whole(letter, now) for letter in letters],
        }
    )


def _why(letter: Letter) -> str:
    text = letter.message or letter.code
    if not letter.throttling_reasons or letter.category is not ErrorCategory.THROTTLING:
        return text[:120]
    # The category and the ID, which the function's own text begins with, have columns of their own; of an ARN, a list
    # shows which table and which index.
    code = text.partition(" : ")[2].partition(" (")[0] or text
    return f"{code[:120]}: {'; '.join(re.sub('arn:[^ /]*:', '', reason) for reason in letter.throttling_reasons)}"


def listing(letters: Sequence[Letter], by: str) -> RenderableType:
    """Letters in groups, the largest group first, the oldest letter of each first."""
    now = datetime.now(UTC)
    groups: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        groups[group_name(letter, by, now)].append(letter)
    table = Table("message ID", "age", "category", "correlation ID", "from", "why", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[3].overflow = table.columns[5].overflow = "fold"
    for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        table.add_section()
        table.add_row(Text(f"{len(members)}", "bold"), "", Text(shown(name), "bold red"), "", "", "")
        for letter in members:
            times = "once" if letter.redrives == 1 else f"{letter.redrives} times"
            again = f" (redriven {times})" if letter.redrives else ""
            table.add_row(
                shown(letter.message_id[:13]),
                _age_text(age_of(letter, now)),
                letter.group,
                Text(shown(letter.correlation_id or "none"), "cyan"),
                letter.shape.value,
                Text(shown(_why(letter)) + again),
            )
    return table


def what_was_not_seen(reading: Reading) -> list[str]:
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


def details(letter: Letter) -> RenderableType:
    """One letter with all that it holds; control characters are escaped."""
    now = datetime.now(UTC)
    told = summary(letter, now) | {"throttling_reasons": "; ".join(letter.throttling_reasons)}
    lines = [
        Text.assemble((f"{name}  ", "dim"), (shown(value), "bold"))
        for name, value in told.items()
        if value not in {None, ""}
    ]
    known = {"ERROR_CODE", "ERROR_MESSAGE", "CORRELATION_ID", "REQUEST_ID", "RequestID", "ErrorCode", "ErrorMessage"}
    known.add("THROTTLING_REASONS")
    lines += [
        Text.assemble((f"{shown(name)}  ", "dim"), shown(value))
        for name, value in letter.attributes.items()
        if name not in known
    ]
    if letter.event_text is None:
        return Group(*lines, Text("body", "dim"), Text(shown(letter.body)))
    event = json.dumps(letter.event, indent=2)
    if "Infinity" in event:  # perhaps a number, and then no JSON
        event = json_text(letter.event)
    return Group(*lines, Text("event", "dim"), Text(event))


def kept(letters: Iterable[Kept], screen: Console) -> None:
    """Say what stays in the queue, by reason, with the first few of each."""
    reasons: dict[str, list[Letter]] = defaultdict(list)
    for each in letters:
        reasons[each.reason].append(each.letter)
    for reason, members in reasons.items():
        ids = ", ".join(letter.message_id[:13] for letter in members[:_SHOWN_KEPT])
        more = f" and {len(members) - _SHOWN_KEPT} more" if len(members) > _SHOWN_KEPT else ""
        screen.print(Text.assemble((f"{len(members)} kept: ", "yellow"), shown(reason), (f"  ({ids}{more})", "dim")))
