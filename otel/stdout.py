"""Standard output as Lambda reads it: whole lines of JSON, in order, straight to the file descriptor."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

Writer = Callable[[bytes], None]
"""Writes bytes, or raises OSError."""

STDOUT = 1

_DEEPEST = 8
"""Levels of a line that had to be repaired; those that this package makes have three."""


def encode(line: Mapping[str, Any], option: int) -> bytes:
    """Return a JSON object as one line. Never raises: what JSON or UTF-8 cannot carry is replaced.

    Args:
        line: What to write; keys and values of any kind.
        option: Of orjson, besides the line's end.
    """
    option |= orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(line, option=option)
    except Exception:  # noqa: BLE001 - what it raises depends on what is in the line
        return orjson.dumps(_plain(line, _DEEPEST), option=option)


def _plain(value: Any, levels: int) -> Any:
    """Replace half a character by `?`, and what is no JSON by the name of its type: it may hold a secret."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case None | bool() | float() | datetime():
            return value
        case int() if -(1 << 63) <= value < 1 << 64:
            return value
        case Mapping() if levels:
            return {str(_plain(key, 0)): _plain(item, levels - 1) for key, item in value.items()}
        case list() | tuple() if levels:
            return [_plain(item, levels - 1) for item in value]
        case _:
            return type(value).__name__


def fd_writer(fd: int) -> Writer:
    """A writer to an open file descriptor; nothing is buffered, so nothing is lost when the sandbox freezes."""
    partial_line = False

    def write(data: bytes) -> None:
        nonlocal partial_line
        if partial_line:  # the last line broke off half-way: what follows must not be glued to it
            data = b"\n" + data
        rest = data
        try:
            while rest:  # a pipe may take less than it is given
                rest = rest[os.write(fd, rest) :]
        finally:
            partial_line = bool(rest) and (partial_line or len(rest) < len(data))

    return write
