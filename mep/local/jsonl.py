"""Reads events from JSON lines: one event a line, in bounded memory, never stopped by a bad line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from mep.errors import UsageError

# Lambda takes no larger payload. Longer lines are skipped over without being held in memory.
MAX_EVENT_BYTES = 6 * 1024 * 1024
_STORED_CHARS_OF_LONG_LINE = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line that is JSON.

    Attributes:
        number: Its line number, from 1.
        payload: The JSON text as it stood there, without the white space around it.
        size: Bytes that the line took in its file.
    """

    number: int
    payload: bytes
    size: int


@dataclass(frozen=True, slots=True)
class RejectedLine:
    r"""A line that cannot be an event, because it is not JSON.

    Attributes:
        number: Its line number, from 1.
        reason: What is wrong with it, never quoting it.
        text: The line; bytes that are not UTF-8 stand as `\xNN`.
        size: Bytes that the line took in its file.
    """

    number: int
    reason: str
    text: str
    size: int


@contextmanager
def open_events(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file of events; None for standard input.

    Raises:
        UsageError: It cannot be read.
    """
    if path is None:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read events from {path}: {error.strerror}") from error
    with stream:
        yield stream


def stream_size(stream: BinaryIO) -> int | None:
    """Return the bytes that a stream has; None where nobody knows."""
    if stream is sys.stdin.buffer or not stream.seekable():
        return None
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def read_lines(stream: BinaryIO) -> Iterator[EventLine | RejectedLine]:
    """Yield every line of `stream` that is not blank.

    JSON is meant strictly (RFC 8259, in UTF-8): `NaN` and `Infinity`, which Python would read, are not JSON. Any
    JSON value counts, not only objects. A byte order mark at the start of the file is skipped.
    """
    number = 0
    while raw := stream.readline(MAX_EVENT_BYTES + 1):
        number += 1
        size = len(raw)
        if size > MAX_EVENT_BYTES and not raw.endswith(b"\n"):
            kept = raw[:_STORED_CHARS_OF_LONG_LINE].decode(errors="backslashreplace")
            while (rest := stream.readline(MAX_EVENT_BYTES)) and not rest.endswith(b"\n"):
                size += len(rest)
            yield RejectedLine(number, f"longer than an event can be ({MAX_EVENT_BYTES} bytes)", kept, size + len(rest))
            continue
        text = (raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw).strip(b" \t\r\n")
        if not text:
            continue
        reason = json_error(text)
        if reason is None:
            yield EventLine(number, text, size)
        else:
            yield RejectedLine(number, reason, text.decode(errors="backslashreplace"), size)


def json_error(text: bytes) -> str | None:
    """Return why `text` is not JSON, or None when it is."""
    try:
        # Numbers are only looked at, not converted: Python refuses to convert very long ones.
        json.loads(text.decode(), parse_constant=_refuse, parse_int=len, parse_float=len)
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte 0x{text[error.start]:02x} at byte {error.start + 1})"
    except json.JSONDecodeError as error:
        # Some of its messages end with the word already.
        return f"{error.msg.removesuffix(' at')} at column {error.colno}"
    except _NotANumberError as error:
        return f"{error} is not JSON"
    except RecursionError:
        return "nested too deeply to be read"
    return None


class _NotANumberError(ValueError):
    pass


def _refuse(name: str) -> NoReturn:
    raise _NotANumberError(name)
