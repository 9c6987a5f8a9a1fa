"""The rows of a calendar, each key once, in bounded memory."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from emulator.spool import Spool
from handler.contract import CALENDAR


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One row of the calendar.

    Attributes:
        key: The values of the table's key, as in events.
        numbers: Further attributes.
    """

    key: tuple[str, ...]
    numbers: Mapping[str, Decimal] = field(default_factory=dict)


class CalendarRows:
    """Rows in the order in which they came; of several with one key, the last counts.

    A context manager that removes the temporary file with the rows.

    Args:
        rows: The first rows.
    """

    def __init__(self, rows: Iterable[CalendarRow] = ()) -> None:
        self._spool = Spool()
        for row in rows:
            self.add(row)

    def add(self, row: CalendarRow) -> None:
        """Add or replace a row."""
        first, second = (*row.key, "")[:2]
        numbers = {name: str(number) for name, number in row.numbers.items()}
        self._spool.put(first, second, json.dumps(numbers).encode())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._spool)

    def __iter__(self) -> Iterator[CalendarRow]:
        """Yield every row."""
        parts = len(CALENDAR.key)
        for first, second, numbers in self._spool.arrivals():
            values = {name: Decimal(text) for name, text in json.loads(numbers).items()}
            yield CalendarRow((first, second)[:parts], values)

    def close(self) -> None:
        """Remove the temporary file."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
