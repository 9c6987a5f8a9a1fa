"""Opens an input file as UTF-8, as it really comes: compressed with gzip, in UTF-16 or UTF-32, from a pipe.

What a file is, is decided by its first bytes, not by its name. A format that is not text is refused by its name.
"""

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from emulator.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PROBE_BYTES = 8
_LINE_END = re.compile(rb"\r|\n")
_CHUNK = 64 * 1024
_GZIP = b"\x1f\x8b"
_OTHER_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x04\x22\x4d\x18": "compressed with lz4",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "Parquet",
    b"%PDF": "PDF",
    b"SQLite ": "an SQLite database",
}
# The longest first: UTF-16's is the beginning of UTF-32's.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "",
}
# JSON and CSV begin with ASCII: the zeros of its first characters show the encoding where there is no mark.
_ZEROS = {b"x000": "utf-32-le", b"000x": "utf-32-be", b"x0x0": "utf-16-le", b"0x0x": "utf-16-be"}


class DamagedInputError(InputError):
    """A file ends too early or cannot be decoded; what was read before is valid."""


@dataclass(frozen=True, slots=True)
class TextInput:
    """An open input.

    Attributes:
        stream: UTF-8 without a byte order mark, in lines that end in a line feed. Its methods raise
            `DamagedInputError`.
        size: Bytes of `stream`; None where the number is unknown.
    """

    stream: BinaryIO
    size: int | None


@contextmanager
def open_text(path: Path | None) -> Iterator[TextInput]:
    """Open a file, a pipe, or standard input (None).

    Raises:
        InputError: It cannot be opened, or it is in a format that is not text. The message has the path.
    """
    if path is None:
        yield _decoded(sys.stdin.buffer, None, "standard input")
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    with file:
        size = file.seek(0, io.SEEK_END) if file.seekable() else None
        if size is not None:
            file.seek(0)
        yield _decoded(file, size, str(path))


def _decoded(source: BinaryIO, size: int | None, name: str) -> TextInput:
    source, start = _peek(source, name)
    if start.startswith(_GZIP):
        source, start = _peek(io.BufferedReader(_Unzipped(source, name)), name)
        size = None
    for magic, form in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise InputError(f"{name}: the data is {form}: convert it to plain text in UTF-8, or compress it with gzip")
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            source.read(len(mark))
            text = _recoded(source, encoding, name)
            return TextInput(_with_line_feeds(text), None if size is None or encoding else size - len(mark))
    encoding = _ZEROS.get(bytes(ord("x" if byte else "0") for byte in start[:4]), "")
    if not encoding and b"\0" in start:
        raise InputError(f"{name}: the data is not text")
    return TextInput(_with_line_feeds(_recoded(source, encoding, name)), None if encoding else size)


def _recoded(source: BinaryIO, encoding: str, name: str) -> BinaryIO:
    return io.BufferedReader(_Recoded(source, encoding, name)) if encoding else source


def _with_line_feeds(source: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_LineFeeds(source))


def _peek(source: BinaryIO, name: str) -> tuple[BinaryIO, bytes]:
    """Return a stream of the same bytes, and the first of them."""
    try:
        start = source.read(_PROBE_BYTES)
    except OSError as error:  # a directory opens on some systems
        raise InputError(f"{name}: {error.strerror}") from error
    return prefixed(start, source), start


def prefixed(start: bytes, rest: BinaryIO) -> BinaryIO:
    """Return a stream of `start` and then of `rest`."""
    return io.BufferedReader(_Prefixed(start, rest))


class _Raw(io.RawIOBase):
    """A raw stream that reads in chunks of any size."""

    def __init__(self) -> None:
        self._pending = b""

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes:
        """Return more bytes, at least one before the end."""
        raise NotImplementedError

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        if not self._pending:
            self._pending = self._next()
        chunk, self._pending = self._pending[: len(view)], self._pending[len(view) :]
        view[: len(chunk)] = chunk
        return len(chunk)


class _Prefixed(_Raw):
    def __init__(self, start: bytes, source: BinaryIO) -> None:
        super().__init__()
        self._pending = start
        self._source = source

    def _next(self) -> bytes:
        # `read1` returns what a pipe has, instead of waiting for a whole chunk.
        chunk: bytes = self._source.read1(_CHUNK)  # type: ignore[attr-defined]
        return chunk


class _LineFeeds(_Raw):
    """A text whose lines end in line feeds, also where they end in carriage returns: the first line decides."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._has_carriage_returns: bool | None = None

    def _next(self) -> bytes:
        # `read1` returns what a pipe has, instead of waiting for a whole chunk.
        chunk: bytes = self._source.read1(_CHUNK)  # type: ignore[attr-defined]
        if self._has_carriage_returns is None and (end := _LINE_END.search(chunk)):
            if end[0] == b"\r" and end.end() == len(chunk):  # a line feed may follow
                chunk += self._source.read(1)
            self._has_carriage_returns = end[0] == b"\r" and chunk[end.end() : end.end() + 1] != b"\n"
        return chunk.replace(b"\r", b"\n") if self._has_carriage_returns else chunk


class _Unzipped(_Raw):
    def __init__(self, source: BinaryIO, name: str) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=source, mode="rb")
        self._name = name

    def _next(self) -> bytes:
        try:
            return self._file.read1(_CHUNK)
        except EOFError:
            raise DamagedInputError(f"{self._name}: the gzip data ends too early") from None
        except (OSError, zlib.error) as error:
            raise DamagedInputError(f"{self._name}: the gzip data is damaged: {error}") from None


class _Recoded(_Raw):
    def __init__(self, source: BinaryIO, encoding: str, name: str) -> None:
        super().__init__()
        self._source = source
        self._encoding = encoding.upper()[:6]
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def _next(self) -> bytes:
        try:
            while chunk := self._source.read1(_CHUNK):  # type: ignore[attr-defined]
                if text := self._decoder.decode(chunk):
                    return text.encode("utf-8", "surrogatepass")
            return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise DamagedInputError(f"{self._name}: the text is not valid {self._encoding}: {error.reason}") from None
