"""The calendar is validated; an error is one line with the line and the column."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from emulator.calendar_csv import CalendarRow, read_calendar
from emulator.errors import InputError
from tests.support.strategies import MARKET_SYMBOLS

HEADER = "symbol,name,reportDate,fiscalDateEnding,estimate,currency\n"
APPLE = "AAPL,Apple Inc,2025-07-31,2025-06-30,1.42,USD\n"

type WriteCsv = Callable[[str | bytes], Path]


@pytest.fixture
def csv(tmp_path: Path) -> WriteCsv:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "calendar.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_row_has_symbol_day_and_estimate(csv: WriteCsv) -> None:
    text = HEADER + APPLE + 'bf-b,"Brown, Forman",2025-08-28,2025-07-31,,USD\n'
    assert read_calendar(csv(text)) == [
        CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("1.42")}),
        CalendarRow(("BF-B", "2025-08-28")),
    ]


def test_symbols_are_those_of_events(csv: WriteCsv) -> None:
    rows = read_calendar(csv(HEADER + "".join(f"{name.lower()},,2025-07-31,,,\n" for name in MARKET_SYMBOLS)))
    assert [row.key[0] for row in rows] == [*MARKET_SYMBOLS]


def test_columns_in_any_order_and_further_columns(csv: WriteCsv) -> None:
    text = "currency,estimate,extra,symbol,fiscalDateEnding,name,reportDate\r\nUSD,-0.5,x,AAPL,y,z,2025-07-31\r\n"
    assert read_calendar(csv("\ufeff" + text)) == [
        CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("-0.5")})
    ]


def test_last_of_repeated_rows_counts(csv: WriteCsv) -> None:
    text = (
        HEADER
        + APPLE
        + APPLE.replace("2025-07-31", "2025-10-30")
        + APPLE.replace("AAPL", " aapl ").replace("1.42", "1.5")
    )
    assert read_calendar(csv(text)) == [
        CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("1.5")}),
        CalendarRow(("AAPL", "2025-10-30"), {"estimated_eps": Decimal("1.42")}),
    ]


def test_calendar_without_rows(csv: WriteCsv) -> None:
    assert read_calendar(csv(HEADER)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column symbol, name, reportDate, fiscalDateEnding, estimate, currency"),
        (HEADER.replace("reportDate", "date") + APPLE, "line 1: no column reportDate"),
        (
            HEADER + APPLE + "MSFT,Microsoft,2025-02-30,,,USD\n",
            "line 3, column reportDate: '2025-02-30' is not a cal",
        ),
        (
            HEADER + "MSFT,Microsoft,30/07/2025,,,USD\n",
            "line 2, column reportDate: '30/07/2025' is not a calendar day",
        ),
        (HEADER + ",Nobody,2025-07-31,,,USD\n", "line 2, column symbol: '' is not"),
        (HEADER + "<b>,Nobody,2025-07-31,,,USD\n", "line 2, column symbol: '<b>' is not"),
        (HEADER + "MSFT,M,2025-07-31,,lots,USD\n", "line 2, column estimate: 'lots' is not a number"),
        (HEADER + "MSFT,M,2025-07-31,,NaN,USD\n", "line 2, column estimate: 'NaN' is not a number"),
        (HEADER + "MSFT,M,2025-07-31,,1e999,USD\n", "line 2, column estimate: '1e999' is not a number"),
        (HEADER + "MSFT,M,2025-07-31\n", "line 2: not as many values as the header has columns"),
        (HEADER + "MSFT,M,2025-07-31,,,USD,more\n", "line 2: not as many values as the header has columns"),
        (HEADER + 'A,"two\nlines",2025-07-31,,,USD\nB,b,no,,,USD\n', "line 4, column reportDate: 'no' is not"),
        (HEADER + 'A,"never closed,2025-07-31,,,USD\n', "line 2: unexpected end of data"),
        (HEADER.encode() + b"\xff\xfe,x,2025-07-31,,,USD\n", ": not UTF-8 text"),
    ],
)
def test_error_names_line_and_column(csv: WriteCsv, text: str | bytes, message: str) -> None:
    path = csv(text)
    with pytest.raises(InputError) as caught:
        read_calendar(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.csv: No such file"):
        read_calendar(tmp_path / "missing.csv")
