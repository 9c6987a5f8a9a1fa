"""The records of all events of a run, grouped by correlation ID in one pass over its files.

`mep.trace.local_run` searches the same files for one event. Here every line is parsed once, and a file that has grown
is read from where the last look ended, so that a run can be followed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from emulator.pipeline.bus_log import Step
from mep.dlq.model import DeadLetter
from mep.dlq.sources import read_line
from mep.trace import undelivered
from mep.trace.bus import ENVELOPE_ID, bus_entry, envelope_ids
from mep.trace.entries import Entry, SearchResult
from mep.trace.local_run import folder_gaps
from mep.trace.lookup import missing_row_note, row_key, row_keys
from mep.trace.parsing import audit_entry, dead_letter_entry, envelope_id, log_entry, platform_request_id, span_entries
from mep.trace.timeline import Timeline, make_timeline

if TYPE_CHECKING:
    from mep.trace.sources import Gap

_RAISED = re.compile(r"correlation_id=(\S+) ")
"""In the runtime client's line about an exception of the function, whose other fields have no correlation ID."""

_FILES = ("calendar", "spans", "audit", "dlq", "logs", "bus", undelivered.FILE)
_NOT_DELIVERED = {Step.NO_STANDARD_RULES_MATCHED, Step.EVENT_INGEST_FAILURE}
"""Of an event with such a record, no other record than those of the bus ever follows."""


@dataclass(slots=True)
class _Records:
    """The records of one event.

    Attributes:
        entries: Spans and audit entries.
        lines: Log lines that have the correlation ID, by their position in the file.
        requests: Request IDs.
        dead_letters: Dead letters.
        undelivered: Whether the bus did not accept it, or no rule matched it.
        lost: Whether a failure destination did not accept its record.
    """

    entries: list[Entry] = field(default_factory=list)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    undelivered: bool = False
    lost: bool = False


