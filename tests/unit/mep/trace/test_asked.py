"""What a person types is an ID, the key of a row, or both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.errors import UsageError
from mep.trace.asked import parse_asked
from mep.trace.hits import Observation, hits


@pytest.mark.parametrize(
    ("text", "expected", "keys"),
    [
        ("demo-aapl", "demo-aapl", (("DEMO-AAPL",),)),
        ("aapl", "aapl", (("AAPL",),)),
        ("AAPL 2025-07-31", "", (("AAPL", "2025-07-31"), ("AAPL 2025-07-31",))),
        ("AAPL#2025-07-31", "", (("AAPL", "2025-07-31"),)),
        ("brk b", "", (("BRK B",),)),
        ("BRK B 2025-08-02", "", (("BRK B", "2025-08-02"), ("BRK B 2025-08-02",))),
        ("M&M.NS#2025-08-02", "", (("M&M.NS", "2025-08-02"),)),
        ("1-6b049eb4-e71876e7d90c05d6f9a30a7d", "6b049eb4e71876e7d90c05d6f9a30a7d", ()),
        ("5f1d0c3e-0000-4000-8000-000000000004", "5f1d0c3e-0000-4000-8000-000000000004", ()),
    ],
)
def test_an_id_or_a_key(text: str, expected: str, keys: tuple[tuple[str, ...], ...]) -> None:
    asked = parse_asked(text)
    assert (asked.id, asked.keys) == (expected, keys)


@pytest.mark.parametrize("text", ["", "a;b", 'A"B', "x" * 129, "<script>", "A\\B"])
def test_neither_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="neither an ID"):
        parse_asked(text)


@pytest.mark.parametrize("date", ["2026/03/02", "02.03.2026", "3/2/2026", "20260302", "2026-3-2", "2025-02-30"])
@pytest.mark.parametrize("row", ["AAPL {}", "BRK B {}", "AAPL#{}"])
def test_a_date_in_another_form_is_wrong_usage(row: str, date: str) -> None:
    with pytest.raises(UsageError, match=rf"^{date} is not a calendar day, YYYY-MM-DD, as in AAPL 2025-07-31$"):
        parse_asked(row.format(date))


@pytest.mark.parametrize("date", ["2026-03-02", "02.03.2026", "20260302"])
def test_a_date_alone_may_be_an_id_and_has_a_hint(date: str) -> None:
    assert parse_asked(date).id == date
    assert "a row is named by asset_symbol and earnings_date" in parse_asked(date).hint
    assert not parse_asked("AAPL 2025-07-31").hint
    assert not parse_asked("ES 03").hint


@given(st.text(max_size=40))
def test_nothing_ends_the_text_of_a_query(text: str) -> None:
    """IDs and keys become part of query texts."""
    try:
        asked = parse_asked(text)
    except UsageError:
        return
    for value in (asked.id, *(part for key in asked.keys for part in key)):
        assert not {'"', "\\", "\n"} & set(value)


def test_a_row_matches_by_its_first_parts() -> None:
    key = ("AAPL", "2025-07-31")
    assert parse_asked("aapl").matches(key)
    assert parse_asked("AAPL 2025-07-31").matches(key)
    assert not parse_asked("AAPL 2025-08-01").matches(key)
    assert not parse_asked("AAP").matches(key)


def test_an_exact_id_comes_before_a_row_and_marked_before_later_duplicates() -> None:
    observations = [
        Observation("a", "row", 1, "marked"),
        Observation("b", "row", 3, "retry"),
        Observation("a", "row", 2, "duplicate", ("AAPL", "2025-07-31")),
    ]
    listed = [(hit.correlation_id, hit.at, hit.outcome, hit.key) for hit in hits(observations)]
    assert listed == [("b", 3, "retry", ()), ("a", 2, "marked", ("AAPL", "2025-07-31"))]
    assert [hit.correlation_id for hit in hits([*observations, Observation("c", "event_id")])] == ["c"]
