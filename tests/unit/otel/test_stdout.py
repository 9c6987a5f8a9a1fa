"""The writer to standard output, on real pipes and files that really fail."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from otel.stdout import fd_writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        with contextlib.suppress(OSError):  # the test may have closed it
            os.close(fd)


def drain(reader: int) -> bytes:
    """Return the content of a pipe."""
    os.set_blocking(reader, False)
    found = bytearray()
    while True:
        try:
            piece = os.read(reader, 1 << 16)
        except BlockingIOError:
            return bytes(found)
        if not piece:
            return bytes(found)
        found += piece


def test_lines_are_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    write = fd_writer(writer)

    for number in range(5):
        write(b"line %d\n" % number)

    assert drain(reader) == b"line 0\nline 1\nline 2\nline 3\nline 4\n"


def test_an_empty_write(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    fd_writer(writer)(b"")

    assert drain(reader) == b""


def test_a_line_larger_than_the_pipe_is_written_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    line = b"x" * 300_000 + b"\n"
    found = bytearray()

    def read() -> None:
        while not found.endswith(b"\n"):
            found.extend(os.read(reader, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    fd_writer(writer)(line)
    thread.join()

    assert bytes(found) == line


def test_a_full_disk_is_an_oserror() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the number decides
            fd_writer(fd)(b"line\n")
    finally:
        os.close(fd)

    assert raised.value.errno == errno.ENOSPC


def test_a_closed_reader_is_an_oserror(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)

    with pytest.raises(BrokenPipeError):
        fd_writer(writer)(b"line\n")


def test_the_next_line_starts_after_a_partial_one(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    write = fd_writer(writer)
    line = b"t" * 500_000 + b"\n"  # more than the pipe holds

    with pytest.raises(BlockingIOError):
        write(line)
    fragment = drain(reader)
    write(b"next\n")
    write(b"and next\n")

    assert 0 < len(fragment) < len(line)
    assert drain(reader) == b"\nnext\nand next\n"


def test_a_partial_line_before_a_full_pipe(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    write = fd_writer(writer)
    with pytest.raises(BlockingIOError):
        write(b"t" * 500_000 + b"\n")
    for _ in range(3):  # still full: no byte is written
        with pytest.raises(BlockingIOError):
            write(b"lost\n")
    fragment = drain(reader)
    write(b"next\n")

    lines = (fragment + drain(reader)).split(b"\n")
    assert lines == [b"t" * len(fragment), b"next", b""]


def test_a_line_that_was_not_written_at_all(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    write = fd_writer(writer)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"f" * 4096)
    with pytest.raises(BlockingIOError):
        write(b"lost\n")
    drain(reader)
    write(b"next\n")

    assert drain(reader) == b"next\n"
