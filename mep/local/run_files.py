"""The files that a run leaves behind: JSON lines, written as things happen."""

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
_NOT_ALWAYS = ("summary.json", "undelivered.jsonl", ENV_FILE)
_NAMES = (
    *(f"{name}.jsonl" for name in ("spans", "logs", "metrics", "platform", "rejected", "dlq", "calendar", "audit")),
    *_NOT_ALWAYS,
)


class JsonLines:
    """One file of JSON lines that several threads may write.

    Attributes:
        count: Lines written so far.
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
        """Write `line`, JSON without a line break, as it is."""
        with self._lock:
            self._file.write(line + b"\n")
            self.count += 1

    def flush(self) -> None:
        """Let whoever reads the file see what was written so far."""
        with self._lock:
            self._file.flush()


class RunFiles:
    """The files of one run in one directory; a context manager that closes them.

    An earlier run's files of the same names are replaced.

    Args:
        directory: Where they go; made if it is not there.
        keep: A file that must not be replaced: the input.

    Raises:
        UsageError: The directory cannot be written, or `keep` would be.
    """

    def __init__(self, directory: Path, *, keep: Path | None = None) -> None:
        self.directory = directory
        self._files = ExitStack()
        self._lock = Lock()
        self._undelivered: JsonLines | None = None
        if keep is not None and keep.resolve() in {(directory / name).resolve() for name in _NAMES}:
            raise UsageError(f"{keep} is one of the files that would be replaced: choose another directory")
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
            for stale in _NOT_ALWAYS:
                (directory / stale).unlink(missing_ok=True)
        except OSError as error:
            self._files.close()
            reason = "it is a file" if directory.is_file() else error.strerror
            raise UsageError(f"cannot write to {directory}: {reason}") from error

    def _open(self, name: str) -> JsonLines:
        return JsonLines(self._files.enter_context((self.directory / f"{name}.jsonl").open("wb")))

    def function_line(self, stream: Stream, line: str) -> None:
        """File a line that the function printed: metrics, logs, or what is neither.

        What is not a JSON object becomes a log line of its own that says where it came from.
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
        """Keep an on-failure record that its destination did not take, in a file of its own."""
        with self._lock:
            if self._undelivered is None:
                self._undelivered = self._open("undelivered")
        self._undelivered.write_raw(record)

    def summary(self, summary: dict[str, Any]) -> None:
        """Write `summary.json`."""
        text = orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (self.directory / "summary.json").write_bytes(text)

    def flush(self) -> None:
        """Let whoever reads the files see what was written so far."""
        for file in (self.spans, self.logs, self.metrics, self.platform, self.rejected):
            file.flush()

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
