"""The transport of a client: requests and responses in their usual form, over one connection that is kept.

botocore's transport makes some fifty objects of urllib3, `http.client` and the parser of e-mails for each request: a
third of a call. Here, the bytes of a request are joined, and the head of a response is split. Whatever is unusual is
left to botocore's transport, or to urllib3 where the response has begun already: a proxy, other headers or URLs than
the services have, chunked or malformed responses. Timeouts, certificates, the use of a connection after a response, and
exceptions are botocore's.
"""

import errno
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from botocore import exceptions as boto
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection, AWSPreparedRequest
from botocore.httpsession import URLLib3Session, get_cert_path
from urllib3 import exceptions as http
from urllib3.util import parse_url
from urllib3.util.ssl_match_hostname import CertificateError

from handler.coldstart.authorities import read_once

_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_PATH = _HOST | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ~/")
"""Characters of URLs that are sent as they are. Not regular expressions, whose compilation a start would pay for."""

_LEFT_TO_URLLIB3 = frozenset({"accept-encoding", "expect", "host", "transfer-encoding"})
"""Headers of a request that change how urllib3 sends it."""

_SENT_ANYWAY = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})
"""Errors with which a peer may end a connection after its response; urllib3 then reads on, too."""

_CHUNK = 1 << 16
_MOST_HEAD = 1 << 16
_MOST_BODY = 1 << 20
_MOST_HEADERS = 99
"""Limits of a response that is read here; `http.client` has the same ones for the head, and raises. It counts a hundred
lines with the blank one."""

_WITHOUT_BODY = frozenset({204, 304})


