"""A calendar is read as it comes; an invalid row is named with its line and column, and the others are read."""

import csv as csv_module
import gzip
import io
import os
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.calendar_csv import RejectedRow, read_calendar
from emulator.calendar_rows import CalendarRow
from emulator.errors import InputError
from tests.support.strategies import MARKET_SYMBOLS

HEADER = "symbol,name,reportDate,fiscalDateEnding,estimate,currency\n"
APPLE = "AAPL,Apple Inc,2025-07-31,2025-06-30,1.42,USD\n"
APPLE_ROW = CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("1.42")})

type WriteCsv = Callable[[str | bytes], Path]


@pytest.fixture
def csv(tmp_path: Path) -> WriteCsv:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "calendar.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def read(path: Path) -> tuple[list[CalendarRow], list[RejectedRow]]:
    rejected: list[RejectedRow] = []
    with read_calendar(path, rejected.append) as rows:
        assert len(rows) == len(list(rows))
        return list(rows), rejected


def valid(path: Path) -> list[CalendarRow]:
    rows, rejected = read(path)
    assert rejected == []
    return rows


def test_row_has_symbol_day_and_estimate(csv: WriteCsv) -> None:
    text = HEADER + APPLE + 'bf-b,"Brown, Forman",2025-08-28,2025-07-31,,USD\n'
    assert valid(csv(text)) == [APPLE_ROW, CalendarRow(("BF-B", "2025-08-28"))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_may_end_in_carriage_returns(csv: WriteCsv, encoding: str) -> None:
    text = HEADER + APPLE * 3 + "BAD,,soon,,,\n" + 'MSFT,"A, B",2025-07-29,,,\n'
    rows, (rejected,) = read(csv(text.replace("\n", "\r").encode(encoding)))
    assert [row.key[0] for row in rows] == ["AAPL", "MSFT"]
    assert rejected.line == 5


def test_a_carriage_return_in_a_value_ends_no_line(csv: WriteCsv) -> None:
    for end in ("\n", "\r\n"):
        text = (HEADER + 'AAPL,"Apple\rInc",2025-07-31,,,\n').replace("\n", end)
        assert [row.key for row in valid(csv(text))] == [APPLE_ROW.key]


def test_symbols_are_those_of_events(csv: WriteCsv) -> None:
    rows = valid(csv(HEADER + "".join(f"{name.lower()},,2025-07-31,,,\n" for name in MARKET_SYMBOLS)))
    assert [row.key[0] for row in rows] == [*MARKET_SYMBOLS]


@pytest.mark.parametrize(
    "header",
    [
        "symbol,reportDate",
        "SYMBOL,Report Date",
        " symbol , report_date ",
        '"Symbol","report-date"',
        "\n\nsymbol,reportDate",
    ],
)
def test_only_two_columns_are_required_in_any_spelling(csv: WriteCsv, header: str) -> None:
    assert valid(csv(f"{header}\nAAPL,2025-07-31\n")) == [CalendarRow(("AAPL", "2025-07-31"))]


def test_columns_in_any_order_and_further_columns(csv: WriteCsv) -> None:
    text = "currency,estimate,extra,symbol,fiscalDateEnding,name,reportDate\r\nUSD,-0.5,x,AAPL,y,z,2025-07-31\r\n"
    assert valid(csv("\ufeff" + text)) == [CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("-0.5")})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("compressed", [False, True])
def test_encoding_and_compression_are_recognized(csv: WriteCsv, encoding: str, *, compressed: bool) -> None:
    text = (HEADER + APPLE).replace("Apple", "Äpfel").encode(encoding)
    assert valid(csv(gzip.compress(text) if compressed else text)) == [APPLE_ROW]


def test_a_byte_that_is_not_utf8_in_a_column_that_nothing_reads(csv: WriteCsv) -> None:
    assert valid(csv((HEADER + APPLE.replace("Apple", "Caf\xe9")).encode("latin-1"))) == [APPLE_ROW]


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=lambda: path.write_text(HEADER + APPLE))
    writer.start()
    rows = valid(path)
    writer.join()
    assert rows == [APPLE_ROW]


@pytest.mark.parametrize("estimate", ["", "None", "N/A", "n/a", "-", " ", "null", "NaN"])
def test_no_estimate(csv: WriteCsv, estimate: str) -> None:
    text = HEADER + APPLE.replace("1.42", estimate)
    assert valid(csv(text)) == [CalendarRow(("AAPL", "2025-07-31"))]


def test_last_of_repeated_rows_counts(csv: WriteCsv) -> None:
    text = (
        HEADER
        + APPLE
        + APPLE.replace("2025-07-31", "2025-10-30")
        + APPLE.replace("AAPL", " aapl ").replace("1.42", "1.5")
    )
    assert valid(csv(text)) == [
        CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("1.5")}),
        CalendarRow(("AAPL", "2025-10-30"), {"estimated_eps": Decimal("1.42")}),
    ]


