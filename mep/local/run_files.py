"""The files of a run, in JSON Lines; they are written during the run."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path
from threading import Lock
from typing import Any, Self

import orjson

from emulator.lambda_runtime.process import Stream
from handler.validation import format_utc
from mep.errors import UsageError
from otel.event_types import EventType

ENV_FILE = "kept.env"
PAGE_FILE = "run.html"
"""The page of `mep open`, in the folder of its run."""
_OPTIONAL = ("summary.json", "undelivered.jsonl", ENV_FILE, PAGE_FILE)
_FIRST = tuple(f"{name}.jsonl" for name in ("spans", "logs", "metrics", "platform", "dlq", "calendar", "audit"))
"""The files that every run has had from its start, by which its directory is recognised."""
_NAMES = (*_FIRST, "bus.jsonl", "traces.otlp.jsonl", "rejected.jsonl", "rejected_rows.jsonl", *_OPTIONAL)


class JsonLines:
    """A JSON Lines file that several threads may write.

    A failure, such as a full disk, is stored, and nothing is written after it: it must not end a thread that reads what
    the function prints.

    Attributes:
        count: Number of lines written.
        failure: Why the file is incomplete; None where it is complete.
    """

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self._lock = Lock()
        self.count = 0
        self.failure: OSError | None = None

    def write(self, value: Any) -> None:
        """Write `value` as one line."""
        self.write_raw(orjson.dumps(value))

    def write_all(self, values: Iterable[Any]) -> None:
        """Write each of `values` as one line."""
        for value in values:
            self.write(value)

    def write_raw(self, line: bytes) -> None:
        """Write `line`, JSON without a line break, unchanged."""
        with self._lock, self._stored_failure():
            if self.failure is None:
                self._file.write(line + b"\n")
                self.count += 1

    def flush(self) -> None:
        """Write the buffered lines to the file."""
        with self._lock, self._stored_failure():
            if self.failure is None:
                self._file.flush()

    def close(self) -> None:
        """Write the buffered lines, and close the file."""
        with self._lock, self._stored_failure():
            self._file.close()

    @contextmanager
    def _stored_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            self.failure = self.failure or failure


class RunFiles:
    """The files of one run in one directory; a context manager that closes them.

    Files of an earlier run are replaced, and no others. One run at a time uses a directory.

    Args:
        directory: The directory; created if it does not exist.
        inputs: The input files, which must not be replaced.

    Attributes:
        replaced: Whether the files of an earlier run were replaced.

    Raises:
        UsageError: The directory cannot be written, another run uses it, or a file would be replaced that is an input
            or not of a run.
    """

    def __init__(self, directory: Path, *, inputs: Iterable[Path | None] = ()) -> None:
        self.directory = directory
        self._files = ExitStack()
        self._opened: dict[str, JsonLines] = {}
        self._lock = Lock()
        self._undelivered: JsonLines | None = None
        for path in inputs:
            if path is not None and path.resolve() in {(directory / name).resolve() for name in _NAMES}:
                raise UsageError(f"{path} would be replaced by the output: choose another directory")
        with ExitStack() as undo:
            undo.callback(self._files.close)
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self._files.enter_context(_locked(directory))
                self.replaced = _is_run(directory)
                self.spans = self._open("spans")
                self.otlp_traces = self._open("traces.otlp")
                self.logs = self._open("logs")
                self.metrics = self._open("metrics")
                self.platform = self._open("platform")
                self.bus = self._open("bus")
                self.rejected = self._open("rejected")
                self.rejected_rows = self._open("rejected_rows")
                self.dlq = self._open("dlq")
                self.calendar = self._open("calendar")
                self.audit = self._open("audit")
                for stale in _OPTIONAL:
                    (directory / stale).unlink(missing_ok=True)
            except OSError as error:
                reason = "it is a file" if directory.is_file() else error.strerror
                raise UsageError(f"cannot write to {directory}: {reason}") from error
            undo.pop_all()

    def _open(self, name: str) -> JsonLines:
        path = self.directory / f"{name}.jsonl"
        file = self._files.enter_context(closing(JsonLines(path.open("wb"))))
        self._opened[path.name] = file
        return file

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Names of the files that could not be written completely, so far."""
        return tuple(name for name, file in self._opened.items() if file.failure is not None)

    def function_line(self, stream: Stream, line: str) -> None:
        """Write a line that the function printed to the metrics or to the logs.

        A line that is not a JSON object is wrapped in a log line that names its stream.
        """
        raw = line.encode()
        try:
            parsed = orjson.loads(raw)
        except orjson.JSONDecodeError:
            parsed = None
        if isinstance(parsed, dict) and stream == "stdout":
            (self.metrics if "_aws" in parsed else self.logs).write_raw(raw.strip())
        elif line.strip():
            now = format_utc(datetime.now(UTC), "milliseconds")
            level = "ERROR" if stream == "stderr" else "INFO"
            self.logs.write({"timestamp": now, "level": level, "message": line, "stream": stream})

    def undelivered(self, record: bytes) -> None:
        """Write an on-failure record that its destination did not accept, to a file of its own."""
        with self._lock:
            if self._undelivered is None:
                self._undelivered = self._open("undelivered")
        self._undelivered.write_raw(record)

    def summary(self, summary: dict[str, Any]) -> None:
        """Write `summary.json`, which marks the files as those of a run that has ended; not on a full disk."""
        text = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        path = self.directory / "summary.json"
        try:
            path.write_bytes(text)
        except OSError:
            path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Write the buffered lines to the files."""
        with self._lock:
            opened = list(self._opened.values())
        for file in opened:
            file.flush()

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def count_lost_spans(directory: Path) -> int:
    """Return how many spans the function could not export, according to the log of a run."""
    marker = EventType.SPANS_LOST.encode()
    with (directory / "logs.jsonl").open("rb") as file:
        lines = [orjson.loads(line) for line in file if marker in line]
    return sum(line.get("lost_spans", 0) for line in lines if line.get("event_type") == EventType.SPANS_LOST)


def _is_run(directory: Path) -> bool:
    """Return whether a directory has the files of an earlier run.

    Raises:
        UsageError: It has a file of that name that no run wrote.
    """
    present = [name for name in _NAMES if (directory / name).exists()]
    if present and not set(_FIRST) <= set(present):
        file = directory / present[0]
        raise UsageError(f"{file} would be replaced and is not of a run: choose another directory, or remove it")
    return bool(present)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Reserve a directory for this process; the lock ends with the process, and leaves no file.

    Raises:
        UsageError: Another process has reserved it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another run is writing to {directory}: choose another directory, or wait") from None
        except OSError:
            pass  # some network file systems have no locks
        yield
    finally:
        os.close(descriptor)
