"""Standard output and standard error that cannot end a command half-way.

A command that redrives messages must not stop between two of them because `head` has read enough. So a stream whose
reader has gone, or whose disk is full, discards the rest, and the command goes on; `mep.process` reports the failure.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Buffer, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from mep.credentials import redact
from mep.errors import UnavailableError, UsageError
from mep.text import one_line

# Characters of our own tables and of Rich's, with the replacement of each where the terminal's encoding lacks it.
_SUBSTITUTES = {"·": ".", "✓": "+", "✉": "@", "█": "#", "…": "~", "–": "-"}  # noqa: RUF001 - a dash
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_ERROR_HANDLER = "mep-escape"
_GONE = {errno.EPIPE, errno.ECONNRESET}
_BITS = 0x10000


class _Descriptor(io.FileIO):
    """A file descriptor whose first failure is stored, after which everything is discarded."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as failure:
                self.failure = failure
        return len(memoryview(data))


class Output:
    """An output stream of the process.

    Args:
        number: The file descriptor.
        encoding: The encoding. A character outside of it is escaped as JSON does, so that JSON remains valid.

    Attributes:
        text: The stream.
    """

    def __init__(self, number: int, encoding: str) -> None:
        codecs.register_error(_ERROR_HANDLER, _escape)
        self._descriptor = _Descriptor(number)
        self.text: TextIO = io.TextIOWrapper(
            io.BufferedWriter(self._descriptor),
            encoding=encoding,
            errors=_ERROR_HANDLER,
            line_buffering=self._descriptor.isatty(),
        )

    def finish(self) -> str:
        """Write what is buffered.

        Returns:
            Why the output is incomplete; empty where it is complete, or where its reader had read enough.
        """
        self.text.flush()
        failure = self._descriptor.failure
        return "" if failure is None or failure.errno in _GONE else str(failure.strerror)


def take_over() -> tuple[Output | None, Output | None]:
    """Replace standard output and standard error.

    Returns:
        Both; None for one that is closed, or that the caller of this process has replaced already, as tests do.
    """
    output = _replacement(sys.stdout, sys.__stdout__)
    error = _replacement(sys.stderr, sys.__stderr__)
    if output is not None:
        sys.stdout = output.text
    if error is not None:
        sys.stderr = error.text
    return output, error


def print_error(text: object) -> None:
    """Print one line to standard error, without the values of credentials."""
    if sys.stderr is not None:
        sys.stderr.write(f"mep: {redact(one_line(text), os.environ)}\n")
        sys.stderr.flush()


def write_file(path: Path, text: str) -> None:
    """Write a file that the user has asked for.

    Raises:
        UsageError: There can be no such file: the directory is missing or may not be written.
        UnavailableError: The file is incomplete, because the disk is full.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise UnavailableError(f"{path} is incomplete: {error.strerror}") from error
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


class _Drawing:
    """A stream that shows the characters of tables in an encoding that lacks them."""

    def __init__(self, stream: TextIO, substitutes: Mapping[int, str]) -> None:
        self._stream = stream
        self._substitutes = substitutes

    def write(self, text: str) -> int:
        return self._stream.write(text.translate(self._substitutes))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def drawing(stream: TextIO | None) -> TextIO | None:
    """Return a stream for tables and trees; None where `stream` itself has all their characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    missing = {ord(each): text for each, text in _SUBSTITUTES.items() if not _has(encoding, each)}
    return cast("TextIO", _Drawing(stream, missing)) if stream is not None and missing else None


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _replacement(current: TextIO | None, original: TextIO | None) -> Output | None:
    if current is None or current is not original:
        return None
    return Output(current.fileno(), current.encoding)


def _escape(failure: UnicodeError) -> tuple[str, int]:
    if not isinstance(failure, UnicodeEncodeError):
        raise failure
    text = "".join(map(_escaped, failure.object[failure.start : failure.end]))
    return text, failure.end


def _escaped(character: str) -> str:
    if (code := ord(character)) < _BITS:
        return f"\\u{code:04x}"
    high, low = divmod(code - _BITS, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
