"""Reads events from JSON Lines, from JSON documents over several lines, or from an array of events."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from emulator.text_input import DamagedInputError, prefixed
from mep.local.jsonl import MAX_EVENT_BYTES, EventLine, RejectedLine, json_error, read_lines, stored_text

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(rb"[{}\[\]]")
_DECODER = json.JSONDecoder(parse_int=len, parse_float=len)
_SEPARATOR = re.compile(r"[\s,]*(?=\S)")
_BLANKS = b" \t\r\n"
_REST = "; the rest of the array is not read"
_CUT = "the JSON that starts here ends too early"


@dataclass(frozen=True, slots=True)
class Note:
    """What the user should know about the form of the input."""

    text: str


class _Form(Enum):
    LINES = ""
    DOCUMENTS = "the events are JSON documents over several lines; each document is one event"
    ARRAY = "the events are a JSON array; each element is one event"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Lines whose brackets are balanced: a document, or elements of an array.

    Attributes:
        number: The number of the first line.
        text: The lines.
        problem: Why they are not JSON; empty if they may be.
        closes: Whether the array ends here.
    """

    number: int
    text: bytes
    problem: str = ""
    closes: bool = False


def read_events(stream: BinaryIO) -> Iterator[EventLine | RejectedLine | Note]:
    """Yield the events of `stream`, and what is not an event.

    The input is JSON Lines, unless its first line is the beginning of a JSON document that ends on a later line. Then
    it is such documents one after another, or the elements of one array.
    """
    form, first, stream = _detect(stream)
    if form is _Form.LINES:
        if first in {b"{", b"["}:
            yield Note("the events begin like a JSON document over several lines, which is not valid")
        yield from _lines(stream)
        return
    yield Note(form.value)
    lines = enumerate(iter(lambda: stream.readline(MAX_EVENT_BYTES), b""), 1)
    for chunk in _chunks(lines, is_array=form is _Form.ARRAY):
        yield from _events(chunk, is_array=form is _Form.ARRAY)


def _lines(stream: BinaryIO) -> Iterator[EventLine | RejectedLine | Note]:
    lines = read_lines(stream)
    first = next(lines, None)
    if isinstance(first, EventLine) and re.match(rb"\[\s*\{", first.payload):
        yield Note(f"line {first.number} is a JSON array and one event: for an event per element, use `jq -c '.[]'`")
    if first is not None:
        yield first
        yield from lines


def _detect(stream: BinaryIO) -> tuple[_Form, bytes, BinaryIO]:
    """Return the form of the input, its first line, and a stream of the whole input."""
    read = bytearray()

    def lines() -> Iterator[tuple[int, bytes]]:
        number = 0
        while len(read) <= MAX_EVENT_BYTES and (line := stream.readline(MAX_EVENT_BYTES)):
            number += 1
            is_object = line[:1] == b"{" and line.strip() != b"{}" and json_error(line.strip()) is None
            read.extend(line)
            if is_object and first.startswith(b"{"):
                return  # JSON Lines whose first line is invalid
            yield number, line

    first = b""
    form = _Form.LINES
    try:
        numbered = lines()
        number, line = next(((number, line) for number, line in numbered if line.strip()), (0, b""))
        first = line.strip()
        if first.startswith((b"{", b"[")) and json_error(first) is not None:
            is_array = first.startswith(b"[")
            chunk = next(_chunks(itertools.chain([(number, line)], numbered), is_array=is_array), None)
            if chunk is None or _is_document(chunk, numbered, is_array=is_array):
                form = _Form.ARRAY if is_array else _Form.DOCUMENTS
    except DamagedInputError:
        pass  # it is reported where the input is read
    return form, first, prefixed(bytes(read), stream)


def _is_document(chunk: _Chunk, following: Iterator[tuple[int, bytes]], *, is_array: bool) -> bool:
    """Return whether the first chunk of an input is what it seems to be, and not an invalid line."""
    if any(isinstance(event, RejectedLine) for event in _events(chunk, is_array=is_array)):
        return False
    if not is_array or chunk.closes or chunk.text.rstrip().endswith(b","):
        return True
    return next((line.strip() for _, line in following if line.strip()), b"").startswith((b",", b"]"))


def _chunks(lines: Iterable[tuple[int, bytes]], *, is_array: bool) -> Iterator[_Chunk]:
    """Yield the lines in chunks; after an invalid one, go on at a line that can be the beginning of a document."""
    text, begin, number, depth = b"", 0, 0, 0
    opened, closed, skipping = not is_array, False, False
    try:
        for number, line in lines:
            if skipping and (is_array or not line.startswith(b"{")):
                continue
            skipping = False
            if not opened and line.strip():
                opened = True
                line = line.replace(b"[", b" ", 1)  # noqa: PLW2901 - the rest of the line is the first element
            if not text and not line.strip(b", \t\r\n"):
                continue
            begin, text = (begin, text + line) if text else (number, line)
            strings_removed = _STRINGS.sub(b"", line)
            depth += sum(1 if bracket in b"{[" else -1 for bracket in _BRACKETS.findall(strings_removed))
            problem = _problem(number, text, strings_removed, closed=closed)
            if problem or depth <= 0:
                skipping = bool(problem)
                problem += _REST if problem and is_array else ""
                yield _Chunk(begin, text, problem, closes=is_array and depth < 0)
                closed = closed or (is_array and depth < 0)
                text, depth = b"", 0
    except DamagedInputError as error:
        yield _Chunk(begin if text else number + 1, text, str(error))
        return
    if text or (is_array and not closed and not skipping):
        yield _Chunk(begin, text, _CUT) if text else _Chunk(number, b"", "the array has no end")


def _problem(number: int, text: bytes, strings_removed: bytes, *, closed: bool) -> str:
    if closed:
        return "the array has ended"
    if len(text) > MAX_EVENT_BYTES:
        return f"longer than {MAX_EVENT_BYTES} bytes"
    return f"line {number} has a string without an end" if b'"' in strings_removed else ""


def _events(chunk: _Chunk, *, is_array: bool) -> list[EventLine | RejectedLine]:
    """Return the events of a chunk; one rejected line if it is not JSON."""
    size = len(chunk.text)
    text = chunk.text.strip(_BLANKS)
    if is_array and not chunk.problem:
        text = (text.removesuffix(b"]") if chunk.closes else text).strip(_BLANKS + b",")
        if not text:
            return []
    reason = chunk.problem or json_error(b"[" + text + b"]" if is_array else text)
    if reason:
        return [RejectedLine(chunk.number, reason, stored_text(text), size)]
    if not is_array:
        return [EventLine(chunk.number, text, size)]
    events: list[EventLine | RejectedLine] = []
    decoded, end = text.decode(), 0
    while match := _SEPARATOR.match(decoded, end):
        start = match.end()
        _, end = _DECODER.raw_decode(decoded, start)
        number = chunk.number + decoded.count("\n", 0, start)
        events.append(EventLine(number, decoded[start:end].encode(), 0 if events else size))
    return events
