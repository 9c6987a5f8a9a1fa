"""An archive of the bus: events as they came, in a file, and which of them a replay brings back."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_BATCH = 500


class Archive:
    """Keeps events in the order of their time, outside of memory.

    Args:
        path: A file to keep; None for one that goes away with the process.
    """

    def __init__(self, path: Path | None = None) -> None:
        # "" is SQLite's name for a temporary file. The chain's own thread uses it, and whoever looks in afterwards.
        self._database = sqlite3.connect(path or "", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF" if path is None else "PRAGMA journal_mode=WAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, time REAL NOT NULL, payload BLOB NOT NULL)"
        )
        self._database.execute("CREATE INDEX IF NOT EXISTS event_time ON event (time, number)")

    def keep(self, time_s: float, payload: bytes) -> None:
        """Keep one event.

        Args:
            time_s: Its `time`, as Unix time in seconds.
            payload: The event, JSON.
        """
        self._database.execute("INSERT INTO event (time, payload) VALUES (?, ?)", (time_s, payload))

    def between(self, start: float, end: float) -> Iterator[bytes]:
        """Yield the events of a time window in the order of their time; those of one time in the order they came.

        Args:
            start: Unix time in seconds; included.
            end: Unix time in seconds; not included.
        """
        after: tuple[float, int] = (start, 0)
        while True:
            rows = self._database.execute(
                "SELECT time, number, payload FROM event WHERE (time, number) > (?, ?) AND time < ? "
                "ORDER BY time, number LIMIT ?",
                (*after, end, _BATCH),
            ).fetchall()
            if not rows:
                return
            for _, _, payload in rows:
                yield payload
            after = rows[-1][:2]

    def __len__(self) -> int:
        """Return how many events are kept."""
        count: int = self._database.execute("SELECT count(*) FROM event").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file."""
        self._database.close()
