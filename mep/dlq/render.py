"""Dead letters on a terminal."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.text import Text

from handler.errors import ErrorCategory
from mep.dlq.error_mapping import not_processed_code
from mep.dlq.json_output import json_text, to_json_summary
from mep.dlq.model import DeadLetter
from mep.dlq.results import MessageResult
from mep.dlq.summary import first_of_each, group_by, summarize
from mep.program import program
from mep.terminal import plain_table
from mep.text import count_of, escape_control

SHOWN = 20
"""Messages that a terminal shows by default."""

_MAX_GROUPS = 20
_MAX_PRINTED_SKIPPED = 10
_PRINTED_ERROR = 120
_SHOWN_BY_NAME = frozenset(
    {
        *("ERROR_CODE", "ERROR_MESSAGE", "CORRELATION_ID", "REQUEST_ID", "THROTTLING_REASONS"),
        *("RequestID", "ErrorCode", "ErrorMessage"),
    }
)
"""Message attributes that `mep dlq show` prints under another name."""


def overview(dead_letters: Sequence[DeadLetter], by: str = "category") -> RenderableType:
    """Return how many messages there are by category, code, source and age, and by a further grouping."""
    now = datetime.now(UTC)
    summary = summarize(dead_letters, now)
    table = plain_table("messages", "category", "code", "from", "oldest", "newest")
    table.columns[0].justify = "right"
    for group in summary.causes[:_MAX_GROUPS]:
        cause = group.cause
        table.add_row(
            f"{group.count:,}",
            Text(escape_control(cause.category), "bold red"),
            Text("" if cause.code == cause.category else escape_control(cause.code)),
            cause.source.value,
            _age_text(group.oldest),
            _age_text(group.newest),
        )
    ages = Text("age: " + ", ".join(f"{count:,} {name}" for name, count in summary.ages))
    return Group(table, *_not_shown(len(summary.causes), "causes"), ages, *_other_grouping(dead_letters, by, now))


def _other_grouping(dead_letters: Sequence[DeadLetter], by: str, now: datetime) -> Iterator[RenderableType]:
    if by != "correlation-id":  # the overview has the others
        return
    groups = sorted(group_by(dead_letters, by, now).items(), key=lambda item: (-len(item[1]), item[0]))
    table = plain_table("messages", "correlation ID")
    table.columns[0].justify = "right"
    for name, members in groups[:_MAX_GROUPS]:
        table.add_row(f"{len(members):,}", Text(escape_control(name), "cyan"))
    yield table
    yield from _not_shown(len(groups), "correlation IDs")


def _not_shown(count: int, noun: str) -> Iterator[RenderableType]:
    if count > _MAX_GROUPS:
        yield Text(f"{count - _MAX_GROUPS:,} more {noun} are not shown: --json has all", "yellow")


def listing(dead_letters: Sequence[DeadLetter], by: str, limit: int | None = None, hint: str = "") -> RenderableType:
    """Return a table of dead letters in groups, the largest group first, the oldest message of each first.

    Args:
        dead_letters: The messages, the oldest first.
        by: One of `GROUPINGS`.
        limit: The maximum number of messages that are shown, some of each group; None for all.
        hint: How to see the messages that are not shown; empty for the command that lists them.
    """
    now = datetime.now(UTC)
    table = plain_table("message ID", "age", "category", "correlation ID", "from", "why")
    groups = first_of_each(group_by(dead_letters, by, now), limit)
    for members in groups:
        table.add_section()
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
    omitted = len(dead_letters) - sum(map(len, groups))
    if not omitted:
        return table
    hint = hint or f"`{program()} dlq list --limit N` with the same filters shows more"
    more = f"{count_of(omitted, 'message')} not shown: {hint}"
    return Group(*([table] if groups else []), Text(more, "yellow"))


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


def print_kept(messages: Iterable[MessageResult], screen: Console) -> None:
    """Print the messages that stay in the queue, by reason, with the first few IDs of each."""
    by_reason: dict[str, list[DeadLetter]] = defaultdict(list)
    for message in messages:
        by_reason[message.reason].append(message.dead_letter)
    reasons = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for reason, members in reasons[:_MAX_GROUPS]:
        ids = ", ".join(dead_letter.message_id for dead_letter in members[:_MAX_PRINTED_SKIPPED])
        rest = f" and {len(members) - _MAX_PRINTED_SKIPPED:,} more" if len(members) > _MAX_PRINTED_SKIPPED else ""
        screen.print(
            Text.assemble((f"{len(members):,} kept: ", "yellow"), escape_control(reason), (f"  ({ids}{rest})", "dim"))
        )
    for text in _not_shown(len(reasons), "reasons"):
        screen.print(text)


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
        return _start(text)
    # The function's text begins with category and correlation ID, which have columns of their own. Of an ARN the list
    # shows the table and the index only.
    code = not_processed_code(text) or text
    reasons = "; ".join(re.sub("arn:[^ /]*:", "", reason) for reason in dead_letter.throttling_reasons)
    return f"{_start(code)}: {reasons}"


def _start(text: str) -> str:
    """Return the beginning of a long text, marked as such: `mep dlq show` has it all."""
    return text if len(text) <= _PRINTED_ERROR else f"{text[: _PRINTED_ERROR - 4]} ..."
