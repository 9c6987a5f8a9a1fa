"""HTTP requests with one deadline for all of them, whatever the peer does: on urllib3, which botocore has loaded.

The timeout of a socket applies to one read: a peer that sends single bytes never exceeds it. Here the connections of an
attempt are shut down at its deadline, which ends every read, including those of a TLS handshake.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ProtocolError
from urllib3.poolmanager import PoolManager
from urllib3.response import BaseHTTPResponse

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


class BoundedHttp:
    """Posts to one URL, one request at a time, each within an attempt.

    Args:
        url: Of the requests; a user and a password in it are not sent.
        authorities: File or directory of the certificates that the peer's is verified with.
        client_certificate: File of the certificate that the peer asks for, with its key or beside it; empty for none.
        client_key: File of that key; empty for none.
    """

    def __init__(self, url: str, authorities: str, client_certificate: str = "", client_key: str = "") -> None:
        self._attempt = Attempt(0.0)
        self._connections: list[_Watched] = []
        is_directory = os.path.isdir(authorities)
        options: dict[str, Any] = {
            "cert_reqs": "CERT_REQUIRED",
            "ca_cert_dir" if is_directory else "ca_certs": authorities,
            "cert_file": client_certificate or None,
            "key_file": client_key or None,
        }
        proxy = _proxy_manager(url, options)
        self._manager = proxy or PoolManager(**options)
        self._manager.pool_classes_by_scheme = {
            "http": self._pool(HTTPConnectionPool, HTTPConnection),
            "https": self._pool(HTTPSConnectionPool, HTTPSConnection),
        }
        if proxy is None:  # the manager would look for the pool again at each request
            self._urlopen: Callable[..., BaseHTTPResponse] = self._manager.connection_from_url(url).urlopen
            self._target = f"/{url.split('/', 3)[3]}" if url.count("/") > 2 else "/"
        else:
            self._urlopen, self._target = proxy.urlopen, url

    def post(self, body: bytes, headers: Mapping[str, str], attempt: Attempt) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the response. Redirects are not followed.

        A request that fails on a connection that the peer has closed is sent again.

        Raises:
            urllib3.exceptions.HTTPError: There is no response within the attempt.
        """
        self._attempt = attempt
        for connection in self._connections:
            if connection.twin is not None:
                attempt.watch(connection.twin)
        try:
            try:
                return self._post(body, headers)
            except ProtocolError:
                return self._post(body, headers)
        finally:
            self._forget_closed()

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        left = self._attempt.seconds_left()
        if not left:
            raise _no_time()
        response = self._urlopen(
            "POST",
            self._target,
            body=body,
            headers=headers,
            timeout=left,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        if not self._attempt.seconds_left():
            # http.client takes a connection that ends within the headers for the end of the headers.
            response.close()
            raise _no_time()
        return response.status, _read_body(response)

    def close(self) -> None:
        """Close all connections, including those in use: a running attempt fails."""
        self._manager.clear()
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

    def _pool(self, pool: type[HTTPConnectionPool], connection: type[HTTPConnection]) -> type[HTTPConnectionPool]:
        watched = type("Watched", (_Watched, connection), {"client": self})
        return type("WatchedPool", (pool,), {"ConnectionCls": watched})

    def _forget_closed(self) -> None:
        for connection in self._connections:
            if connection.sock is None and connection.twin is not None:
                connection.twin.close()
                connection.twin = None
        self._connections = [connection for connection in self._connections if connection.twin is not None]


class _Watched:
    """A connection of urllib3 whose socket can be shut down from another thread."""

    client: BoundedHttp
    sock: socket.socket | None
    twin: socket.socket | None = None
    close: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        new_socket: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not self.client.connected(self, new_socket):
            new_socket.close()
            raise _no_time()
        return new_socket


def _no_time() -> HTTPError:
    return ConnectTimeoutError("no time is left")


def _proxy_manager(url: str, options: Mapping[str, Any]) -> PoolManager | None:
    """Return the connections through the proxy that the environment names for a URL; None without one."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.parse import unquote, urlsplit

    from botocore.utils import get_environ_proxies
    from urllib3.poolmanager import ProxyManager
    from urllib3.util import make_headers

    proxies: Mapping[str, str] = get_environ_proxies(url)
    proxy = proxies.get(urlsplit(url).scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    user = urlsplit(proxy).netloc.rpartition("@")[0]
    return ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=unquote(user) or None), **options)


def _read_body(response: BaseHTTPResponse) -> bytes:
    """Read the body, also so that the connection can be reused; the status is valid however the body ends."""
    body = b""
    try:
        body = response.read(MOST_BYTES)
    except (HTTPError, OSError):
        response.close()
    if len(body) >= MOST_BYTES:
        response.close()
    return body
