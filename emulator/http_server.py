"""HTTP servers on loopback: a free port, a thread that serves, and an end that leaves neither behind."""

import sys
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread
from typing import Any, Self, override

_POLL_SECONDS = 0.02


class QuietHandler(BaseHTTPRequestHandler):
    """A request handler that logs nothing and survives a client that disappears."""

    disable_nagle_algorithm = True  # else head and body wait for each other's acknowledgement: 40 ms

    @override
    def handle(self) -> None:
        # A process that is killed leaves its connection in any state. Its owner reports the exit, not this server.
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: standard error belongs to the program that uses the server."""

    def read_body(self) -> bytes:
        """Read the request's body; shorter than `Content-Length` where the client died while it sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response.

        Args:
            status: The HTTP status.
            body: The body; its length is sent with it.
            headers: The headers except `Content-Length`.
        """
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Report a defect of a handler on one line, without its message, which may quote a request."""
        del request, client_address
        error = sys.exception()
        if error is None or isinstance(error, ConnectionError):  # the client has left
            return
        place = traceback.extract_tb(error.__traceback__)[-1]
        sys.stderr.write(f"{type(error).__name__} at {place.filename}:{place.lineno} while a request was answered\n")


class LoopbackServer:
    """An HTTP server on a free port of 127.0.0.1 that serves in a thread of its own; a context manager.

    Args:
        handler: Handles the requests, each connection in a thread.
        name: The name of the serving thread.
        tls: Serves HTTPS with this context; None for HTTP.
        join_connections: Whether `close` waits until every connection has ended. A client may keep one open for as
            long as it likes.
        attributes: Class attributes of the handler for this server only: what its requests share.
    """

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        *,
        name: str = "http-server",
        tls: SSLContext | None = None,
        join_connections: bool = False,
        **attributes: Any,
    ) -> None:
        bound = type(f"Bound{handler.__name__}", (handler,), attributes) if attributes else handler
        self._server = _Server(("127.0.0.1", 0), bound)
        self._server.daemon_threads = not join_connections
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(
                self._server.socket,
                server_side=True,
                do_handshake_on_connect=False,  # in the connection's own thread: a broken one must not stop the server
            )
        self._thread = Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name=name)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._server.server_port

    @property
    def address(self) -> str:
        """Host and port, `127.0.0.1:12345`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"{self._scheme}://{self.address}"

    def close(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
