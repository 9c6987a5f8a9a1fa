"""Values by key in a temporary file: any number of them in bounded memory."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from emulator.errors import EmulatorError


class Spool:
    """A mapping from a key of two texts to bytes; a context manager that removes its file.

    Of several values with one key, the last counts, in the place of the first. One thread may use it at a time.

    Raises:
        EmulatorError: The temporary file cannot be written, for every method.
    """

    def __init__(self) -> None:
        # An empty name is a temporary file that SQLite writes when its cache is full, and removes.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        with _translated_errors():
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("CREATE TABLE spool (first TEXT, second TEXT, value BLOB, UNIQUE (first, second))")
            self._database.execute("BEGIN")

    def put(self, first: str, second: str, value: bytes) -> None:
        """Add or replace a value."""
        with _translated_errors():
            self._database.execute(
                "INSERT INTO spool VALUES (?, ?, ?) ON CONFLICT (first, second) DO UPDATE SET value = excluded.value",
                (first, second, value),
            )

    def __len__(self) -> int:
        """Return the number of keys."""
        with _translated_errors():
            count: int = self._database.execute("SELECT count(*) FROM spool").fetchone()[0]
        return count

    def arrivals(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield keys and values in the order in which the keys came."""
        return self._select("SELECT first, second, value FROM spool ORDER BY rowid")

    def sorted(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield keys and values in the order of the keys."""
        return self._select("SELECT first, second, value FROM spool ORDER BY first, second")

    def _select(self, query: str) -> Iterator[tuple[str, str, bytes]]:
        with _translated_errors():
            yield from self._database.execute(query)

    def close(self) -> None:
        """Remove the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise EmulatorError(f"a temporary file cannot be written: {error}") from error
