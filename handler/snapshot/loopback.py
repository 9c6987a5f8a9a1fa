"""Answers the requests of the priming events: a server of this process on loopback, for the time of the priming."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

_HOST = "127.0.0.1"
_CREDENTIALS = {
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "Token": "example",
    "Expiration": "9999-12-31T23:59:59Z",
    "AccountId": "000000000000",  # AWS_ACCOUNT_ID_ENDPOINT_MODE may require one
}
"""The example of AWS's documentation, as a container endpoint responds: requests that go nowhere are signed with it."""

_OTLP = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Loopback:
    """A server that answers one request a connection, and a UDP socket that reads nothing.

    Attributes:
        url: Of the server.
        daemon: Host and port of the UDP socket, for spans.
        replies: Responses to the next calls of AWS, in order: a status and a JSON object.
    """

    def __init__(self) -> None:
        self.replies: list[tuple[int, dict[str, Any]]] = []
        self._listener = socket.create_server((_HOST, 0))
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((_HOST, 0))
        self.url = f"http://{_HOST}:{self._listener.getsockname()[1]}"
        self.daemon: tuple[str, int] = self._datagrams.getsockname()
        self._thread = Thread(target=self._serve, name="priming", daemon=True)
        self._thread.start()

    def redirect(self, request: Any, **_: Any) -> None:
        """Send a request here: a handler of botocore's `before-send` event."""
        request.url = self.url

    def close(self) -> None:
        """Close the sockets, and wait until the thread has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        self._listener.close()
        self._datagrams.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:  # closed
                return
            with connection, suppress(OSError, IndexError):  # closed, or a request that no reply is left for
                connection.settimeout(10)
                connection.sendall(self._answer(_read(connection)))

    def _answer(self, head: bytes) -> bytes:
        if b"application/x-protobuf" in head:
            return _OTLP
        status, content = (200, _CREDENTIALS) if head.startswith(b"get ") else self.replies.pop(0)
        body = json.dumps(content).encode()
        lines = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}",
            "Server: Server",
            "Date: Tue, 03 Feb 2026 21:05:00 GMT",
            "Content-Type: application/x-amz-json-1.0",
            f"Content-Length: {len(body)}",
            "Connection: close",
            "x-amzn-RequestId: PRIMING",
        )
        return "\r\n".join((*lines, "", "")).encode() + body


def _read(connection: socket.socket) -> bytes:
    """Read a request; return its head in lower case."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    head = head.lower()
    length = int((head + b"\r\n").partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += _receive(connection)
    return head


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionResetError
    return received


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Serve inside the block."""
    server = Loopback()
    try:
        yield server
    finally:
        server.close()
