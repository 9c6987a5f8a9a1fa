"""HTTP requests with a deadline for all of them together, whatever the peer does: a transport adapter of `requests`.

A socket's time-out is for one read: a peer that sends a byte from time to time never meets it. Here the connections of
an attempt are shut down when its time is over, which ends every read, a TLS handshake included.
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
"""Of a response's body: what is longer is not read, since it could fill the memory."""


class Attempt:
    """What is done until one deadline."""

    def __init__(self, deadline: float) -> None:
        """Begin.

        Args:
            deadline: on `time.monotonic`, seconds.
        """
        self._deadline = deadline
        self._aborted = False
        self._sockets: list[socket.socket] = []
        self._lock = Lock()

    def seconds_left(self) -> float:
        """Until the deadline; 0 when it is over."""
        return 0.0 if self._aborted else max(0.0, self._deadline - monotonic())

    def watch(self, connection: socket.socket) -> bool:
        """Have a socket shut down by `abort`; return whether there is time left for it.

        Args:
            connection: another descriptor of a connection.
        """
        with self._lock:
            self._sockets.append(connection)
            return not self._aborted

    def abort(self) -> None:
        """End the attempt at once: all its connections are shut down, and no more are made."""
        with self._lock:
            self._aborted = True
            for connection in self._sockets:
                with suppress(OSError):  # it is not connected any more
                    connection.shutdown(socket.SHUT_RDWR)


class BoundedAdapter(HTTPAdapter):
    """Sends requests as long as an attempt lasts, one at a time."""

    def __init__(self) -> None:
        self._attempt = Attempt(0.0)
        self._connections: list[_Watched] = []
        super().__init__()

    def begin(self, attempt: Attempt) -> None:
        """Send what follows within this attempt."""
        self._attempt = attempt
        for connection in self._connections:
            if connection.twin is not None:
                attempt.watch(connection.twin)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - how much is read is decided here
        timeout: Any = None,  # noqa: ARG002 - and how long
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request; the arguments are the interface's.

        Raises:
            requests.exceptions.RequestException: it failed; `Timeout` when the attempt is over.
        """
        left = self._attempt.seconds_left()
        if not left:
            raise Timeout("no time is left")
        try:
            response = super().send(request, True, left, verify, cert, proxies)
            if not self._attempt.seconds_left():
                # http.client takes the end of a connection in the middle of the headers for the end of the headers.
                response.close()
                raise Timeout("no time is left")
            _read_body(response)
            if 300 <= response.status_code < 400:
                # The next host would get the headers of `OTEL_EXPORTER_OTLP_HEADERS` as well. And the stock exporter
                # takes a redirect that is not followed for a success.
                raise TooManyRedirects("redirects are not followed")
        finally:
            self._forget_closed()
        return response

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool for a request, its connections watched; the arguments are the interface's."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Watched):
            pool.ConnectionCls = type("Watched", (_Watched, pool.ConnectionCls), {"adapter": self})
        return pool

    def close(self) -> None:
        """Close all connections, those that are in use too: an attempt that is under way fails."""
        super().close()
        for connection in list(self._connections):
            connection.close()
        self._forget_closed()

    def connected(self, connection: "_Watched", made: socket.socket) -> bool:
        """Take note of a new connection; return whether there is time left for it."""
        if connection.twin is not None:
            connection.twin.close()
        if connection not in self._connections:
            self._connections.append(connection)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_BYTES)  # what waits here can be read after a shutdown
        # TLS takes the descriptor away from this object while it shakes hands, but not from its twin.
        connection.twin = made.dup()
        return self._attempt.watch(connection.twin)

    def _forget_closed(self) -> None:
        for connection in self._connections:
            if connection.sock is None and connection.twin is not None:
                connection.twin.close()
                connection.twin = None
        self._connections = [connection for connection in self._connections if connection.twin is not None]


class _Watched:
    """A connection of urllib3's whose socket can be shut down from another thread."""

    adapter: BoundedAdapter
    sock: socket.socket | None
    twin: socket.socket | None = None
    close: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not self.adapter.connected(self, made):
            made.close()
            raise ConnectTimeoutError(self, "no time is left")
        return made


def _read_body(response: Response) -> None:
    """Read what the connection needs to be used again; what the status says is true however the body ends."""
    body = b""
    try:
        body = response.raw.read(MOST_BYTES, decode_content=False)
    except (HTTPError, OSError):
        response.close()
    if len(body) >= MOST_BYTES:
        response.close()
    response.raw = BytesIO(body)
