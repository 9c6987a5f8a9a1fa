"""What looks like a container's Runtime Interface Emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread

from emulator.http_server import QuietHandler


@contextmanager
def emulator(status: int, body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP server that answers as told; yields its URL and what it was sent."""
    sent: list[bytes] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            assert self.path == "/2015-03-31/functions/function/invocations"
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sent
        finally:
            server.shutdown()
            thread.join()
