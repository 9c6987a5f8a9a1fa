"""Searches the files of a `mep local` run for the records of a correlation ID."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mep.dlq.model import DeadLetter
from mep.dlq.sources import read_line
from mep.errors import Problem, Reason, UsageError
from mep.local.run_files import ENV_FILE
from mep.trace import undelivered
from mep.trace.asked import Asked
from mep.trace.bus import bus_entry, envelope_ids
from mep.trace.entries import Entry, SearchResult
from mep.trace.folder_lookup import look_up_in_folder
from mep.trace.hits import Observation
from mep.trace.jsonl import positioned_values, values
from mep.trace.lookup import missing_row_note, row_key, row_keys
from mep.trace.parsing import audit_entry, dead_letter_entry, envelope_id, log_entry, platform_request_id, span_entries
from mep.trace.sources import Gap, Source

_SUMMARY = "summary.json"
_FILES = {
    "logs": Source.LOG,
    "spans": Source.TRACES,
    "audit": Source.AUDIT,
    "calendar": Source.CALENDAR,
    "dlq": Source.QUEUE,
}
_BUS = "bus"
"""The log of the bus, which runs of earlier versions do not have."""


class FolderSearch:
    """Searches a run's files.

    Args:
        folder: `--out` of `mep local`.
        queue: Whether to search the dead letters.

    Raises:
        UsageError: The folder is not one of a run.
    """

    def __init__(self, folder: Path, *, queue: bool = True) -> None:
        check_folder(folder)
        self._folder = folder
        self._queue = queue

    def find(self, correlation_id: str) -> SearchResult:
        """Return the records of a correlation ID; see `mep.trace.follow.Search`."""
        folder = self._folder
        notes: list[str] = []
        gaps = tuple(folder_gaps(folder))
        dead_letters = list(_dead_letters(correlation_id, folder)) if self._queue else []
        entries = [*_spans(correlation_id, folder), *_audit(correlation_id, folder)]
        known = {entry.request_id for entry in entries} | {each.request_id for each in dead_letters}
        entries += _logs(correlation_id, known, folder)
        ids = {correlation_id, *envelope_ids(entries), *map(envelope_id, dead_letters)}
        entries += _on_bus(ids - {""}, folder)
        entries += [dead_letter_entry(each, entries) for each in dead_letters]
        rows = tuple(_rows(folder, entries, notes))
        lost = values(folder, undelivered.FILE, correlation_id)
        notes += [undelivered.NOTE] * any(undelivered.correlation_id_of(each) == correlation_id for each in lost)
        return SearchResult(tuple(entries), rows, tuple(notes), gaps)

    def look_up(self, asked: Asked) -> tuple[list[Observation], tuple[Gap, ...]]:
        """Return the records that have an ID or name a row; see `mep.trace.follow.Search`."""
        return list(look_up_in_folder(asked, self._folder, queue=self._queue)), ()

    def find_requests(self, request_ids: Iterable[str]) -> SearchResult:
        """Return nothing: `find` returns them."""
        del request_ids
        return SearchResult()

    def find_on_bus(self, ids: Iterable[str]) -> SearchResult:
        """Return nothing: `find` returns them."""
        del ids
        return SearchResult()

    def dead_letters(self) -> tuple[tuple[DeadLetter, ...], tuple[Gap, ...]]:
        """Return nothing: `find` returns them, since the file can be read without a side effect."""
        return (), ()


def find_in_folder(correlation_id: str, folder: Path) -> SearchResult:
    """Return the records of a correlation ID in a run's files.

    Raises:
        UsageError: The folder is not one of a run.
    """
    return FolderSearch(folder).find(correlation_id)


def check_folder(folder: Path) -> None:
    """Check that a folder is one of a run.

    Raises:
        UsageError: It is not.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: use the --out of a `mep local` run")
    if not (folder / "logs.jsonl").exists():
        raise UsageError(f"{folder} has no logs.jsonl: use the --out of a `mep local` run")


def not_ended(folder: Path) -> Problem | None:
    """Return the problem of a run that has not come to its end; None if it has."""
    if (folder / _SUMMARY).exists():
        return None
    text = "the run has not ended, or was aborted"
    if (folder / ENV_FILE).exists():
        text = "with --keep, rows, audit entries and dead letters are written at Ctrl-C"
    return Problem(Reason.INCOMPLETE, f"{_SUMMARY} is missing: {text}")


def folder_gaps(folder: Path) -> Iterator[Gap]:
    """Yield the files of a run that cannot be read."""
    if problem := not_ended(folder):
        yield Gap(Source.RUN, str(folder), problem)
        return
    for name, source in _FILES.items():
        path = folder / f"{name}.jsonl"
        try:
            path.open("rb").close()
        except OSError as error:
            reason = Reason.NOT_FOUND if isinstance(error, FileNotFoundError) else Reason.ACCESS_DENIED
            yield Gap(source, str(path), Problem(reason, f"{path} cannot be read: {error.strerror}"))


def _has(value: Mapping[str, Any], correlation_id: str) -> bool:
    return value.get("correlation_id") == correlation_id


def _spans(correlation_id: str, folder: Path) -> Iterator[Entry]:
    for span in values(folder, "spans", correlation_id):
        if _has(span["attributes"], correlation_id):
            yield from span_entries(span)


def _logs(correlation_id: str, request_ids: set[str], folder: Path) -> Iterator[Entry]:
    """Yield the function's lines, and those of Lambda and its runtime client, in the order of the file.

    Args:
        correlation_id: The correlation ID.
        request_ids: Requests of the event, also those of which the function wrote no line.
        folder: The run's files.
    """
    lines: dict[int, dict[str, Any]] = {}
    for position, line in positioned_values(folder, "logs", correlation_id):
        # The runtime client's line about an exception of the function has the ID in its text only.
        raised = f"correlation_id={correlation_id} " in str(line.get("errorMessage", ""))
        if raised or _has(line, correlation_id):
            lines[position] = line
    # Lambda's lines, and one about another exception, have no correlation ID at all.
    known = request_ids | {str(line.get("request_id") or line.get("requestId") or "") for line in lines.values()}
    for request_id in sorted(known - {""}):
        others = positioned_values(folder, "logs", request_id)
        lines.update((position, line) for position, line in others if platform_request_id(line) == request_id)
    for _, line in sorted(lines.items()):
        entry = log_entry(line)
        if entry is not None:
            yield entry


def _audit(correlation_id: str, folder: Path) -> Iterator[Entry]:
    for item in values(folder, "audit", correlation_id):
        entry = audit_entry(item) if _has(item, correlation_id) else None
        if entry is not None:
            yield entry


def _on_bus(ids: Iterable[str], folder: Path) -> Iterator[Entry]:
    for event_id in sorted(ids):
        for record in values(folder, _BUS, event_id):
            entry = bus_entry(record) if record.get("event_id") == event_id else None
            if entry is not None:
                yield entry


def _dead_letters(correlation_id: str, folder: Path) -> Iterator[DeadLetter]:
    for value in values(folder, "dlq", correlation_id):
        dead_letter = read_line(value)
        if dead_letter.correlation_id == correlation_id:
            yield dead_letter


def _rows(folder: Path, entries: list[Entry], notes: list[str]) -> Iterator[dict[str, Any]]:
    for key in row_keys(entries):
        rows = [row for row in values(folder, "calendar", f'"{key[0]}"') if row_key(row) == key]
        yield from rows
        if not rows and (folder / _SUMMARY).exists():
            notes.append(missing_row_note(key))
