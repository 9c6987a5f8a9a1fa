"""Standard output as Lambda reads it: whole lines, in order, straight to the file descriptor."""

import os
from collections.abc import Callable

Write = Callable[[bytes], None]
"""Writes bytes, or raises OSError."""

STDOUT = 1


def file_descriptor(fd: int) -> Write:
    """A writer to an open file descriptor; nothing is buffered, so nothing is lost when the sandbox freezes."""
    torn = False

    def write(data: bytes) -> None:
        nonlocal torn
        if torn:  # the last line broke off half-way: what follows must not be glued to it
            data = b"\n" + data
        rest = data
        try:
            while rest:  # a pipe may take less than it is given
                rest = rest[os.write(fd, rest) :]
        finally:
            torn = bool(rest) and (torn or len(rest) < len(data))

    return write
