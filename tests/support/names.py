"""Names whose resolution hangs."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class SlowNames:
    """A name that nobody answers for until `answer`; then it is this machine's.

    Attributes:
        asked: How often its address was asked for.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._go_on = threading.Event()

    def answer(self) -> None:
        """Let the resolution go on."""
        self._go_on.set()

    def wait(self) -> None:
        """Hang."""
        self.asked += 1
        self._go_on.wait(20)


@contextmanager
def slow_names(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[SlowNames]:
    """Have the resolution of a name hang."""
    names, resolve = SlowNames(), socket.getaddrinfo

    def hangs(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == name and not kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            names.wait()
            host = "127.0.0.1"
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    yield names
    names.answer()
