"""Searches the files of a `mep local` run for a correlation ID.

The files may be large and few lines have the ID: each file is searched for the ID's bytes, and only the lines with them
are parsed.
"""

import os
from collections.abc import Iterator, Mapping
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import orjson

from handler.contract import CALENDAR
from mep.dlq.sources import read_line
from mep.errors import Problem, Reason, UsageError
from mep.trace.entries import Entry, SearchResult, audit_entry, dead_letter_entry, log_entry, span_entries
from mep.trace.lookup import OTHER_IDS, missing_row_note, other_id_note, row_keys
from mep.trace.sources import Gap, Source

_SUMMARY = "summary.json"
_FILES = {
    "logs": Source.LOG,
    "spans": Source.TRACES,
    "audit": Source.AUDIT,
    "calendar": Source.CALENDAR,
    "dlq": Source.QUEUE,
}


def find_in_folder(correlation_id: str, folder: Path) -> SearchResult:
    """Search a run's files.

    Args:
        correlation_id: The correlation ID.
        folder: `--out` of `mep local`.

    Raises:
        UsageError: The folder is not one of a run.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: use the --out of a `mep local` run")
    if not (folder / "logs.jsonl").exists():
        raise UsageError(f"{folder} has no logs.jsonl: use the --out of a `mep local` run")
    notes: list[str] = []
    gaps = tuple(_gaps(folder))
    entries = [*_spans(correlation_id, folder), *_logs(correlation_id, folder), *_audit(correlation_id, folder)]
    entries += _dead_letters(correlation_id, folder, entries)
    if not entries:
        notes += dict.fromkeys(_other_ids(correlation_id, folder))
    rows = tuple(_rows(folder, entries, notes))
    return SearchResult(tuple(entries), rows, tuple(notes), gaps)


def _gaps(folder: Path) -> Iterator[Gap]:
    """Yield the files of a run that cannot be read."""
    if not (folder / _SUMMARY).exists():
        text = f"{_SUMMARY} is missing: the run has not ended, or was aborted"
        yield Gap(Source.RUN, str(folder), Problem(Reason.INCOMPLETE, text))
        return
    for name, source in _FILES.items():
        path = folder / f"{name}.jsonl"
        try:
            path.open("rb").close()
        except OSError as error:
            reason = Reason.NOT_FOUND if isinstance(error, FileNotFoundError) else Reason.ACCESS_DENIED
            yield Gap(source, str(path), Problem(reason, f"{path} cannot be read: {error.strerror}"))


def _values(folder: Path, name: str, text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of the lines of a file that contain `text`."""
    try:
        file = (folder / f"{name}.jsonl").open("rb")
    except OSError:  # `_gaps` reports it
        return
    needle = text.encode()
    with file:
        if not os.fstat(file.fileno()).st_size:
            return
        yield from _objects(file, needle)


def _objects(file: BufferedReader, needle: bytes) -> Iterator[dict[str, Any]]:
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        position = data.find(needle)
        while position >= 0:
            start = data.rfind(b"\n", 0, position) + 1
            end = data.find(b"\n", position)
            end = len(data) if end < 0 else end
            try:
                value = orjson.loads(data[start:end])
            except orjson.JSONDecodeError:
                value = None  # the last line of an aborted run
            if isinstance(value, dict):
                yield value
            position = data.find(needle, end)


def _has(value: Mapping[str, Any], correlation_id: str) -> bool:
    return value.get("correlation_id") == correlation_id


def _spans(correlation_id: str, folder: Path) -> Iterator[Entry]:
    for span in _values(folder, "spans", correlation_id):
        if _has(span["attributes"], correlation_id):
            yield from span_entries(span)


def _logs(correlation_id: str, folder: Path) -> Iterator[Entry]:
    for line in _values(folder, "logs", correlation_id):
        # The runtime client's line about an exception has the ID in its text only.
        raised = f"correlation_id={correlation_id} " in str(line.get("errorMessage", ""))
        entry = log_entry(line) if raised or _has(line, correlation_id) else None
        if entry is not None:
            yield entry


def _audit(correlation_id: str, folder: Path) -> Iterator[Entry]:
    for item in _values(folder, "audit", correlation_id):
        entry = audit_entry(item) if _has(item, correlation_id) else None
        if entry is not None:
            yield entry


def _dead_letters(correlation_id: str, folder: Path, entries: list[Entry]) -> Iterator[Entry]:
    for value in _values(folder, "dlq", correlation_id):
        dead_letter = read_line(value)
        if dead_letter.correlation_id == correlation_id:
            yield dead_letter_entry(dead_letter, entries)


def _rows(folder: Path, entries: list[Entry], notes: list[str]) -> Iterator[dict[str, Any]]:
    for key in row_keys(entries):
        rows = [row for row in _values(folder, "calendar", f'"{key[0]}"') if _key(row) == key]
        yield from rows
        if not rows and (folder / _SUMMARY).exists():
            notes.append(missing_row_note(key))


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in CALENDAR.key)


def _other_ids(text: str, folder: Path) -> Iterator[str]:
    """Yield a note for each line in which the text is an ID of another kind."""
    for line in _values(folder, "logs", text):
        for name in OTHER_IDS:
            if line.get(name) == text:
                yield other_id_note(text, name, line.get("correlation_id"))
