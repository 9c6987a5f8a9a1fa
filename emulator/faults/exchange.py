"""HTTP on a bare socket: one request is read, and one response, a part of one or none is written."""

import socket
import struct
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, parse_headers
from threading import Event
from typing import Any, BinaryIO, override

import orjson

_HOP_BY_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_UPSTREAM_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received.

    Attributes:
        method: The HTTP method.
        path: The path with the query.
        headers: The headers by lower-case name.
        body: The whole body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The AWS operation, such as `TransactWriteItems`; empty for other protocols than AWS JSON."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response.

    Attributes:
        status: The HTTP status.
        body: The whole body.
        headers: The headers except `Content-Length`, which is written with the body.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        """The status line and the headers."""
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join((f"HTTP/1.1 {self.status} x", *lines, f"Content-Length: {len(self.body)}\r\n\r\n")).encode()

    def __bytes__(self) -> bytes:
        """Return the response as it is sent."""
        return self.head + self.body


def read_request(stream: BinaryIO) -> Request | None:
    """Read the next request of a connection; None at its end.

    Raises:
        ValueError: It is not a request, or its body has no `Content-Length`.
    """
    line = stream.readline(65536)
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    if "transfer-encoding" in headers:
        raise ValueError("a chunked body is not supported")
    return Request(method, path, headers, stream.read(int(headers.get("content-length", 0))))


class Exchange:
    """One request and how it is answered.

    Args:
        client: The client's connection.
        request: The request that was read from it.
        upstream: Host and port of the service.
        closing_down: Set when the proxy closes.

    Attributes:
        over: Whether the connection ends after this exchange.
    """

    def __init__(self, client: socket.socket, request: Request, upstream: tuple[str, int], closing_down: Event) -> None:
        self.request = request
        self.over = False
        self._client = client
        self._upstream = upstream
        self._closing_down = closing_down

    def forward(self) -> Reply:
        """Send the request to the service and return its whole response; 502 where the service does not answer.

        Every request has a connection of its own: on a reused one, a closed connection looks like a lost response.
        """
        headers = {name: value for name, value in self.request.headers.items() if name not in _HOP_BY_HOP_HEADERS}
        with closing(HTTPConnection(*self._upstream, timeout=_UPSTREAM_TIMEOUT_S)) as connection:
            try:
                connection.request(self.request.method, self.request.path, self.request.body, headers)
                response = connection.getresponse()
                end_to_end = {
                    name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP_HEADERS
                }
                return Reply(response.status, response.read(), end_to_end)
            except (OSError, HTTPException) as error:
                return Reply(502, f"upstream of the fault proxy: {error!r}".encode())

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._client.sendall(data)

    def reply(self, reply: Reply) -> None:
        """Send a whole response to the client."""
        self.write(bytes(reply))

    def hang_up(self) -> None:
        """Close the connection with FIN."""
        self.over = True

    def reset(self) -> None:
        """Close the connection with RST: the client's next read fails with `Connection reset by peer`."""
        # A linger time of zero makes close() discard unsent data and send RST.
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True

    def wait_for_client_to_leave(self, seconds: float | None) -> None:
        """Wait until the client closes the connection, the proxy closes, or the time is over."""
        self._client.settimeout(seconds)
        with suppress(OSError):  # reset by the client, or a timeout
            self._client.recv(1)
        self.over = True

    def pause(self, seconds: float) -> bool:
        """Wait; return False at once when the proxy closes."""
        self.over = self._closing_down.wait(seconds)
        return not self.over

    def without_client(self) -> "Exchange":
        """Return the same exchange for faults that must not reach the client: what they send is discarded."""
        return _ClientlessExchange(self._client, self.request, self._upstream, self._closing_down)


class _ClientlessExchange(Exchange):
    @override
    def write(self, data: bytes) -> None:
        pass

    @override
    def hang_up(self) -> None:
        pass

    @override
    def reset(self) -> None:
        pass
