"""Checks each row of the calendar against its audit entries."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from handler.contract import ROUND_TRIP_KEYS
from mep.calendar import rules
from mep.calendar.model import CheckResult, Finding, Mark, Row, Scope
from mep.errors import AwsUnavailableError, Problem


class Reader(Protocol):
    """What a check reads: `mep.calendar.tables.TableReader`."""

    def rows(self, scope: Scope) -> Iterator[Row]:
        """Yield the rows of a scope."""

    def row_now(self, key: tuple[str, ...]) -> Row | None:
        """Return a row as it is now; None if there is no such row any more."""

    def marks(self, key: tuple[str, ...]) -> tuple[Mark, ...]:
        """Return the marks of a row in the audit table, the oldest first."""


class Checker:
    """One check. Its result can be read at any time, also after an interruption.

    Args:
        reader: Reads the tables.
        scope: The rows to check.
        grace: How long after the end of its day a row may be without a mark.
        on_row: Called after each row.
        clock: The time of day, UTC.

    Raises:
        UsageError: This system has no time zones.
    """

    def __init__(
        self,
        reader: Reader,
        scope: Scope,
        grace: timedelta,
        *,
        on_row: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader, self._scope, self._grace, self._on_row = reader, scope, grace, on_row
        self._began = clock()
        self._today = rules.today(self._began)
        self._rows = self._undated = 0
        self._findings: list[Finding] = []
        self._problem: Problem | None = None
        self._ended = False

    def run(self) -> CheckResult:
        """Check every row. A failed call ends the check, and is the problem of the result.

        Raises:
            UsageError: boto3 rejects a setting.
        """
        try:
            for row in self._reader.rows(self._scope):
                self._check(row)
                self._on_row()
        except AwsUnavailableError as error:
            self._problem = replace(error.problem, text=f"{error.what}: {error.problem.text}")
        self._ended = True
        return self.result()

    def result(self) -> CheckResult:
        """Return what was found so far."""
        return CheckResult(
            scope=self._scope,
            checked_at=self._began,
            today=self._today,
            grace=self._grace,
            rows=self._rows,
            undated=self._undated,
            findings=tuple(sorted(self._findings, key=lambda finding: (finding.row.key[::-1], finding.kind))),
            problem=self._problem,
            interrupted=not self._ended,
        )

    def _check(self, row: Row) -> None:
        if row.key in ROUND_TRIP_KEYS:  # `mep verify --full` opens and marks them again in each run
            return
        marks = self._reader.marks(row.key)
        if marks and not row.marked:
            # It may have been marked after it was read. A mark and its audit entry are written together.
            current = self._reader.row_now(row.key)
            if current is None:  # removed from the calendar meanwhile
                return
            row = current
        self._rows += 1
        self._undated += row.day is None
        self._findings += rules.judge(row, marks, past=rules.is_past(row, self._began, self._grace))
