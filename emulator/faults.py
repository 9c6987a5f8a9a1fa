"""A DynamoDB that throttles: a small HTTP front that refuses the first writes and passes the rest through."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from emulator.environment import REGION
from emulator.http_server import QuietHandler

# Type, message, the member with the reasons (spelled as in each error's model), and the reason.
_REFUSALS = (
    (
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
        "ThrottlingReasons",
        "TableWriteProvisionedThroughputExceeded",
    ),
    (
        "com.amazon.coral.availability#ThrottlingException",
        "Rate exceeded",
        "throttlingReasons",
        "TableWriteKeyRangeThroughputExceeded",
    ),
)
_TABLES = f"arn:aws:dynamodb:{REGION}:000000000000:table/"
_WRITE = "DynamoDB_20120810.TransactWriteItems"
# They are about one connection, and this front has its own on either side.
_HOP_BY_HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "date", "server"}


class _ProxyHandler(QuietHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream: str
    refusals: list[tuple[str, str, str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("X-Amz-Target") == _WRITE and self.refusals:
            self._refuse(body, *self.refusals.pop(0))
        else:
            self._forward(body)

    def _refuse(self, request: bytes, error_type: str, message: str, member: str, reason: str) -> None:
        (action,) = json.loads(request)["TransactItems"][0].values()
        reasons = [{"reason": reason, "resource": f"{_TABLES}{action['TableName']}"}]
        body = json.dumps({"__type": error_type, "message": message, member: reasons}).encode()
        self._reply(HTTPStatus.BAD_REQUEST, [("Content-Type", "application/x-amz-json-1.0")], body)

    def _forward(self, body: bytes) -> None:
        with closing(http.client.HTTPConnection(self.upstream, timeout=30)) as connection:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            self._reply(response.status, response.getheaders(), response.read())

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def throttling_proxy(url: str, times: int) -> Iterator[str]:
    """Run a front of the DynamoDB at `url` that answers the first `times` transactions as a throttled table does.

    Both of DynamoDB's words for it take turns. Everything else passes through unchanged.

    Yields:
        The front's own URL.
    """
    refusals = [_REFUSALS[number % len(_REFUSALS)] for number in range(times)]
    front = type("_BoundFront", (_ProxyHandler,), {"upstream": urlsplit(url).netloc, "refusals": refusals})
    with ThreadingHTTPServer(("127.0.0.1", 0), front) as server:
        # Not joined: a client may keep its connection open for as long as it likes.
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,), name="throttle")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
