"""Reads the two input files of a run, and reports what is wrong with them without ending the run."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import orjson
from rich.console import Console

from emulator.calendar_csv import RejectedRow, read_calendar
from emulator.calendar_rows import CalendarRows
from emulator.errors import InputError
from emulator.text_input import TextInput, open_text
from mep.errors import UsageError
from mep.local.json_documents import Note, read_events
from mep.local.jsonl import EventLine
from mep.local.run_files import JsonLines
from mep.local.summary import RunCounter
from mep.progress import ProgressBar
from mep.terminal import print_line

_MAX_REPORTED = 20
_MEMORY_BYTES = 1024 * 1024
_MEMBERS = ("id", "source", "detail-type", "detail")
"""What every event has that EventBridge delivers, and the function requires."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar that has been read.

    Attributes:
        rows: The valid rows.
        rejected: The number of the others.
        rejected_rows: The others as JSON Lines.
    """

    rows: CalendarRows
    rejected: int
    rejected_rows: IO[bytes]

    def write_rejected(self, file: JsonLines) -> None:
        """Write the rejected rows to a file of the run."""
        self.rejected_rows.seek(0)
        for line in self.rejected_rows:
            file.write_raw(line.rstrip(b"\n"))


@contextmanager
def open_calendar(path: Path, console: Console) -> Iterator[Calendar]:
    """Read a calendar, and report its invalid rows.

    Raises:
        InputError: It cannot be read, or none of its rows is valid.
        EmulatorError: The rows cannot be stored.
    """
    rejected = 0
    reports: list[str] = []
    # Not yet in the run's directory: the files of an earlier run remain there if the calendar cannot be used.
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:

        def reject(row: RejectedRow) -> None:
            nonlocal rejected
            rejected += 1
            file.write(orjson.dumps(asdict(row), option=orjson.OPT_APPEND_NEWLINE))
            if rejected <= _MAX_REPORTED:
                reports.append(f"{path} {row}; this row is not loaded")

        with ProgressBar(console, f"reading {path}"):
            rows = read_calendar(path, reject)
        with rows:
            for report in reports:
                print_line(console, report)
            if rejected > _MAX_REPORTED:
                print_line(console, f"{path}: {rejected} rows are invalid; rejected_rows.jsonl has all of them")
            if not len(rows):
                print_line(console, f"{path} has no row, only its header: nothing is loaded")
            yield Calendar(rows, rejected, file)


@contextmanager
def open_events(path: Path | None) -> Iterator[TextInput]:
    """Open a file of events; None for standard input.

    Raises:
        UsageError: The file cannot be read.
    """
    with ExitStack() as stack:
        try:
            text = stack.enter_context(open_text(path))
        except InputError as error:
            raise UsageError(f"cannot read events from {error}") from error
        yield text


class EventReader:
    """The events of an input; reports, writes and counts what is not an event.

    Args:
        text: The input.
        file: For what is rejected.
        counter: Counts what is rejected.
        console: For reports.

    Attributes:
        exhausted: Whether the end of the input has been read.
    """

    def __init__(self, text: TextInput, file: JsonLines, counter: RunCounter, console: Console) -> None:
        self._text = text
        self._file = file
        self._counter = counter
        self._console = console
        self._reported_members = False
        self.exhausted = False

    def events(self, progress: ProgressBar) -> Iterator[EventLine]:
        """Yield the events, and advance `progress`."""
        for item in read_events(self._text.stream):
            if isinstance(item, Note):
                print_line(self._console, item.text)
                continue
            progress.advance(item.size, count=1)
            if isinstance(item, EventLine):
                self._report_missing_members(item)
                yield item
                continue
            self._file.write({"line": item.number, "reason": item.reason, "text": item.text})
            self._counter.rejected += 1
            if self._counter.rejected <= _MAX_REPORTED:
                print_line(self._console, f"line {item.number} is not JSON: {item.reason}")
            elif self._counter.rejected == _MAX_REPORTED + 1:
                print_line(self._console, "more lines are not JSON; rejected.jsonl has all of them")
        self.exhausted = True

    def _report_missing_members(self, line: EventLine) -> None:
        """Report the first event that is not as EventBridge delivers it; the function dead-letters all of them."""
        if self._reported_members or all(f'"{name}"'.encode() in line.payload for name in _MEMBERS):
            return
        # Read as `json_error` has done, which takes more for JSON than orjson does.
        event = json.loads(line.payload.decode(), parse_int=len, parse_float=len)
        missing = [name for name in _MEMBERS if name not in event] if isinstance(event, dict) else ()
        if missing:
            self._reported_members = True
            print_line(
                self._console,
                f"line {line.number} has no {', '.join(missing)}: the function dead-letters an event without what "
                "EventBridge adds (docs/events.md, The envelope); later ones are not reported",
            )
