"""Searches a run's JSON Lines files.

The files may be large and few lines have what is searched for: each file is searched for its bytes, and only the lines
with them are parsed.
"""

import os
from collections.abc import Iterator
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import orjson


def values(folder: Path, name: str, text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of the lines of a file that contain `text`; an empty text is in every line."""
    for _, value in positioned_values(folder, name, text):
        yield value


def positioned_values(folder: Path, name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects as `values` does, each with the position of its line in the file.

    A file that cannot be read has no lines.
    """
    try:
        file = (folder / f"{name}.jsonl").open("rb")
    except OSError:
        return
    with file:
        if os.fstat(file.fileno()).st_size:
            yield from _objects(file, text.encode())


def _objects(file: BufferedReader, needle: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        position = data.find(needle)
        while 0 <= position < len(data):
            start = data.rfind(b"\n", 0, position) + 1
            end = data.find(b"\n", position)
            end = len(data) if end < 0 else end
            try:
                value = orjson.loads(data[start:end])
            except orjson.JSONDecodeError:
                value = None  # the last line of an aborted run
            if isinstance(value, dict):
                yield start, value
            position = data.find(needle, end + 1)