class _Destination:
    """Where the requests to a URL go.

    Args:
        scheme: Of the connection.
        host: Of the connection.
        port: Of the connection.
        head: The lines that begin each request.
    """

    __slots__ = ("head", "host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int, head: bytes) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.head = head


class Response:
    """A response, with the members of `AWSResponse` that botocore reads."""

    def __init__(self, url: str, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.url = url
        self.status_code = status
        self.headers = headers
        self.content = content


class Transport(URLLib3Session):
    """Sends the requests of one client.

    Args:
        session: botocore's transport of the client, whose settings and connections this one has.
    """

    # Members of the base class, which its type stubs leave out.
    _cert_file: Any
    _key_file: Any
    _manager: Any
    _proxy_config: Any
    _socket_options: Any
    _timeout: Any
    _verify: Any

    def __init__(self, session: URLLib3Session) -> None:
        vars(self).update(vars(session))
        missing = Transport.__annotations__.keys() - vars(self).keys()
        if missing:  # at the start, and so in the image's build: each event would fail with it
            raise AttributeError(f"botocore's transport has no {', '.join(sorted(missing))}")
        self._destinations: dict[str, _Destination | None] = {}
        self._names: dict[str, tuple[str, bytes] | None] = {}
        self._idle: dict[_Destination, Any] = {}

    def send(self, request: Any) -> Any:
        """Send a request and return its response, whatever its status.

        Raises:
            HTTPClientError: As botocore's transport raises it.
        """
        try:
            destination = self._destination(request.url)
            message = destination and self._message(request, destination)
        except (TypeError, ValueError):  # what urllib3 refuses as well, and for which botocore has an exception
            destination = message = None
        if not destination or not message:
            return super().send(request)
        connection = self._take(destination)
        try:
            if connection.is_closed:
                connection.connect()
            response, reusable = self._exchange(connection, request, message)
        except Exception as error:
            connection.close()
            raise _translated(error, request) from error
        if reusable:
            self._idle[destination] = connection
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Close the connections; the next request opens another."""
        while self._idle:
            self._idle.popitem()[1].close()
        super().close()

    def _destination(self, url: str) -> _Destination | None:
        """Return where to send requests to a URL; None where it is not plainly written."""
        if url not in self._destinations:
            if len(self._destinations) >= 16:
                self.close()
                self._destinations.clear()
            self._destinations[url] = self._read(url)
        return self._destinations[url]

    def _read(self, url: str) -> _Destination | None:
        parts = parse_url(url)
        scheme, host, path = parts.scheme, parts.host or "", parts.path or ""
        plain = host and _HOST.issuperset(host) and _PATH.issuperset(path) and parts.url == url and parts.auth is None
        if (
            not plain
            or "//" in path
            or scheme not in {"http", "https"}
            or parts.query is not None
            or parts.fragment is not None
        ):
            return None
        if self._proxy_config.proxy_url_for(url) is not None:
            return None
        default = 443 if scheme == "https" else 80
        port = parts.port or default
        name = host.rstrip(".") if port == default else f"{host.rstrip('.')}:{port}"
        head = f"POST {path or '/'} HTTP/1.1\r\nHost: {name}\r\nAccept-Encoding: identity\r\n"
        return _Destination(scheme, host, port, head.encode())

    def _message(self, request: AWSPreparedRequest, destination: _Destination) -> bytes | None:
        """Return the bytes of a request as urllib3 sends them; None where it has more to decide."""
        body = request.body
        if request.method != "POST" or request.stream_output or type(body) is not bytes:
            return None
        parts, seen = [destination.head], set()
        headers: Any = request.headers  # values are bytes, which the type stubs do not know
        for name, value in headers.items():
            known = self._name(name)
            if known is None:
                return None
            seen.add(known[0])
            parts += (known[1], value if type(value) is bytes else str.encode(value, "latin-1"), b"\r\n")
        parts.append(b"\r\n")
        head = b"".join(parts)
        lines = len(seen) + 4
        if not seen >= {"content-length", "user-agent"} or head.count(b"\n") != lines or head.count(b"\r") != lines:
            return None
        return head + body

    def _name(self, name: str) -> tuple[str, bytes] | None:
        """Return a header's name in lower case and as it begins the header's line; None for a special one."""
        if name not in self._names:
            if len(self._names) >= 64:  # of a peer whose headers have other names in each response
                self._names.clear()
            lower = name.lower()
            # The parser of e-mails takes visible ASCII but the colon.
            legal = name and name.isascii() and name.isprintable() and " " not in name and ":" not in name
            special = not legal or lower in _LEFT_TO_URLLIB3
            self._names[name] = None if special else (lower, f"{name}: ".encode())
        return self._names[name]

    def _take(self, destination: _Destination) -> Any:
        """Return a connection: one that is kept, if the peer has not closed it, or a new one."""
        connection = self._idle.pop(destination, None)
        if connection is not None:
            if connection.is_connected:
                return connection
            connection.close()
        options = {"timeout": self._timeout.connect_timeout, "socket_options": self._socket_options}
        if destination.scheme == "http":
            return AWSHTTPConnection(destination.host, destination.port, **options)
        context = self._manager.connection_pool_kw["ssl_context"]
        read_once(context)
        return AWSHTTPSConnection(
            destination.host,
            destination.port,
            ssl_context=context,
            cert_reqs="CERT_REQUIRED" if self._verify else "CERT_NONE",
            ca_certs=get_cert_path(self._verify) if self._verify else None,
            cert_file=self._cert_file,
            key_file=self._key_file,
            **options,
        )

    def _exchange(self, connection: Any, request: AWSPreparedRequest, message: bytes) -> tuple[Any, bool]:
        """Send a request, and return its response and whether the connection can take another one."""
        sock = connection.sock
        sock.settimeout(self._timeout.connect_timeout)
        try:
            sock.sendall(message)
        except TimeoutError as error:
            raise http.ProtocolError("Connection aborted.", error) from error
        except OSError as error:
            if error.errno not in _SENT_ANYWAY:
                raise
        sock.settimeout(self._timeout.read_timeout)
        received, end = b"", -1
        while end < 0:
            chunk = sock.recv(_CHUNK)
            received += chunk
            end = received.find(b"\r\n\r\n")
            if end < 0 and (not chunk or len(received) > _MOST_HEAD or b"\n\n" in received or b"\n\r\n" in received):
                return self._left_to_urllib3(connection, request, received)
        head = self._head(received[:end]) if end <= _MOST_HEAD else None
        if head is None:
            return self._left_to_urllib3(connection, request, received)
        status, headers, length = head
        start = end + 4
        while len(received) < start + length:
            chunk = sock.recv(_CHUNK)
            if not chunk:
                return self._left_to_urllib3(connection, request, received)
            received += chunk
        content = received[start : start + length]
        # Bytes after the response belong to nothing that was asked: what follows them must not answer another request.
        reusable = len(received) == start + length and "close" not in headers.get("connection", "").lower()
        return Response(request.url, status, headers, content), reusable

    def _head(self, text: bytes) -> tuple[int, Mapping[str, str], int] | None:
        """Return the status, the headers and the length of a response; None where they are not plainly written."""
        if not text.isascii():
            return None
        first, *lines = text.decode().split("\r\n")
        status = first[9:12]
        if not first.startswith("HTTP/1.1 ") or not status.isdecimal() or first[12:13] not in {"", " "}:
            return None
        headers = Headers()
        for line in lines:
            name, colon, value = line.partition(":")
            known = colon and self._name(name)
            if not known:
                return None
            dict.__setitem__(headers, known[0], value.lstrip(" \t"))
        length = headers.get("content-length", "")
        ends = len(lines)
        plain = text.count(b"\n") == text.count(b"\r") == ends == len(headers) and ends <= _MOST_HEADERS
        code = int(status)
        if not plain or not length.isdecimal() or int(length) > _MOST_BODY or code < 200 or code in _WITHOUT_BODY:
            return None
        return code, headers, int(length)

    def _left_to_urllib3(self, connection: Any, request: AWSPreparedRequest, received: bytes) -> tuple[Any, bool]:
        from handler.coldstart.other_responses import read_by_urllib3  # most sandboxes never need it

        return read_by_urllib3(connection, request, received, self._timeout.read_timeout)


class Headers(dict[str, str]):
    """Headers of a response, by their names in any case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header, or the default."""
        return super().get(name.lower(), default)


def _translated(error: Exception, request: AWSPreparedRequest) -> Exception:
    """Return botocore's exception for one of urllib3 or of a socket."""
    url = request.url
    if isinstance(error, ssl.SSLError | http.SSLError | CertificateError):
        return boto.SSLError(endpoint_url=url, error=error)
    if isinstance(error, http.NewConnectionError):
        return boto.EndpointConnectionError(endpoint_url=url, error=error)
    if isinstance(error, http.ConnectTimeoutError):
        return boto.ConnectTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, TimeoutError | http.ReadTimeoutError):
        return boto.ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, OSError | HTTPException | http.ProtocolError):
        return boto.ConnectionClosedError(error=error, request=request, endpoint_url=url)
    return boto.HTTPClientError(error=error)
