"""A fake of Lambda's Runtime Interface Emulator."""

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.environment import INVOCATION_PATH
from emulator.http_server import LoopbackServer, QuietHandler


@contextmanager
def emulator(status: int, body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP server that answers every invocation alike; yields its URL and the payloads that it received."""
    payloads: list[bytes] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            assert self.path == INVOCATION_PATH
            payloads.append(self.read_body())
            self.respond(status, body)

    with LoopbackServer(Handler) as server:
        yield server.url, payloads
