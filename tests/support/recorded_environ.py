"""The function with a record of the environment variables that its process reads, for a process of its own.

`RECORDED_VARIABLES` is the path of a file; after every event it has the names that were read, one a line.
"""

import os
from collections.abc import ItemsView
from pathlib import Path
from typing import Any

_read: set[str] = set()


class RecordedEnviron(os._Environ[str]):
    """The environment; whoever goes through all of it asks for no variable."""

    def __getitem__(self, key: str) -> str:
        _read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        _read.add(str(key))
        return super().__contains__(key)

    def items(self) -> ItemsView[str, str]:
        """Return the variables without a record."""
        get = super().__getitem__
        return {name: get(name) for name in self}.items()


os.environ.__class__ = RecordedEnviron

from tests.support.wrapping_handlers import without_waits  # noqa: E402 - the function starts while this is imported


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Handle an event, and write what was read so far."""
    try:
        return without_waits(event, context)
    finally:
        Path(os.environ["RECORDED_VARIABLES"]).write_text("\n".join(sorted(_read)), encoding="utf-8")