class RunIndex:
    """The events of a run by correlation ID, in the order in which they were seen first.

    An event without one has the request ID of its dead letter instead.

    Args:
        folder: `--out` of `mep local`; its files may be written meanwhile.

    Attributes:
        restarts: How often the files were found to be removed or replaced. Each time the index begins again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.restarts = 0
        self._clear()

    def _clear(self) -> None:
        self._offsets = dict.fromkeys(_FILES, 0)
        self._events: dict[str, _Records] = {}
        self._event_of_request: dict[str, str] = {}
        self._event_of_envelope: dict[str, str] = {}
        self._other_lines: dict[str, dict[int, dict[str, Any]]] = {}
        self._on_bus: dict[str, list[Entry]] = {}
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._changed: set[str] = set()
        self._gaps: tuple[Gap, ...] = ()

    @property
    def correlation_ids(self) -> list[str]:
        """The correlation IDs, in the order in which they were seen first."""
        return [name for name, records in self._events.items() if self._is_of_run(records)]

    def read(self) -> set[str]:
        """Read what the files have more than at the last call.

        Returns:
            The correlation IDs of events that have changed.
        """
        sizes = {name: _size(self._folder / f"{name}.jsonl") for name in _FILES}
        if any(sizes[name] < offset for name, offset in self._offsets.items()):
            self.restarts += 1
            self._clear()
        readers = {
            "calendar": self._add_row,
            "spans": self._add_span,
            "audit": self._add_audit,
            "dlq": self._add_dead_letter,
            "logs": self._add_line,
            "bus": self._add_bus_record,
            undelivered.FILE: self._add_lost,
        }
        for name, add in readers.items():
            for position, value in self._new_lines(name):
                add(position, value)
        self._gaps = tuple(folder_gaps(self._folder))
        changed, self._changed = self._changed, set()
        return {name for name in changed if self._is_of_run(self._events[name])}

    def timeline(self, correlation_id: str) -> Timeline:
        """Return the timeline of an event."""
        records = self._events[correlation_id]
        lines = dict(records.lines)
        for request_id in records.requests:
            lines |= self._other_lines.get(request_id, {})
        entries = list(records.entries)
        entries += [entry for _, line in sorted(lines.items()) if (entry := log_entry(line)) is not None]
        for each in sorted({correlation_id, *envelope_ids(entries), *map(envelope_id, records.dead_letters)}):
            entries += self._on_bus.get(each, ())
        entries += [dead_letter_entry(dead_letter, entries) for dead_letter in records.dead_letters]
        rows, notes = [], []
        for key in row_keys(entries):
            if row := self._rows.get(key):
                rows.append(row)
            elif not self._gaps:
                notes.append(missing_row_note(key))
        notes += [undelivered.NOTE] * records.lost
        result = SearchResult(tuple(entries), tuple(rows), tuple(notes), self._gaps)
        return make_timeline(correlation_id, [result])

    def _is_of_run(self, records: _Records) -> bool:
        """Return whether the run delivered the event: its tables may have the audit entries of earlier runs, too."""
        if records.undelivered or records.lost or records.lines or records.dead_letters:
            return True
        if any(entry.kind == "span" for entry in records.entries):
            return True
        return any(request_id in self._other_lines for request_id in records.requests)

    def _new_lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the complete lines that a file has more than before; a file that cannot be read has none."""
        try:
            file = (self._folder / f"{name}.jsonl").open("rb")
        except OSError:
            return
        with file:
            position = self._offsets[name]
            file.seek(position)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written, or the run was aborted
                    break
                try:
                    value = orjson.loads(line)
                except orjson.JSONDecodeError:
                    value = None
                if isinstance(value, dict):
                    yield position, value
                position += len(line)
            self._offsets[name] = position

    def _add_row(self, position: int, row: dict[str, Any]) -> None:
        del position
        self._rows[row_key(row)] = row

    def _add_span(self, position: int, span: dict[str, Any]) -> None:
        del position
        correlation_id = span["attributes"].get("correlation_id")
        if correlation_id:
            for entry in span_entries(span):
                self._add_entry(str(correlation_id), entry)

    def _add_audit(self, position: int, item: dict[str, Any]) -> None:
        del position
        entry = audit_entry(item)
        if entry is not None and item.get("correlation_id"):
            self._add_entry(str(item["correlation_id"]), entry)

    def _add_dead_letter(self, position: int, value: dict[str, Any]) -> None:
        del position
        dead_letter = read_line(value)
        # Of a function that was killed in every attempt, the event may be all that is known, and it needs no ID.
        request_id = dead_letter.request_id
        known = dead_letter.correlation_id or self._event_of_request.get(request_id)
        name = known or request_id or dead_letter.message_id
        self._event(name, request_id).dead_letters.append(dead_letter)
        self._event_of_envelope[envelope_id(dead_letter)] = name

    def _add_bus_record(self, position: int, record: dict[str, Any]) -> None:
        del position
        entry = bus_entry(record)
        if entry is None:
            return
        event_id = str(entry.attributes[ENVELOPE_ID])
        self._on_bus.setdefault(event_id, []).append(entry)
        if event_id in self._event_of_envelope:
            self._changed.add(self._event_of_envelope[event_id])
        if entry.attributes["step"] in _NOT_DELIVERED:
            self._event(event_id, "").undelivered = True

    def _add_lost(self, position: int, record: dict[str, Any]) -> None:
        del position
        if correlation_id := undelivered.correlation_id_of(record):
            self._event(correlation_id, "").lost = True

    def _add_entry(self, correlation_id: str, entry: Entry) -> None:
        self._event(correlation_id, entry.request_id).entries.append(entry)

    def _add_line(self, position: int, line: dict[str, Any]) -> None:
        correlation_id = str(line.get("correlation_id") or "")
        if not correlation_id and (raised := _RAISED.search(str(line.get("errorMessage", "")))):
            correlation_id = raised[1]
        if correlation_id:
            request_id = str(line.get("request_id") or line.get("requestId") or "")
            self._event(correlation_id, request_id).lines[position] = line
            for name in (ENVELOPE_ID, "event_id"):
                if line.get(name):
                    self._event_of_envelope[str(line[name])] = correlation_id
            return
        # Lambda's own lines have a request ID only.
        request_id = platform_request_id(line)
        if request_id:
            self._other_lines.setdefault(request_id, {})[position] = line
            if request_id in self._event_of_request:
                self._changed.add(self._event_of_request[request_id])

    def _event(self, correlation_id: str, request_id: str) -> _Records:
        self._changed.add(correlation_id)
        records = self._events.setdefault(correlation_id, _Records())
        if request_id:
            records.requests.add(request_id)
            self._event_of_request[request_id] = correlation_id
        return records


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
