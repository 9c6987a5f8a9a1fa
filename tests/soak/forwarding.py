"""A real service behind the fake: calls are forwarded as they came."""

import http.client
import threading
from urllib.parse import urlsplit

_TIMEOUT_S = 30


class Upstream:
    """A service that runs already. Several threads may use it; each has a connection of its own.

    Args:
        url: Of the service.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._mine = threading.local()

    def post(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Hand a request on.

        Args:
            head: Its request line and headers.
            body: Its body.

        Returns:
            The reply's status and body.

        Raises:
            OSError: Nobody answers.
        """
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        for last in (False, True):  # a connection that was kept may have been closed meanwhile
            connection = self._connection(fresh=last)
            try:
                connection.request("POST", "/", body, headers)
                reply = connection.getresponse()
                return reply.status, reply.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if last:
                    raise ConnectionError(type(error).__name__) from error
        raise AssertionError("the second time returns or raises")

    def _connection(self, *, fresh: bool) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if kept is None or fresh:
            host, port = self._address.hostname or "127.0.0.1", self._address.port
            kept = self._mine.connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        return kept
