"""Standard output for Lambda: whole lines of JSON, in order, written directly to the file descriptor."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

Writer = Callable[[bytes], None]
"""Writes bytes, or raises OSError."""

STDOUT = 1

_DEEPEST = 8
"""Limit on the nesting of a line that must be repaired; lines of this package have three levels."""


def encode(line: Mapping[str, Any], option: int) -> bytes:
    """Return a JSON object as one line. Never raises: what JSON or UTF-8 cannot represent is replaced.

    Args:
        line: Keys and values of any type.
        option: Options of orjson, besides the one for the newline.
    """
    option |= orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(line, option=option)
    except Exception:  # noqa: BLE001 - the exception depends on the values
        return orjson.dumps(_plain(line, _DEEPEST), option=option)


def _plain(value: Any, levels: int) -> Any:
    """Replace lone surrogates by `?`, and what is not JSON by the name of its type: it may hold a secret."""
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
    """Return a writer to an open file descriptor; it does not buffer, so that a freeze of the sandbox loses nothing."""
    partial_line = False

    def write(data: bytes) -> None:
        nonlocal partial_line
        if partial_line:  # the last line was not written completely: start a new one
            data = b"\n" + data
        rest = data
        try:
            while rest:  # a pipe may take only a part
                rest = rest[os.write(fd, rest) :]
        finally:
            partial_line = bool(rest) and (partial_line or len(rest) < len(data))

    return write
