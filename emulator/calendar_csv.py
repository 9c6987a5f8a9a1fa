"""Reads an earnings calendar from a CSV file in the format of data feeds."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from emulator.errors import InputError
from handler.validation import FieldError, Validator, parse_date, parse_symbol

COLUMNS = ("symbol", "name", "reportDate", "fiscalDateEnding", "estimate", "currency")

# DynamoDB's limits for a number.
_NUMBER_DIGITS = 38
_NUMBER_EXPONENT = 125


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One earnings report of the calendar.

    Attributes:
        asset_symbol: The company's symbol, as in events.
        earnings_date: The day of the report, `YYYY-MM-DD`.
        estimated_eps: The expected earnings per share in the report's currency; None without an estimate.
    """

    asset_symbol: str
    earnings_date: str
    estimated_eps: Decimal | None = None


def read_calendar(path: Path) -> list[CalendarRow]:
    """Read a calendar: CSV with the columns `COLUMNS`, in any order.

    Of several rows with one symbol and day, the last counts.

    Raises:
        InputError: It cannot be read, or a value is invalid; the message has the line and the column.
    """
    rows: dict[tuple[str, str], CalendarRow] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in _rows(path, csv.DictReader(file, strict=True)):
                rows[row.asset_symbol, row.earnings_date] = row
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error
    return list(rows.values())


def _rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[CalendarRow]:
    try:
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path} line 1: no column {', '.join(missing)}")
        for record in reader:
            where = f"{path} line {reader.line_num}"
            if None in record or None in record.values():
                raise InputError(f"{where}: not as many values as the header has columns")
            yield CalendarRow(
                _value(where, record, "symbol", parse_symbol),
                _value(where, record, "reportDate", parse_date),
                _estimate(where, record),
            )
    except csv.Error as error:
        raise InputError(f"{path} line {reader.reader.line_num}: {error}") from error


def _value(where: str, record: Mapping[str, str], column: str, validate: Validator) -> str:
    try:
        return validate(record[column].strip())
    except FieldError as error:
        raise InputError(f"{where}, column {column}: {record[column][:40]!r} is not {error}") from None


def _estimate(where: str, record: Mapping[str, str]) -> Decimal | None:
    text = record["estimate"].strip()
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    fits = number.is_finite() and len(number.as_tuple().digits) <= _NUMBER_DIGITS
    if not fits or abs(number.adjusted()) > _NUMBER_EXPONENT:
        raise InputError(f"{where}, column estimate: {text[:40]!r} is not a number")
    return number
