"""Queries on log lines, as Logs Insights runs them; what is not understood is refused by its name."""

import pytest

from mep.query.engine import Line, Row, matching, run_query, value_of
from mep.query.language import UnsupportedQueryError, columns, parse, row_limit
from monitoring.model import Query
from monitoring.queries import QUERIES

MINUTE_MS = 60_000
START_MS = 1_795_749_060_000  # 2026-11-27T03:11:00Z
LINES = [
    Line({"kind": "a", "ok": True, "ms": 3, "deep": {"list": [{"field": "x"}]}}, START_MS),
    Line({"kind": "a", "ok": False, "ms": 1.5}, START_MS + MINUTE_MS),
    Line({"kind": "b", "ms": 12, "deep": {}}, START_MS + 6 * MINUTE_MS),
    Line({"other": "without a time"}),
]


def rows(text: str) -> list[Row]:
    return run_query(parse(text), LINES)


def test_fields_are_texts_and_missing_ones_are_left_out() -> None:
    assert rows("fields @timestamp, ok, ms, deep, deep.list.0.field, nothing") == [
        {"@timestamp": "2026-11-27 03:11:00.000", "ok": "1", "ms": "3", "deep.list.0.field": "x"},
        {"@timestamp": "2026-11-27 03:12:00.000", "ok": "0", "ms": "1.5"},
        {"@timestamp": "2026-11-27 03:17:00.000", "ms": "12"},
        {},
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('kind = "a"', ["3", "1.5"]),
        ('kind = "a" and ok = "1"', ["3"]),
        ('ok = "1" or kind = "b"', ["3", "12"]),
        ('kind = "b" and ok = "1" or kind in ["a", "c"] and ok = "0"', ["1.5"]),
        ("ispresent(deep.list.0.field)", ["3"]),
        ("ispresent(deep)", []),  # only what is below it is a field
        ('ms = "12"', ["12"]),
        ('kind = "a | sort and or"', []),
    ],
)
def test_filters(condition: str, expected: list[str]) -> None:
    assert [row["ms"] for row in rows(f"fields ms | filter {condition}")] == expected


def test_statistics_by_groups() -> None:
    text = "stats count(*) as events, count(ok), avg(ms) as mean, max(ms) as most, earliest(@timestamp) as first, "
    text += "latest(ok) by kind | sort events desc, kind asc"

    assert rows(text) == [
        {
            "kind": "a",
            "events": "2",
            "count(ok)": "2",
            "mean": "2.25",
            "most": "3",
            "first": "2026-11-27 03:11:00.000",
            "latest(ok)": "0",
        },
        {"events": "1", "count(ok)": "0"},
        {
            "kind": "b",
            "events": "1",
            "count(ok)": "0",
            "mean": "12",
            "most": "12",
            "first": "2026-11-27 03:17:00.000",
        },
    ]


def test_statistics_by_period_and_without_groups() -> None:
    assert rows("filter ispresent(ms) | stats count(*) as n by bin(5m)") == [
        {"bin(5m)": "2026-11-27 03:10:00.000", "n": "2"},
        {"bin(5m)": "2026-11-27 03:15:00.000", "n": "1"},
    ]
    assert rows("stats count(*) as n") == [{"n": "4"}]


def test_order_is_natural_and_missing_values_come_last_in_descending_order() -> None:
    texts = ["a10", "a9", "b", 10, 9, "9", "!", None]
    lines = [Line({"n": number, "v": text}) for number, text in enumerate(texts)]

    shown = [texts[int(row["n"])] for row in run_query(parse("fields n | sort v asc"), lines)]
    assert shown == [None, "!", "a9", "a10", "b", 9, "9", 10]
    (last,) = run_query(parse("fields v | sort v desc | limit 1"), lines)
    assert last == {"v": "10"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("parse @message 'x'", "`parse`"),
        ("display x", "`display`"),
        ("fields strlen(x)", "`strlen`"),
        ("filter x > 3", "`>`"),
        ("filter x = 3", "`3`"),
        ('filter (x = "3")', "`(`"),
        ('filter x like "3"', "`like`"),
        ('filter not x = "3"', "`x`"),
        ("stats pct(x, 99) by y", "`pct`"),
        ("stats count(*) as n by bin(5 minutes)", "`bin(5)`"),
        ("sort x", "`sort x`"),
        ("limit many", "`limit many`"),
        ("fields x extra", "`extra`"),
        ("fields", "`the end`"),
        ("", "``"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(text: str, named: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="is not understood here") as refused:
        parse(text)
    assert named in str(refused.value)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_saved_query_is_understood(query: Query) -> None:
    commands = parse(query.text)

    assert columns(commands)
    assert 0 < row_limit(commands) <= 10_000
    assert run_query(commands, []) == []


def test_a_comment_is_ignored() -> None:
    assert parse("# purpose | with a bar\nfields x") == parse("fields x")


def test_matching_lines_are_those_that_were_given() -> None:
    lines = [line.values for line in LINES]

    assert matching('fields x | filter kind = "b" | limit 0', lines) == [lines[2]]
    assert value_of("deep.list.0.field", lines[0]) == "x"
    assert value_of("deep.list.1", lines[0]) is None
