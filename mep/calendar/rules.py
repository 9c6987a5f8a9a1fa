"""The rules of a check: when a day is over, and what is wrong with a row."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mep.calendar.model import Finding, FindingKind, Mark, Row
from mep.errors import UsageError

ZONE = "America/New_York"
"""The time zone of the calendar's dates: they are days of the exchanges in New York."""


def today(now: datetime) -> date:
    """Return the day in New York.

    Args:
        now: A time with an offset.

    Raises:
        UsageError: This system has no time zones.
    """
    return now.astimezone(_zone()).date()


def day_end(day: date) -> datetime | None:
    """Return when a day ends in New York, in UTC; None for the last day that Python knows.

    Raises:
        UsageError: This system has no time zones.
    """
    if day == date.max:
        return None
    try:
        return datetime.combine(day + timedelta(days=1), time(), _zone()).astimezone(UTC)
    except OverflowError:
        return None


def is_past(row: Row, now: datetime, grace: timedelta) -> bool:
    """Return whether the day of a row and the grace are over.

    Args:
        row: The row; one without a day is never past.
        now: A time with an offset.
        grace: The time after the end of the day.
    """
    end = day_end(row.day) if row.day is not None else None
    return end is not None and now - end >= grace


def judge(row: Row, marks: Sequence[Mark], *, past: bool) -> Iterator[Finding]:
    """Yield what is wrong with a row.

    A lost mark is not reported as a missing one, too. A row that was marked twice can have lost its second mark.

    Args:
        row: The row.
        marks: Its marks in the audit table.
        past: Whether its day and the grace are over.
    """
    if not row.marked and marks:
        yield Finding(FindingKind.MARK_LOST, row, tuple(marks))
    elif not row.marked and past:
        yield Finding(FindingKind.NOT_MARKED, row)
    if len(marks) > 1:
        yield Finding(FindingKind.MARKED_TWICE, row, tuple(marks))


@cache
def _zone() -> ZoneInfo:
    try:
        return ZoneInfo(ZONE)
    except ZoneInfoNotFoundError as error:
        raise UsageError(f"this system does not know the time zone {ZONE}: install tzdata") from error
