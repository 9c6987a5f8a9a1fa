"""Reads the rows of a calendar from a CSV file with the columns of the contract."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from emulator.errors import InputError
from handler.contract import CSV_COLUMNS, KEY_FIELDS
from handler.validation import FieldError, Validator

COLUMNS = tuple(CSV_COLUMNS)
_COLUMN_OF = {attribute: column for column, attribute in CSV_COLUMNS.items() if attribute is not None}

# DynamoDB's limits for a number.
_NUMBER_DIGITS = 38
_NUMBER_EXPONENT = 125


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One row of the calendar.

    Attributes:
        key: The values of the table's key, as in events.
        numbers: Further attributes.
    """

    key: tuple[str, ...]
    numbers: Mapping[str, Decimal] = field(default_factory=dict)


def read_calendar(path: Path) -> list[CalendarRow]:
    """Read a calendar: CSV with the columns `COLUMNS`, in any order.

    Of several rows with one key, the last counts.

    Raises:
        InputError: It cannot be read, or a value is invalid; the message has the line and the column.
    """
    rows: dict[tuple[str, ...], CalendarRow] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in _rows(path, csv.DictReader(file, strict=True)):
                rows[row.key] = row
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
            key = (_value(where, record, _COLUMN_OF[name], validate) for name, validate in KEY_FIELDS.items())
            yield CalendarRow(tuple(key), dict(_numbers(where, record)))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.reader.line_num}: {error}") from error


def _value(where: str, record: Mapping[str, str], column: str, validate: Validator) -> str:
    try:
        return validate(record[column].strip())
    except FieldError as error:
        raise InputError(f"{where}, column {column}: {record[column][:40]!r} is not {error}") from None


def _numbers(where: str, record: Mapping[str, str]) -> Iterator[tuple[str, Decimal]]:
    for attribute, column in _COLUMN_OF.items():
        text = record[column].strip()
        if attribute in KEY_FIELDS or not text:
            continue
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        fits = number.is_finite() and len(number.as_tuple().digits) <= _NUMBER_DIGITS
        if not fits or abs(number.adjusted()) > _NUMBER_EXPONENT:
            raise InputError(f"{where}, column {column}: {text[:40]!r} is not a number")
        yield attribute, number
