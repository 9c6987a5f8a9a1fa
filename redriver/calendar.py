"""The calendar check of the last month, once a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from handler.contract import KEY_FIELDS
from handler.validation import parse_date
from mep.calendar import GRACE, RATE
from mep.calendar.check import Checker
from mep.calendar.model import CheckResult, FindingKind, Scope
from mep.calendar.rules import today
from mep.calendar.tables import TableReader
from mep.dlq.selection import parse_age
from redriver.clock import Clock
from redriver.policy import RESERVE_S
from redriver.settings import RedriverSettings

DAYS = 31
"""Days before today whose rows are checked."""

METRICS: Mapping[FindingKind, str] = {
    FindingKind.NOT_MARKED: "CalendarRowsNotMarked",
    FindingKind.MARK_LOST: "CalendarMarksLost",
    FindingKind.MARKED_TWICE: "CalendarRowsMarkedTwice",
}
"""The metric of each kind of finding."""


def has_dates() -> bool:
    """Return whether the rows have a date: without one there is nothing to check."""
    return parse_date in KEY_FIELDS.values()


class _OutOfTimeError(Exception):
    """This function's time is over."""


@dataclass(frozen=True, slots=True)
class CalendarCheck:
    """A check of the calendar against the audit table.

    Attributes:
        settings: The settings.
        clock: The time.
    """

    settings: RedriverSettings
    clock: Clock

    def run(self) -> CheckResult:
        """Check the rows of the last `DAYS` days; incomplete if the time is over, or a table cannot be read.

        Raises:
            MepError: A setting is wrong.
        """
        settings = self.settings
        day = today(self.clock.now())
        scope = Scope((day - timedelta(days=DAYS)).isoformat(), day.isoformat())
        reader = TableReader(settings.client("dynamodb"), settings.calendar_table, settings.audit_table, RATE)
        grace = parse_age("grace", GRACE) or timedelta()
        checker = Checker(reader, scope, grace, on_row=self._check_time, clock=self.clock.now)
        try:
            return checker.run()
        except _OutOfTimeError:
            return checker.result()

    def _check_time(self) -> None:
        if self.clock.remaining_s() < RESERVE_S:
            raise _OutOfTimeError
