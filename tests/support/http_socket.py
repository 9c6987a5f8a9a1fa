"""HTTP on real sockets, as low as a fault needs it: one request read, one reply written, or anything but that."""

import socket
import struct
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, parse_headers
from threading import Event
from typing import Any, BinaryIO

import orjson

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_UPSTREAM_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire.

    Attributes:
        method: of HTTP.
        path: with the query.
        headers: by lower-case name.
        body: all of it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The AWS operation, `TransactWriteItems` for example; empty for what is not AWS JSON."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply; `Content-Length` is added when it is written.

    Attributes:
        status: of HTTP.
        body: all of it.
        headers: the others.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        """What comes before the body."""
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join((f"HTTP/1.1 {self.status} x", *lines, f"Content-Length: {len(self.body)}\r\n\r\n")).encode()


def read_request(stream: BinaryIO) -> Request | None:
    """Read the next request of a connection; None at its end.

    Raises:
        ValueError: not a request, or one without `Content-Length` where a body follows.
    """
    line = stream.readline(65536)
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    if "transfer-encoding" in headers:
        raise ValueError("a body in chunks is not understood")
    return Request(method, path, headers, stream.read(int(headers.get("content-length", 0))))


class Exchange:
    """One request and what becomes of it.

    Attributes:
        request: what the client sent.
        over: whether the connection ends here.
    """

    def __init__(self, client: socket.socket, request: Request, upstream: tuple[str, int], closing_down: Event) -> None:
        self.request = request
        self.over = False
        self._client = client
        self._upstream = upstream
        self._closing_down = closing_down

    def forward(self) -> Reply:
        """Pass the request on and return the whole reply: what it asked for has happened then."""
        headers = {name: value for name, value in self.request.headers.items() if name not in _HOP_BY_HOP}
        with closing(HTTPConnection(*self._upstream, timeout=_UPSTREAM_SECONDS)) as connection:
            try:
                connection.request(self.request.method, self.request.path, self.request.body, headers)
                response = connection.getresponse()
                kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
                return Reply(response.status, response.read(), kept)
            except (OSError, HTTPException) as error:
                return Reply(502, f"upstream of the fault proxy: {error!r}".encode())

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._client.sendall(data)

    def reply(self, reply: Reply) -> None:
        """Send a whole reply to the client."""
        self.write(reply.head + reply.body)

    def hang_up(self) -> None:
        """End the connection the friendly way, with FIN."""
        self.over = True

    def reset(self) -> None:
        """End the connection with RST: the client's next read fails with `Connection reset by peer`."""
        # To linger for no time makes close() throw away what is unsent and send RST.
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True

    def wait_for_client_to_leave(self, seconds: float | None) -> None:
        """Wait until the client closes the connection, the proxy closes, or the time is up."""
        self._client.settimeout(seconds)
        with suppress(OSError):  # reset by the client, or the time is up
            self._client.recv(1)
        self.over = True

    def pause(self, seconds: float) -> bool:
        """Wait; return False at once when the proxy closes."""
        self.over = self._closing_down.wait(seconds)
        return not self.over
