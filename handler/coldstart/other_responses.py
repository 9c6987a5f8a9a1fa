"""Responses that `handler.coldstart.transport` does not read: urllib3 does, from their beginning.

Imported by the first such response.
"""

import io
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSPreparedRequest, AWSResponse


def read_by_urllib3(
    connection: Any, request: AWSPreparedRequest, received: bytes, read_timeout: float
) -> tuple[AWSResponse, bool]:
    """Return a response, and whether the connection can take another request.

    urllib3 sends a request to a connection that discards it and gives this response.

    Args:
        connection: The request was sent over it.
        request: The request.
        received: What was received already.
        read_timeout: Seconds.

    Raises:
        Exception: Of urllib3, `http.client` or the socket.
    """
    begun = AWSHTTPConnection(connection.host, connection.port)
    begun.sock = _Begun(connection.sock, received)
    begun.timeout = read_timeout
    begun.request(request.method, "/", preload_content=False, decode_content=False)
    raw = begun.getresponse()
    headers: Any = raw.headers
    response = AWSResponse(request.url, raw.status, headers, raw)
    assert response.content is not None  # noqa: S101 - this reads it
    # `http.client` takes an informational response other than 100 for the final one, which still comes: it must not
    # answer another request.
    return response, raw.status >= 200 and begun.sock is not None


class _Begun:
    """A socket from which some bytes have been received already, and to which the request has been sent.

    Args:
        sock: The socket.
        received: The bytes.
    """

    def __init__(self, sock: Any, received: bytes) -> None:
        self._sock = sock
        self._received = received
        self.settimeout = sock.settimeout

    def sendall(self, data: bytes) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the response has yet to be read."""

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a file that begins with the bytes that were received."""
        return io.BufferedReader(_File(self._sock, self._received))


class _File(io.RawIOBase):
    def __init__(self, sock: Any, received: bytes) -> None:
        self._sock = sock
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._received:
            return int(self._sock.recv_into(buffer))
        part = self._received[: len(buffer)]
        self._received = self._received[len(part) :]
        buffer[: len(part)] = part
        return len(part)
