"""What a check reads, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from mep.errors import Problem


class FindingKind(StrEnum):
    """What is wrong with a row."""

    NOT_MARKED = "not_marked"
    """Its day and the grace are over, and neither the calendar nor the audit table has a mark."""
    MARK_LOST = "mark_lost"
    """The audit table has its mark, the calendar does not: the item was replaced. The next event marks it again."""
    MARKED_TWICE = "marked_twice"
    """The audit table has two or more marks: the row was marked, replaced, and marked again."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that are checked.

    Attributes:
        first: The first date; None for no limit.
        last: The last date, included; None for no limit.
        symbol: The only company; None for all.
    """

    first: str | None = None
    last: str | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the calendar.

    Attributes:
        key: The values of its key.
        day: Its date; None where the value is not a calendar day.
        marked: Whether it has the function's mark.
        synced_at: The `last_sync_timestamp` of the calendar sync; empty if it has none.
    """

    key: tuple[str, ...]
    day: date | None
    marked: bool
    synced_at: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An audit entry of a mark; a missing attribute is an empty text."""

    recorded_at: str
    event_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one row; a row can have two findings.

    Attributes:
        kind: What is wrong.
        row: The row.
        marks: Its marks in the audit table, the oldest first.
    """

    kind: FindingKind
    row: Row
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check has found.

    Attributes:
        scope: The rows that were to be checked.
        checked_at: When it began, UTC.
        today: The day at that time, in New York.
        grace: The grace.
        rows: Number of rows that were checked.
        undated: Those of them whose date is not a calendar day, so that it cannot be over.
        findings: The findings, by date and company.
        problem: Why not every row was checked; None if every row was.
        interrupted: Whether the check was interrupted.
    """

    scope: Scope
    checked_at: datetime
    today: date
    grace: timedelta
    rows: int
    undated: int
    findings: tuple[Finding, ...]
    problem: Problem | None = None
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether every row was checked; if not, the absence of findings proves nothing."""
        return self.problem is None and not self.interrupted

    @property
    def counts(self) -> Mapping[FindingKind, int]:
        """Number of findings by kind: every kind."""
        counts = dict.fromkeys(FindingKind, 0)
        for finding in self.findings:
            counts[finding.kind] += 1
        return counts
