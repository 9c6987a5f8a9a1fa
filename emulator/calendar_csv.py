"""Reads the rows of a calendar from a CSV file with the columns of the contract.

Files are read as they come: in any encoding and compression of `emulator.text_input`; with commas, semicolons, tabs or
bars between columns; with columns in any order, and further ones between them.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from emulator.calendar_rows import CalendarRow, CalendarRows
from emulator.errors import InputError
from emulator.text_input import DamagedInputError, open_text
from handler.contract import CSV_COLUMNS, KEY_FIELDS
from handler.validation import FieldError, Validator

_COLUMN_OF = {attribute: column for column, attribute in CSV_COLUMNS.items() if attribute is not None}
REQUIRED_COLUMNS = tuple(_COLUMN_OF[name] for name in KEY_FIELDS)

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>.)"?\s*\Z')  # the first line of a file for Excel
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
_NO_NUMBER = {"", "-", "--", "n/a", "na", "none", "null", "nan"}

# DynamoDB's limits for a number.
_NUMBER_DIGITS = 38
_NUMBER_EXPONENT = 125

_MAX_LINE_CHARS = 64 * 1024
_STORED_CHARS = 1000


@dataclass(frozen=True, slots=True)
class RejectedRow:
    r"""A row that cannot be loaded.

    Attributes:
        line: The number of its first line, from 1.
        reason: The rule that it breaks, with the column.
        text: Its text, or the start of it; bytes that are not UTF-8 are written as `\xNN`.
    """

    line: int
    reason: str
    text: str

    def __str__(self) -> str:
        """Return line and reason, as in `line 3, column estimate: 'x' is not a number`."""
        return f"line {self.line}{', ' if self.reason.startswith('column ') else ': '}{self.reason}"


class _RowError(Exception):
    """A record is not a row; the message is the reason."""


class _ShapeError(_RowError):
    """A record does not fit the header: a quote may have joined lines that do not belong together."""


def read_calendar(path: Path, on_reject: Callable[[RejectedRow], None]) -> CalendarRows:
    """Read a calendar: CSV with the columns `REQUIRED_COLUMNS` and, where they exist, the others of the contract.

    Of several rows with one key, the last counts.

    Args:
        path: The file.
        on_reject: Called for each row that is invalid; the others are read.

    Returns:
        The rows. The caller closes them.

    Raises:
        InputError: The file cannot be read, a required column is missing, or no row is valid.
        EmulatorError: The rows cannot be stored.
    """
    first: RejectedRow | None = None
    rejected = 0
    with ExitStack() as stack:
        rows = stack.enter_context(CalendarRows())
        with open_text(path) as source:
            # Bytes that are not UTF-8 may be in a column that nothing reads.
            text = io.TextIOWrapper(source.stream, encoding="utf-8", errors="surrogateescape", newline="")
            for item in _rows(path, _Lines(text)):
                if isinstance(item, CalendarRow):
                    rows.add(item)
                    continue
                rejected += 1
                first = first or item
                on_reject(item)
        if first is not None and not len(rows):
            which = "" if rejected == 1 else f": none of the {rejected} rows is valid; the first:"
            raise InputError(f"{path}{which} {first}")
        stack.pop_all()
    return rows


class _Lines:
    """The lines of a file, which can be read again from the second line of the current record."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.first = 0

    def begin(self) -> None:
        """Begin a record with the next line."""
        self.first += max(1, len(self._record))
        self._record = []

    def rewind(self) -> None:
        """Read every line of the record again, except its first."""
        self._again.extendleft(reversed(self._record[1:]))
        self._record = self._record[:1]

    @property
    def text(self) -> str:
        """The start of the record."""
        text = "".join(self._record)[:_STORED_CHARS].rstrip("\r\n")
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(_MAX_LINE_CHARS)
        if not line:
            raise StopIteration
        self._record.append(line)
        return line


def _rows(path: Path, lines: _Lines) -> Iterator[CalendarRow | RejectedRow]:
    columns, width, separator = _header(path, lines)
    while True:
        lines.begin()
        try:
            values = _values(lines, separator)
            if values is None:
                return
            if values:
                yield _row(columns, width, values)
        except _ShapeError as error:
            # A quote that is not closed takes the lines that follow.
            lines.rewind()
            yield RejectedRow(lines.first, str(error), lines.text)
        except _RowError as error:
            yield RejectedRow(lines.first, str(error), lines.text)
        except DamagedInputError as error:
            yield RejectedRow(lines.first, str(error).removeprefix(f"{path}: "), "")
            return


