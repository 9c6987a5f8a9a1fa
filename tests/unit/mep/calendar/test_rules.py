"""The rules of `mep calendar check`: when a day is over, and what is wrong with a row."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.calendar import rules, tables
from mep.calendar.check import Checker
from mep.calendar.model import Finding, FindingKind, Mark, Row, Scope
from mep.errors import AwsUnavailableError, Problem, Reason, UsageError
from tests.support.clock import Clock

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)

days = st.dates()
moments = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
graces = st.timedeltas(timedelta(), timedelta(days=400))
marks = st.lists(st.builds(Mark, st.text(), st.text(), st.text()), max_size=3).map(tuple)
rows = st.builds(Row, st.tuples(st.text(), st.text()), st.none() | days, st.booleans())


@given(days)
def test_a_day_ends_at_midnight_in_new_york(day: date) -> None:
    end = rules.day_end(day)

    if end is None:
        assert day == date.max
    else:
        there = end.astimezone(ZoneInfo(rules.ZONE))
        assert (there.date() - day, there.hour, there.minute, end.tzinfo) == (DAY, 0, 0, UTC)
        assert rules.today(end) == day + DAY
        assert rules.today(end - timedelta(microseconds=1)) == day


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 7, 31), datetime(2026, 8, 1, 4, tzinfo=UTC)),  # daylight saving time
        (date(2026, 11, 1), datetime(2026, 11, 2, 5, tzinfo=UTC)),  # the day of 25 hours
        (date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),  # the day of 23 hours
    ],
)
def test_a_day_ends_by_the_clock_of_that_day(day: date, end: datetime) -> None:
    row = Row(("AAPL", day.isoformat()), day, marked=False)

    assert rules.day_end(day) == end
    assert rules.is_past(row, end + DAY, DAY)
    assert not rules.is_past(row, end + DAY - timedelta(microseconds=1), DAY)


@given(rows, moments, graces, graces)
def test_a_row_is_past_from_the_end_of_its_day_and_the_grace_on(
    row: Row, now: datetime, grace: timedelta, later: timedelta
) -> None:
    end = rules.day_end(row.day) if row.day else None
    past = rules.is_past(row, now, grace)

    assert past == (end is not None and end <= now - grace)
    assert not past or rules.is_past(row, now + later, grace), "a row stays past"
    assert not past or rules.today(now) > (row.day or date.max), "never on its own day"


@given(rows, marks, st.booleans())
def test_what_is_wrong_with_a_row(row: Row, found: tuple[Mark, ...], past: bool) -> None:
    kinds = {finding.kind for finding in rules.judge(row, found, past=past)}

    assert (FindingKind.MARK_LOST in kinds) == (not row.marked and bool(found))
    assert (FindingKind.MARKED_TWICE in kinds) == (len(found) >= 2)
    assert (FindingKind.NOT_MARKED in kinds) == (not row.marked and not found and past)
    for finding in rules.judge(row, found, past=past):
        assert (finding.row, finding.marks) == (row, found)


def test_a_system_without_time_zones_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    rules._zone.cache_clear()
    monkeypatch.setattr(rules, "ZONE", "Nowhere/Nothing")
    try:
        with pytest.raises(UsageError, match="does not know the time zone Nowhere/Nothing: install tzdata"):
            rules.today(NOW)
    finally:
        rules._zone.cache_clear()


class FakeTables:
    """Rows and marks; a row can change between two reads."""

    def __init__(self, rows: list[Row], marks: dict[tuple[str, ...], tuple[Mark, ...]], now: list[Row]) -> None:
        self._rows, self._marks, self._now = rows, marks, {row.key: row for row in now}
        self.fails_after: int | None = None

    def rows(self, scope: Scope) -> Iterator[Row]:
        assert scope == Scope()
        yield from self._rows[: self.fails_after]
        if self.fails_after is not None:
            raise AwsUnavailableError("the calendar table c cannot be read", Problem(Reason.ACCESS_DENIED, "denied"))

    def row_now(self, key: tuple[str, ...]) -> Row | None:
        return self._now.get(key)

    def marks(self, key: tuple[str, ...]) -> tuple[Mark, ...]:
        return self._marks.get(key, ())


def row(symbol: str, day: str, *, marked: bool = False) -> Row:
    try:
        return Row((symbol, day), date.fromisoformat(day), marked)
    except ValueError:
        return Row((symbol, day), None, marked)


def checker(reader: FakeTables, grace: timedelta = DAY) -> Checker:
    return Checker(reader, Scope(), grace, clock=lambda: NOW)


MARK, OTHER = Mark("2026-11-20T21:00:00Z", "e-1", "c-1"), Mark("2026-11-21T21:00:00Z", "e-2", "c-2")


def test_findings_are_in_the_order_of_dates() -> None:
    late, lost, both = row("A", "2026-11-24"), row("C", "2026-11-20"), row("B", "2026-11-20")
    fine = [row("A", "2026-11-26"), row("A", "2027-01-01"), row("D", "2026-11-01", marked=True), row("E", "soon")]
    marks = {("C", "2026-11-20"): (MARK,), both.key: (MARK, OTHER), ("D", "2026-11-01"): (MARK,)}

    result = checker(FakeTables([late, lost, both, *fine], marks, [lost, both])).run()

    assert result.findings == (
        Finding(FindingKind.MARK_LOST, both, (MARK, OTHER)),
        Finding(FindingKind.MARKED_TWICE, both, (MARK, OTHER)),
        Finding(FindingKind.MARK_LOST, lost, (MARK,)),
        Finding(FindingKind.NOT_MARKED, late),
    )
    assert (result.rows, result.undated, result.complete) == (7, 1, True)
    assert result.counts == {FindingKind.NOT_MARKED: 1, FindingKind.MARK_LOST: 2, FindingKind.MARKED_TWICE: 1}
    assert result.today == date(2026, 11, 27)


@pytest.mark.parametrize("now", [[row("A", "2026-11-20", marked=True)], []])
def test_a_row_that_is_marked_or_removed_meanwhile_is_no_finding(now: list[Row]) -> None:
    before = row("A", "2026-11-20")

    result = checker(FakeTables([before], {before.key: (MARK,)}, now)).run()

    assert (result.findings, result.rows, result.complete) == ((), len(now), True)


def test_a_failed_call_is_a_problem_of_the_result_and_keeps_what_was_found() -> None:
    reader = FakeTables([row("A", "2026-11-01"), row("B", "2026-11-01")], {}, [])
    reader.fails_after = 1
    check = checker(reader)

    assert check.result().interrupted
    assert not check.result().complete

    result = check.run()

    assert (result.rows, len(result.findings), result.complete, result.interrupted) == (1, 1, False, False)
    assert result.problem == Problem(Reason.ACCESS_DENIED, "the calendar table c cannot be read: denied")


class FakePaginator:
    """Answers each operation with three pages."""

    meta = None

    def get_paginator(self, _: str) -> Self:
        return self

    def paginate(self, **request: object) -> Iterator[dict[str, object]]:
        assert request["ConsistentRead"] is True
        for more in (True, True, False):
            yield {"Items": []} | ({"LastEvaluatedKey": {}} if more else {})


def test_requests_keep_the_rate_over_both_tables() -> None:
    clock = Clock()
    reader = tables.TableReader(FakePaginator(), "c", "a", 2.0, clock=clock, sleep=clock.advance)

    assert list(reader.rows(Scope())) == []
    assert clock.now == 1.0, "three requests"
    assert reader.marks(("A", "2026-11-01")) == ()
    assert clock.now == 2.5, "six"

    clock.advance(60)
    assert reader.row_now(("A", "2026-11-01")) is None
    assert clock.now == 63.5, "no burst after a pause"


def test_a_contract_without_a_date_has_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables.date_attribute() == "earnings_date"

    monkeypatch.setattr(tables, "KEY_FIELDS", {"order_id": str})
    with pytest.raises(UsageError, match="has no date"):
        tables.date_attribute()
