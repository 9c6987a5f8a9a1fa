"""The overview of a queue: every grouping in one table, and a bounded number of rows below it."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from handler.errors import ErrorCategory, EventNotProcessed
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.render import SHOWN, listing, overview
from mep.dlq.summary import GROUPINGS, first_of_each, group_by, summarize

NOW = datetime.now(UTC)
THROTTLED = str(EventNotProcessed(ErrorCategory.THROTTLING, "c-1", "ThrottlingException", ("Reason arn",)))


def dead_letter(number: int, source: DeadLetterSource = DeadLetterSource.HANDLER, **fields: object) -> DeadLetter:
    values = {"category": ErrorCategory.NOT_FOUND, "code": "not_found", "sent_at": NOW - timedelta(minutes=number)}
    return DeadLetter(f"{number:08d}-0000-4000-8000", source, "", **(values | fields))  # type: ignore[arg-type] # fields


def queue(size: int = 1_500) -> list[DeadLetter]:
    """A queue with three causes, of which one is rare."""
    throttled = {"category": ErrorCategory.THROTTLING, "code": "EventNotProcessed", "message": THROTTLED}
    rare = {"category": ErrorCategory.ACCESS_DENIED, "code": "NO_PERMISSIONS", "correlation_id": "c-rare"}
    return [
        dead_letter(0, DeadLetterSource.RULE, **rare),
        *(dead_letter(number) for number in range(1, size * 2 // 3)),
        *(dead_letter(number, DeadLetterSource.ON_FAILURE, **throttled) for number in range(size * 2 // 3, size)),
    ]


def printed(*renderables: RenderableType, width: int = 100) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(*renderables)
    assert isinstance(screen.file, io.StringIO)
    return [line.strip() for line in screen.file.getvalue().splitlines()]


def test_the_causes_are_counted_by_category_code_and_source() -> None:
    summary = summarize(queue(), NOW)

    assert [(each.cause.category, each.cause.code, each.cause.source.value, each.count) for each in summary.causes] == [
        ("not_found", "not_found", "handler", 999),
        ("throttling", "ThrottlingException", "on_failure", 500),
        ("access_denied", "NO_PERMISSIONS", "rule", 1),
    ]
    assert summary.causes[0].newest == timedelta(minutes=1)
    assert summary.causes[0].oldest == timedelta(minutes=999)
    assert summary.ages == (("under 1 hour", 60), ("under 1 day", 1380), ("under 7 days", 60))


def test_the_code_says_more_than_the_category() -> None:
    """The `ERROR_CODE` of the function is the category; AWS's code is in the message of a failed call."""
    denied: dict[str, Any] = {"category": ErrorCategory.ACCESS_DENIED, "code": "access_denied"}
    messages = [
        dead_letter(0, **denied, message="DynamoDB refused the write: AccessDeniedException"),
        dead_letter(1, **denied, message="SQS refused the write: ExpiredToken"),
        dead_letter(2, **denied, message="another text: AccessDeniedException"),
    ]

    codes = {each.cause.code for each in summarize(messages, NOW).causes}
    assert codes == {"AccessDeniedException", "ExpiredToken", "access_denied"}
    assert " ".join(printed(overview(messages))).count("access_denied") == len(codes), "once in each row"


def test_1500_messages_fit_on_a_screen() -> None:
    messages = queue()

    lines = printed(overview(messages), listing(messages, "category", SHOWN))

    assert len(lines) < 70
    shown = [line for line in lines if line[:8].isdigit()]
    assert len(shown) == SHOWN
    assert any("NO_PERMISSIONS" in line for line in lines), "the rare cause is beside the frequent ones"
    assert any("access_denied" in line for line in shown)
    assert "1,480 messages not shown" in " ".join(lines)


def test_no_row_but_a_message_has_something_in_the_column_of_message_ids() -> None:
    messages = queue(30)

    for by in GROUPINGS:
        heading, *rows = [line for line in printed(listing(messages, by), width=200) if line.strip()]
        assert heading.startswith("message ID")
        ids = {row.split(" ")[0] for row in rows if row[:1].strip("─ ")}
        assert ids == {message.message_id for message in messages}


def test_correlation_ids_are_grouped_on_request() -> None:
    assert any("c-rare" in line for line in printed(overview(queue(), "correlation-id")))


def test_many_codes_do_not_fill_the_screen() -> None:
    messages = [dead_letter(number, code=f"code-{number}" * 20) for number in range(500)]

    lines = printed(overview(messages))

    assert len(lines) < 70
    assert any("480 more causes are not shown" in line for line in lines)


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 40).map(lambda size: [dead_letter(1)] * size), max_size=8),
    st.none() | st.integers(0, 100),
)
def test_a_limit_is_shared_among_the_groups(groups: dict[str, list[DeadLetter]], limit: int | None) -> None:
    total = sum(map(len, groups.values()))

    shown = first_of_each(groups, limit)

    assert sum(map(len, shown)) == (total if limit is None else min(limit, total))
    if limit is None or limit >= len(groups):
        assert len(shown) == len(groups)


@given(st.lists(st.sampled_from(queue(30)), max_size=30))
def test_every_grouping_counts_every_message(messages: list[DeadLetter]) -> None:
    summary = summarize(messages, NOW)

    assert sum(each.count for each in summary.causes) == sum(count for _, count in summary.ages) == len(messages)
    for by in GROUPINGS:
        assert sum(map(len, group_by(messages, by, NOW).values())) == len(messages)
