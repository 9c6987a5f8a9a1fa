"""A small HTTP server on loopback that answers as it is told, and keeps what it was asked."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_STALLED_AT_MOST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent.

    Attributes:
        path: of the URL.
        headers: names in lower case.
        body: as it came.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets; a stalled one comes only when the server closes.

    Attributes:
        status: HTTP status.
        body: JSON, or bytes as they are.
        stalls: keep the client waiting.
        location: where a redirect leads to.
    """

    status: int = 200
    body: Any = b""
    stalls: bool = False
    location: str = ""


class Loopback:
    """The server; make one with `loopback`."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.requests: list[Request] = []
        self._closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            # HTTP/1.0: a connection for each request, so that nothing stays open behind the test.
            def do_POST(handler) -> None:  # noqa: N805 - http.server's name; self is the server here
                length = int(handler.headers["Content-Length"])
                headers = {name.lower(): value for name, value in handler.headers.items()}
                request = Request(handler.path, headers, handler.rfile.read(length))
                self.requests.append(request)
                reply = answer(request)
                if reply.stalls:
                    self._closing.wait(_STALLED_AT_MOST_SECONDS)
                    return
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                handler.send_response(reply.status)
                handler.send_header("Content-Length", str(len(body)))
                handler.send_header("Content-Type", "application/x-amz-json-1.0")
                if reply.location:
                    handler.send_header("Location", reply.location)
                handler.send_header("x-amzn-RequestId", "REQUEST-ID-OF-AWS")
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, format: str, *args: object) -> None:  # noqa: A002, N805
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving and let go of stalled clients."""
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def loopback(answer: Callable[[Request], Reply] = lambda _: Reply()) -> Iterator[Loopback]:
    """A server on 127.0.0.1.

    Args:
        answer: makes the reply to a request.
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
