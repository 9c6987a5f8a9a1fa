"""Runs a query on the files of a `mep local` run: its log lines and its metric lines, which are in one log group."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mep.errors import UsageError
from mep.query.engine import Line, run_query
from mep.query.language import UnsupportedQueryError, columns, parse, row_limit
from mep.query.result import QueryResult
from mep.trace.entries import nanoseconds
from mep.trace.jsonl import values
from mep.trace.local_run import not_ended

_FILES = ("logs", "metrics")
_MS = 1_000_000


def query_run(folder: Path, queries: Mapping[str, str]) -> tuple[QueryResult, ...]:
    """Return the results of queries on a whole run, whose files are read once.

    Args:
        folder: `--out` of `mep local`.
        queries: The text of each query by its name.

    Raises:
        UsageError: The folder is not one of a run, or the query uses what is not understood here.
    """
    for file in _FILES:
        if not (folder / f"{file}.jsonl").is_file():
            raise UsageError(f"{folder} has no {file}.jsonl: use the --out of a `mep local` run")
    counted, problem = _Counted(folder), not_ended(folder)
    # A single query needs the lines that match it only, however large the run is.
    lines = list(counted) if len(queries) > 1 else counted
    results = []
    for name, text in queries.items():
        try:
            commands = parse(text)
            rows = tuple(run_query(commands, lines))
        except UnsupportedQueryError as error:
            raise UsageError(f"the query {name} cannot be run on a local run: {error}") from error
        limit = row_limit(commands)
        results.append(QueryResult(name, str(folder), columns(commands), rows, counted.count, limit, problem))
    return tuple(results)


class _Counted:
    """The lines of a run.

    Attributes:
        count: How many were read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.count = 0

    def __iter__(self) -> Iterator[Line]:
        for file in _FILES:
            for line in values(self._folder, file, ""):
                self.count += 1
                yield Line(line, _time_ms(line))


def _time_ms(line: Mapping[str, Any]) -> int | None:
    """Return the time of a line of the function, of Lambda, or of a metric line: milliseconds since 1970."""
    document = line.get("_aws")
    if isinstance(document, Mapping) and isinstance(at := document.get("Timestamp"), int):
        return at
    at_ns = nanoseconds(line.get("timestamp") or line.get("time"))
    return None if at_ns is None else at_ns // _MS
