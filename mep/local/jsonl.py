"""Reads JSON Lines; events are read in bounded memory, and an invalid line does not end the run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import orjson

from emulator.text_input import DamagedInputError

# The maximum payload of an invocation. Longer lines are skipped without being held in memory.
MAX_EVENT_BYTES = 6 * 1024 * 1024
_STORED_CHARS_OF_LONG_LINE = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line that is JSON.

    Attributes:
        number: Its line number, from 1.
        payload: The JSON text, without the white space around it.
        size: Bytes of the line in its file.
    """

    number: int
    payload: bytes
    size: int


@dataclass(frozen=True, slots=True)
class RejectedLine:
    r"""A line that is not JSON.

    Attributes:
        number: Its line number, from 1.
        reason: Why it is not JSON, without a quotation of it.
        text: The line; bytes that are not UTF-8 are written as `\xNN`.
        size: Bytes of the line in its file.
    """

    number: int
    reason: str
    text: str
    size: int


def read_lines(stream: BinaryIO) -> Iterator[EventLine | RejectedLine]:
    """Yield every line of `stream` that is not blank.

    JSON is parsed strictly (RFC 8259, in UTF-8): `NaN` and `Infinity`, which Python accepts, are not JSON. Any JSON
    value is an event, not only an object. A byte order mark at the start of the file is skipped. Damaged data is the
    last line, and is rejected.
    """
    number = 0
    try:
        for line in _lines(stream):
            number = line.number
            yield line
    except DamagedInputError as error:
        yield RejectedLine(number + 1, str(error), "", 0)


def _lines(stream: BinaryIO) -> Iterator[EventLine | RejectedLine]:
    number = 0
    while raw := stream.readline(MAX_EVENT_BYTES + 1):
        number += 1
        size = len(raw)
        if size > MAX_EVENT_BYTES and not raw.endswith(b"\n"):
            start = stored_text(raw)
            while (rest := stream.readline(MAX_EVENT_BYTES)) and not rest.endswith(b"\n"):
                size += len(rest)
            yield RejectedLine(number, f"longer than {MAX_EVENT_BYTES} bytes", start, size + len(rest))
            continue
        text = (raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw).strip(b" \t\r\n")
        if not text:
            continue
        reason = json_error(text)
        if reason is None:
            yield EventLine(number, text, size)
        else:
            yield RejectedLine(number, reason, text.decode(errors="backslashreplace"), size)


def stored_text(text: bytes) -> str:
    """Return the start of a text that is too long to be stored whole."""
    return text[:_STORED_CHARS_OF_LONG_LINE].decode(errors="backslashreplace")


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the values of a JSON Lines file."""
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def json_error(text: bytes) -> str | None:
    """Return why `text` is not JSON; None if it is."""
    try:
        # `len` instead of a conversion: Python does not convert very long numbers.
        json.loads(text.decode(), parse_constant=_refuse, parse_int=len, parse_float=len)
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte 0x{text[error.start]:02x} at byte {error.start + 1})"
    except json.JSONDecodeError as error:
        # Some messages end in "at".
        return f"{error.msg.removesuffix(' at')} at column {error.colno}"
    except _NotANumberError as error:
        return f"{error} is not JSON"
    except RecursionError:
        return "nested too deeply"
    return None


class _NotANumberError(ValueError):
    pass


def _refuse(name: str) -> NoReturn:
    raise _NotANumberError(name)