def test_calendar_without_rows(csv: WriteCsv) -> None:
    assert valid(csv(HEADER)) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("MSFT,Microsoft,2025-02-30,,,USD\n", "line 2, column reportDate: '2025-02-30' is not a calendar day"),
        ("MSFT,Microsoft,30/07/2025,,,USD\n", "line 2, column reportDate: '30/07/2025' is not a calendar day"),
        (",Nobody,2025-07-31,,,USD\n", "line 2, column symbol: '' is not"),
        ("<b>,Nobody,2025-07-31,,,USD\n", "line 2, column symbol: '<b>' is not"),
        ("MSFT,M,2025-07-31,,lots,USD\n", "line 2, column estimate: 'lots' is not a number"),
        ("MSFT,M,2025-07-31,,1e999,USD\n", "line 2, column estimate: '1e999' is not a number"),
        ("MSFT,M,2025-07-31,,1_0,USD\n", "line 2, column estimate: '1_0' is not a number"),
        ("MSFT,M,2025-07-31,," + "9" * 39 + ",USD\n", "is not a number"),
        ("MSFT,M,2025-07-31\n", "line 2: not as many values as the header has columns: 3, not 6"),
        ("MSFT,M,2025-07-31,,,USD,more\n", "line 2: not as many values as the header has columns: 7, not 6"),
        ('A,"two\nlines",2025-07-31,,lots,USD\n', "line 2, column estimate: 'lots'"),
        ('A,"never closed,2025-07-31,,,USD\n', "line 2: "),
        ('A,"closed"too early,2025-07-31,,,USD\n', "line 2: "),
        ("\xff\xfe,x,2025-07-31,,,USD\n", "line 2, column symbol"),
    ],
)
def test_an_invalid_row_is_named_and_the_others_are_read(csv: WriteCsv, row: str, message: str) -> None:
    rows, (rejected,) = read(csv((HEADER + row + APPLE + "B,b,2025-07-31,,,USD\n").encode("latin-1")))
    assert rows == [APPLE_ROW, CalendarRow(("B", "2025-07-31"))]
    assert message in str(rejected)
    assert "\n" not in str(rejected)
    assert rejected.text.splitlines()[0] in row.replace("\xff\xfe", r"\xff\xfe")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line with the columns symbol, reportDate"),
        ("\n\n", "no line with the columns symbol, reportDate"),
        (
            HEADER.replace("reportDate", "date") + APPLE,
            "line 1: no column reportDate: the columns, separated by commas, ",
        ),
        (APPLE, "line 1: no column symbol, reportDate"),
        ("symbol;date\n", "line 1: no column reportDate: the columns, separated by semicolons, are 'symbol', 'date'"),
        ("symbol,reportDate,report_date\n", "line 1: two columns are named reportDate"),
        ('{"detail": {}}\n', "the calendar is JSON, not CSV: are --calendar and --events exchanged?"),
        (HEADER + "MSFT,M,31.07.2025,,,\n", " line 2, column reportDate: '31.07.2025' is not a calendar day"),
        (
            HEADER + "MSFT,M,x,,,\n" * 3,
            ": none of the 3 rows is valid; the first: line 2, column reportDate: 'x' is not",
        ),
        (b"PK\x03\x04rest", ": the data is a ZIP archive or an Excel workbook: "),
        (b"\x28\xb5\x2f\xfd rest", ": the data is compressed with zstd: "),
        (bytes(range(256)), ": the data is not text"),
        (gzip.compress(HEADER.encode(), mtime=0)[:-10], ": the gzip data ends too early"),
    ],
)
def test_a_calendar_that_cannot_be_used_is_one_line(csv: WriteCsv, text: str | bytes, message: str) -> None:
    path = csv(text)
    with pytest.raises(InputError) as caught:
        read_calendar(path, lambda _: None)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_read_before_the_data_ends_counts(csv: WriteCsv) -> None:
    lines = [f"S{number},{os.urandom(40).hex()},2025-07-31,,,USD\n" for number in range(2000)]
    data = gzip.compress((HEADER + "".join(lines)).encode())
    rows, (rejected,) = read(csv(data[: len(data) // 2]))
    assert rows[0].key == ("S0", "2025-07-31")
    assert 500 < len(rows) < 1500
    assert rejected.reason == "the gzip data ends too early"
    assert rejected.line == len(rows) + 2


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.csv: No such file"):
        read_calendar(tmp_path / "missing.csv", lambda _: None)
    with pytest.raises(InputError, match="Is a directory"):
        read_calendar(tmp_path, lambda _: None)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(MARKET_SYMBOLS),
        NAMES,
        st.dates().map(str),
        st.none() | st.decimals(-999, 999, places=2, allow_nan=False),
    ),
    max_size=6,
)


@given(
    rows=ROWS,
    separator=st.sampled_from(",;\t|"),
    terminator=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv_module.QUOTE_MINIMAL, csv_module.QUOTE_ALL, csv_module.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]),
    order=st.permutations(["symbol", "name", "reportDate", "estimate"]),
)
def test_what_csv_writers_write_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, Decimal | None]],
    separator: str,
    terminator: str,
    quoting: int,
    encoding: str,
    order: list[str],
) -> None:
    text = io.StringIO()
    writer = csv_module.DictWriter(
        text,
        order,
        delimiter=separator,
        lineterminator=terminator,
        quoting=quoting,  # type: ignore[arg-type]
    )
    writer.writeheader()
    for symbol, name, day, estimate in rows:
        writer.writerow({"symbol": symbol, "name": name, "reportDate": day, "estimate": estimate})
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(text.getvalue().encode(encoding))

    expected = {
        (symbol, day): {} if estimate is None else {"estimated_eps": estimate} for symbol, _, day, estimate in rows
    }
    assert {row.key: row.numbers for row in valid(path)} == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_a_stack_trace(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"symbol,reportDate,name\n" + data)
    with suppress(InputError):
        rows, _ = read(path)
        assert all(len(row.key) == 2 for row in rows)
