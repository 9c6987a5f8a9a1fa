"""A small HTTP server on loopback with scripted responses; it records the requests."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emulator.http_server import LoopbackServer, QuietHandler

_STALLED_AT_MOST_SECONDS = 60
_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "REQUEST-ID-OF-AWS"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a client.

    Attributes:
        path: Of the URL.
        headers: Names in lower case.
        body: As it came.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; a stalled one is sent only when the server closes.

    Attributes:
        status: HTTP status.
        body: JSON, or bytes as they are.
        stalls: Keep the client waiting.
        location: Where a redirect leads to.
    """

    status: int = 200
    body: Any = b""
    stalls: bool = False
    location: str = ""


class Loopback:
    """The server; `loopback` creates one."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.requests: list[Request] = []
        self._closing = threading.Event()

        class Handler(QuietHandler):
            # HTTP/1.0: one connection per request, so that none is open after the test.
            def do_POST(handler) -> None:  # noqa: N805 - http.server's name; self is the server here
                headers = {name.lower(): value for name, value in handler.headers.items()}
                request = Request(handler.path, headers, handler.read_body())
                self.requests.append(request)
                reply = answer(request)
                if reply.stalls:
                    self._closing.wait(_STALLED_AT_MOST_SECONDS)
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                location = {"Location": reply.location} if reply.location else {}
                handler.respond(reply.status, body, {**_HEADERS, **location})

        self._server = LoopbackServer(Handler)

    @property
    def url(self) -> str:
        """The URL without a path."""
        return self._server.url

    def close(self) -> None:
        """Stop serving and release stalled clients."""
        self._closing.set()
        self._server.close()


@contextmanager
def loopback(answer: Callable[[Request], Reply] = lambda _: Reply()) -> Iterator[Loopback]:
    """A server on 127.0.0.1.

    Args:
        answer: Makes the reply to a request.
    """
    server = Loopback(answer)
    try:
        yield server
    finally:
        server.close()


def refused_url() -> str:
    """A URL that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
