"""The rules for single fields, each against an opinion of its own."""

import calendar
import string
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.validation import (
    FieldError,
    Validator,
    Violation,
    absent,
    describe_type,
    format_utc,
    parse_date,
    parse_id,
    parse_symbol,
    parse_timestamp,
)
from tests.support.strategies import (
    ID_CHARACTERS,
    MARKET_SYMBOLS,
    SYMBOL_CHARACTERS,
    SYMBOL_STARTS,
    any_text,
    identifiers,
    json_values,
    symbols,
)

RULES: tuple[Validator, ...] = (parse_id, parse_symbol, parse_date, parse_timestamp)
WITH_NUMBERS_OF_OTHER_SCRIPTS = st.text(st.characters(categories=["Nd"]), min_size=1, max_size=12)
NEAR_DAY = st.text(st.sampled_from("0123456789-\n\u0663 "), min_size=8, max_size=11)


def accepts(rule: Validator, value: Any) -> bool:
    try:
        rule(value)
    except FieldError:
        return False
    return True


@pytest.mark.parametrize("rule", RULES)
@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.lists(json_values, max_size=2)))
def test_only_text_is_ever_accepted(rule: Validator, value: Any) -> None:
    assert not accepts(rule, value)


@pytest.mark.parametrize("rule", RULES)
@given(value=json_values | WITH_NUMBERS_OF_OTHER_SCRIPTS)
def test_a_validator_returns_ascii_or_names_its_rule_without_the_value(rule: Validator, value: Any) -> None:
    if accepts(rule, value):
        assert rule(value).isascii()
        assert rule(value).isprintable()
    else:
        assert _message(rule, value) == _message(rule, None)


def _message(rule: Validator, value: Any) -> str:
    with pytest.raises(FieldError) as caught:
        rule(value)
    return str(caught.value)


class TestIdentifier:
    """`event_id` and its like."""

    @given(identifiers)
    def test_every_allowed_character_up_to_128(self, text: str) -> None:
        assert parse_id(text) == text

    @given(any_text | st.text(ID_CHARACTERS, max_size=200))
    def test_agrees_with_the_specification(self, text: str) -> None:
        assert accepts(parse_id, text) == (1 <= len(text) <= 128 and set(text) <= set(ID_CHARACTERS))

    @pytest.mark.parametrize("good", ["a", "a" * 128, "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "1:2_3.4-5"])
    def test_good(self, good: str) -> None:
        assert parse_id(good) == good

    @pytest.mark.parametrize(
        "bad", ["", "a" * 129, "a\n", "\na", "a b", "a\x00", "é", "\u0661", "a#b", "a/b", "<b>", "a\u200b"]
    )
    def test_bad(self, bad: str) -> None:
        assert not accepts(parse_id, bad)


class TestSymbol:
    """`asset_symbol`."""

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("AAPL", "AAPL"),
            ("aapl", "AAPL"),
            ("  brk.b\t\r\n", "BRK.B"),
            ("BF-B", "BF-B"),
            ("BAC-PK", "BAC-PK"),
            ("^gspc", "^GSPC"),
            ("EURUSD=X", "EURUSD=X"),
            ("BRK/B", "BRK/B"),
            ("A_B", "A_B"),
            ("0700.hk", "0700.HK"),
            ("7", "7"),
            ("X" * 20, "X" * 20),
            (" " * 30 + "X" * 20, "X" * 20),
            ("m&m.ns", "M&M.NS"),
            ("ABR$D", "ABR$D"),
            ("ACHR+", "ACHR+"),
            ("nse:infy", "NSE:INFY"),
            ("\tbrk b ", "BRK B"),
            ("A B C", "A B C"),
            ("A &B", "A &B"),
        ],
    )
    def test_what_feeds_send(self, text: str, clean: str) -> None:
        assert parse_symbol(text) == clean

    def test_what_feeds_send_has_every_allowed_character(self) -> None:
        assert {character for text in MARKET_SYMBOLS for character in text if not character.isalnum()} == {
            *" ._/^=-&$+:"
        }
        assert [parse_symbol(text) for text in MARKET_SYMBOLS] == [*MARKET_SYMBOLS]

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            " \n",
            "X" * 21,
            "A  B",
            "A\tB",
            "A\u00a0B",
            "A\u3000B",
            *(f"{start}A" for start in "._/=-&$+:"),
            "A\nB",
            "A\x00",
            "\x1bA",
            "A\u00a0",
            "\ufeffA",
            "A\u200b",
            "<B>",
            "A'B",
            "A;B",
            "A#B",
            *(f"A{character}B" for character in '!"%()*,;<>?@[\\]`{|}~'),
            "\u0131bm",  # dotless i: upper() makes it I
            "\u017fap",  # long s: upper() makes it S
            "\ufb01",  # a ligature: upper() makes it FI
            "ß",  # upper() makes it SS
            "\u212a",  # the Kelvin sign, which looks like K
            "\u0661\u0662",  # digits, but Arabic
            "\uff21",  # a full-width A
        ],
    )
    def test_bad(self, bad: str) -> None:
        assert not accepts(parse_symbol, bad)

    @given(symbols)
    def test_every_allowed_character_up_to_20(self, text: str) -> None:
        assert parse_symbol(text) == text.upper()

    @given(any_text | st.text(SYMBOL_CHARACTERS + " \t\n", max_size=30))
    def test_agrees_with_the_specification(self, text: str) -> None:
        trimmed = text.strip(" \t\r\n")
        expected = (
            1 <= len(trimmed) <= 20
            and set(trimmed) <= {*SYMBOL_CHARACTERS, " "}
            and trimmed[0] in SYMBOL_STARTS
            and "  " not in trimmed
        )
        assert accepts(parse_symbol, text) == expected

    @given(symbols)
    def test_a_clean_symbol_stays_as_it_is(self, text: str) -> None:
        assert parse_symbol(parse_symbol(text)) == parse_symbol(text)


