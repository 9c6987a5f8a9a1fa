"""The files of a run, in JSON Lines; they are written during the run."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path
from threading import Lock
from typing import Any, Self

import orjson

from emulator.lambda_runtime.process import Stream
from handler.validation import format_utc
from mep.errors import UsageError

ENV_FILE = "kept.env"
_OPTIONAL = ("summary.json", "undelivered.jsonl", ENV_FILE)
_NAMES = (
    *(f"{name}.jsonl" for name in ("spans", "logs", "metrics", "platform", "rejected", "dlq", "calendar", "audit")),
    *_OPTIONAL,
)


class JsonLines:
    """A JSON Lines file that several threads may write.

    Attributes:
        count: Number of lines written.
    """

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self._lock = Lock()
        self.count = 0

    def write(self, value: Any) -> None:
        """Write `value` as one line."""
        self.write_raw(orjson.dumps(value))

    def write_all(self, values: Iterable[Any]) -> None:
        """Write each of `values` as one line."""
        for value in values:
            self.write(value)

    def write_raw(self, line: bytes) -> None:
        """Write `line`, JSON without a line break, unchanged."""
        with self._lock:
            self._file.write(line + b"\n")
            self.count += 1

    def flush(self) -> None:
        """Write the buffered lines to the file."""
        with self._lock:
            self._file.flush()


class RunFiles:
    """The files of one run in one directory; a context manager that closes them.

    Files of an earlier run are replaced.

    Args:
        directory: The directory; created if it does not exist.
        input_file: The input, which must not be replaced.

    Raises:
        UsageError: The directory cannot be written, or `input_file` would be replaced.
    """

    def __init__(self, directory: Path, *, input_file: Path | None = None) -> None:
        self.directory = directory
        self._files = ExitStack()
        self._lock = Lock()
        self._undelivered: JsonLines | None = None
        if input_file is not None and input_file.resolve() in {(directory / name).resolve() for name in _NAMES}:
            raise UsageError(f"{input_file} would be replaced by the output: choose another directory")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.spans = self._open("spans")
            self.logs = self._open("logs")
            self.metrics = self._open("metrics")
            self.platform = self._open("platform")
            self.rejected = self._open("rejected")
            self.dlq = self._open("dlq")
            self.calendar = self._open("calendar")
            self.audit = self._open("audit")
            for stale in _OPTIONAL:
                (directory / stale).unlink(missing_ok=True)
        except OSError as error:
            self._files.close()
            reason = "it is a file" if directory.is_file() else error.strerror
            raise UsageError(f"cannot write to {directory}: {reason}") from error

    def _open(self, name: str) -> JsonLines:
        return JsonLines(self._files.enter_context((self.directory / f"{name}.jsonl").open("wb")))

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
        """Write `summary.json`."""
        text = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (self.directory / "summary.json").write_bytes(text)

    def flush(self) -> None:
        """Write the buffered lines to the files."""
        for file in (self.spans, self.logs, self.metrics, self.platform, self.rejected):
            file.flush()

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
