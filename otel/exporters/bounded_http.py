"""HTTP requests with one deadline for all of them, whatever the peer does: a transport adapter of `requests`.

The timeout of a socket applies to one read: a peer that sends single bytes never exceeds it. Here the connections of an
attempt are shut down at its deadline, which ends every read, including those of a TLS handshake.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from threading import Lock
from time import monotonic
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import Timeout, TooManyRedirects
from urllib3.exceptions import ConnectTimeoutError, HTTPError

MOST_BYTES = 65_536
"""Limit on the body of a response that is read: a longer one could exhaust the memory."""


class Attempt:
    """The requests and connections of one export.

    Args:
        deadline: Seconds on `time.monotonic`.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._aborted = False
        self._sockets: list[socket.socket] = []
        self._lock = Lock()

    def seconds_left(self) -> float:
        """Return the time until the deadline; 0 after it."""
        return 0.0 if self._aborted else max(0.0, self._deadline - monotonic())

    def watch(self, connection: socket.socket) -> bool:
        """Have `abort` shut down a socket; return whether the attempt still lasts.

        Args:
            connection: A duplicate of the connection's socket.
        """
        with self._lock:
            self._sockets.append(connection)
            return not self._aborted

    def abort(self) -> None:
        """End the attempt at once: shut down its connections and allow no more."""
        with self._lock:
            self._aborted = True
            for connection in self._sockets:
                with suppress(OSError):  # it is not connected any more
                    connection.shutdown(socket.SHUT_RDWR)


class BoundedAdapter(HTTPAdapter):
    """Sends requests within an attempt, one at a time."""

    def __init__(self) -> None:
        self._attempt = Attempt(0.0)
        self._connections: list[_Watched] = []
        super().__init__()

    def begin(self, attempt: Attempt) -> None:
        """Send the next requests within this attempt."""
        self._attempt = attempt
        for connection in self._connections:
            if connection.twin is not None:
                attempt.watch(connection.twin)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - this class decides how much to read
        timeout: Any = None,  # noqa: ARG002 - and how long to wait
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request.

        Raises:
            requests.exceptions.RequestException: The request failed; `Timeout` if the attempt is over.
        """
        left = self._attempt.seconds_left()
        if not left:
            raise Timeout("no time is left")
        try:
            response = super().send(request, True, left, verify, cert, proxies)
            if not self._attempt.seconds_left():
                # http.client takes a connection that ends within the headers for the end of the headers.
                response.close()
                raise Timeout("no time is left")
            _read_body(response)
            if 300 <= response.status_code < 400:
                # The next host would get `OTEL_EXPORTER_OTLP_HEADERS`, too, and the stock exporter takes a redirect
                # that is not followed for a success.
                raise TooManyRedirects("redirects are not followed")
        finally:
            self._forget_closed()
        return response

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the connection pool for a request, with connections that can be shut down."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Watched):
            pool.ConnectionCls = type("Watched", (_Watched, pool.ConnectionCls), {"adapter": self})
        return pool

    def close(self) -> None:
        """Close all connections, including those in use: a running attempt fails."""
        super().close()
        for connection in list(self._connections):
            connection.close()
        self._forget_closed()

    def connected(self, connection: "_Watched", new_socket: socket.socket) -> bool:
        """Register a new connection; return whether the attempt still lasts."""
        if connection.twin is not None:
            connection.twin.close()
        if connection not in self._connections:
            self._connections.append(connection)
        # What is in this buffer can still be read after a shutdown.
        new_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_BYTES)
        # During a handshake, TLS detaches the descriptor of the socket, but not of its duplicate.
        connection.twin = new_socket.dup()
        return self._attempt.watch(connection.twin)

    def _forget_closed(self) -> None:
        for connection in self._connections:
            if connection.sock is None and connection.twin is not None:
                connection.twin.close()
                connection.twin = None
        self._connections = [connection for connection in self._connections if connection.twin is not None]


class _Watched:
    """A connection of urllib3 whose socket can be shut down from another thread."""

    adapter: BoundedAdapter
    sock: socket.socket | None
    twin: socket.socket | None = None
    close: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        new_socket: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not self.adapter.connected(self, new_socket):
            new_socket.close()
            raise ConnectTimeoutError(self, "no time is left")
        return new_socket


def _read_body(response: Response) -> None:
    """Read the body so that the connection can be reused; the status is valid however the body ends."""
    body = b""
    try:
        body = response.raw.read(MOST_BYTES, decode_content=False)
    except (HTTPError, OSError):
        response.close()
    if len(body) >= MOST_BYTES:
        response.close()
    response.raw = BytesIO(body)