def _values(lines: _Lines, separator: str) -> list[str] | None:
    """Return the trimmed values of the next record, none for a blank line; None at the end."""
    try:
        record = next(csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=True), None)
    except csv.Error as error:
        raise _ShapeError(str(error)) from None
    if record is None:
        return None
    values = [value.strip() for value in record]
    return values if any(values) else []


def _header(path: Path, lines: _Lines) -> tuple[dict[str, int], int, str]:
    """Return the index of each column, the number of columns, and the separator."""
    line, separators = "", tuple(_SEPARATORS)
    while not line:
        lines.begin()
        raw = next(lines, None)
        if raw is None:
            raise InputError(f"{path}: the file has no line with the columns {', '.join(REQUIRED_COLUMNS)}")
        line = raw.strip(" \r\n\ufeff")
        if match := _SEPARATOR_LINE.match(line):
            line, separators = "", (match["separator"],)
    where = f"{path} line {lines.first}"
    if line.startswith(("{", "[")):
        raise InputError(f"{where}: the calendar is JSON, not CSV: are --calendar and --events exchanged?")
    found: dict[str, int] = {}
    names: list[str] = []
    separator = separators[0]
    for candidate in separators:
        try:
            cells = next(csv.reader([line], delimiter=candidate, skipinitialspace=candidate != "\t", strict=True))
        except csv.Error:
            continue
        indexes = _indexes(cells)
        if not names or (len(indexes), len(cells)) > (len(found), len(names)):
            found, names, separator = indexes, cells, candidate
    if missing := [column for column in REQUIRED_COLUMNS if column not in found]:
        shown = ", ".join(repr(name.strip()[:30]) for name in names[:12]) or "none"
        hint = f"the columns, separated by {_SEPARATORS.get(separator, repr(separator))}, are {shown}"
        raise InputError(f"{where}: no column {', '.join(missing)}: {hint}")
    if double := [column for column in found if [_normalized(name) for name in names].count(_normalized(column)) > 1]:
        raise InputError(f"{where}: two columns are named {double[0]}")
    return found, len(names), separator


def _indexes(names: Sequence[str]) -> dict[str, int]:
    normalized = [_normalized(name) for name in names]
    return {column: normalized.index(key) for column in CSV_COLUMNS if (key := _normalized(column)) in normalized}


def _normalized(name: str) -> str:
    """Return a column's name without case, blanks, `_` and `-`: `Report Date` is `reportDate`."""
    return re.sub(r"[\s_-]", "", name).casefold()


def _row(columns: Mapping[str, int], width: int, values: Sequence[str]) -> CalendarRow:
    if len(values) < width or any(values[width:]):
        raise _ShapeError(f"not as many values as the header has columns: {len(values)}, not {width}")
    by_column = {column: values[index] for column, index in columns.items()}
    key = tuple(_key(by_column, _COLUMN_OF[name], validate) for name, validate in KEY_FIELDS.items())
    return CalendarRow(key, dict(_numbers(by_column)))


def _key(values: Mapping[str, str], column: str, validate: Validator) -> str:
    try:
        return validate(values[column])
    except FieldError as error:
        raise _RowError(f"column {column}: {values[column][:40]!r} is not {error}") from None


def _numbers(values: Mapping[str, str]) -> Iterator[tuple[str, Decimal]]:
    for attribute, column in _COLUMN_OF.items():
        text = values.get(column, "")
        if attribute in KEY_FIELDS or text.casefold() in _NO_NUMBER:
            continue
        number = Decimal(text) if _NUMBER.match(text) else Decimal("NaN")
        fits = number.is_finite() and len(number.as_tuple().digits) <= _NUMBER_DIGITS
        if not fits or abs(number.adjusted()) > _NUMBER_EXPONENT:
            raise _RowError(f"column {column}: {text[:40]!r} is not a number such as -1.42")
        yield attribute, number