class TestAbsent:
    """Optional fields that nobody has set."""

    @pytest.mark.parametrize("value", [None, ""])
    def test_null_and_an_empty_text(self, value: Any) -> None:
        assert absent(value)

    @given(json_values.filter(lambda value: value is not None and not (isinstance(value, str) and not value)))
    def test_nothing_else(self, value: Any) -> None:
        assert not absent(value)

    @pytest.mark.parametrize("value", [" ", "\n", "\x00", "null", 0, False, [], {}])
    def test_not_even_what_looks_empty(self, value: Any) -> None:
        assert not absent(value)


class TestDay:
    """`earnings_date`."""

    @given(st.dates())
    def test_every_day_of_the_calendar(self, when: date) -> None:
        assert parse_date(when.isoformat()) == when.isoformat()

    @given(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 99))
    def test_agrees_with_the_calendar(self, year: int, month: int, number: int) -> None:
        real = year >= 1 and 1 <= month <= 12 and 1 <= number <= calendar.monthrange(year, month)[1]
        assert accepts(parse_date, f"{year:04}-{month:02}-{number:02}") == real

    @given(NEAR_DAY)
    def test_nothing_but_the_form(self, text: str) -> None:
        if accepts(parse_date, text):
            assert len(text) == 10
            assert set(text) <= set(string.digits + "-")

    @pytest.mark.parametrize("good", ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"])
    def test_good(self, good: str) -> None:
        assert parse_date(good) == good

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "0000-00-00",
            "0000-01-01",
            "2023-02-29",
            "1900-02-29",
            "2025-02-30",
            "2025-13-01",
            "2025-00-10",
            "2025-04-31",
            "2025-07-31\n",
            " 2025-07-31",
            "2025-7-31",
            "20250731",
            "2025-W31-4",
            "2025-212",
            "25-07-31",
            "12025-07-31",
            "2025-07-31T00:00:00",
            "-025-07-31",
            "\u0662\u0660\u0662\u0665-\u0660\u0667-\u0663\u0661",
            "2025-07-3\uff11",
            "2025\u201007\u201031",
        ],
    )
    def test_bad(self, bad: str) -> None:
        assert not accepts(parse_date, bad)


class TestInstant:
    """`processed_at`."""

    @pytest.mark.parametrize(
        ("text", "utc"),
        [
            ("2025-07-31T20:05:00Z", "2025-07-31T20:05:00.000000Z"),
            ("2025-07-31t20:05:00z", "2025-07-31T20:05:00.000000Z"),
            ("2025-07-31 20:05:00Z", "2025-07-31T20:05:00.000000Z"),
            ("2025-07-31T20:05Z", "2025-07-31T20:05:00.000000Z"),
            ("2025-07-31T20:05:00", "2025-07-31T20:05:00.000000Z"),
            ("2025-07-31T20:05:00.5Z", "2025-07-31T20:05:00.500000Z"),
            ("2025-07-31T20:05:00,25+05:30", "2025-07-31T14:35:00.250000Z"),
            ("2025-07-31T20:05:00.123456789Z", "2025-07-31T20:05:00.123456Z"),
            ("2025-12-31T23:00:00-0100", "2026-01-01T00:00:00.000000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ],
    )
    def test_good(self, text: str, utc: str) -> None:
        assert parse_timestamp(text) == utc

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "2025-07-31",
            "20:05:00Z",
            "2025-07-31T20:05:00Z\n",
            "2025-07-31T25:00:00Z",
            "2025-07-31T20:60:00Z",
            "2025-02-30T20:05:00Z",
            "2025-07-31T20:05:00.Z",
            "2025-07-31T20:05:00.1234567890Z",
            "2025-07-31T20:05:00+24:00",
            "2025-07-31T20:05:00 Z",
            "2025-07-31T20:05:00UTC",
            "0001-01-01T00:00:00+01:00",  # leaves the calendar at its beginning
            "9999-12-31T23:59:59-01:00",  # and at its end
            "\u0662\u0660\u0662\u0665-07-31T20:05:00Z",
            "1753992300",
        ],
    )
    def test_bad(self, bad: str) -> None:
        assert not accepts(parse_timestamp, bad)

    @given(
        st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001 - the zone follows
        st.integers(-23 * 60, 23 * 60),
    )
    def test_the_same_moment_in_utc(self, local: datetime, offset_minutes: int) -> None:
        moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
        clean = parse_timestamp(moment.isoformat())
        assert datetime.fromisoformat(clean) == moment
        assert clean == format_utc(moment)
        assert len(clean) == len("2025-07-31T20:05:00.000000Z")


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=2))
def test_written_moments_sort_as_moments_do(moments: list[datetime]) -> None:
    assert (format_utc(moments[0]) < format_utc(moments[1])) == (moments[0] < moments[1])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "boolean"),
        (12345, "number"),
        (0.5, "number"),
        ("secret", "string of 6 characters"),
        ([1, 2], "array of 2 items"),
        ({"secret": 1}, "object of 1 members"),
        (object(), "not a JSON value"),
    ],
)
def test_values_are_described_by_type_and_length(value: Any, words: str) -> None:
    assert describe_type(value) == words


def test_a_violation_is_three_texts() -> None:
    violation = Violation("detail.earnings_date", "a calendar day, YYYY-MM-DD", "null")
    assert violation.as_json() == {
        "field": "detail.earnings_date",
        "rule": "a calendar day, YYYY-MM-DD",
        "received": "null",
    }
