"""The transport of the fast start and botocore's own do the same, whatever the peer does."""

import contextlib
import errno
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import lowercase_dict

from handler.coldstart.transport import Response, Transport

READ_TIMEOUT = 0.2
OK = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: A1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
CLOSE, RESET, STALL = "close", "reset", "stall"


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", end: bytes = b"\r\n") -> bytes:
    """Return a response without its body."""
    return end.join([status, *lines, b"", b""])


LENGTH = b"Content-Length: 2"
ANSWERS: dict[str, list[Any]] = {
    "one": [[OK]],
    "two over one connection": [[OK], [OK]],
    "one that ends the connection": [[head(LENGTH, b"Connection: Close") + b"{}", CLOSE], [OK]],
    "a connection that the peer closes later": [[OK, CLOSE], [OK]],
    "byte by byte": [[OK[i : i + 1] for i in range(len(OK))]],
    "an error": [[head(LENGTH, status=b"HTTP/1.1 400 Bad Request") + b"{}"], [OK]],
    "a status without a reason": [[head(LENGTH, status=b"HTTP/1.1 503") + b"{}"]],
    "a status that is no number": [[head(LENGTH, status=b"HTTP/1.1 2x0 OK") + b"{}", CLOSE]],
    "an unknown version": [[head(LENGTH, status=b"HTTP/3.0 200 OK") + b"{}", CLOSE]],
    "HTTP/1.0": [[head(LENGTH, status=b"HTTP/1.0 200 OK") + b"{}", CLOSE], [OK]],
    "HTTP/1.0, kept": [[head(LENGTH, b"Connection: keep-alive", status=b"HTTP/1.0 200 OK") + b"{}"], [OK]],
    "continue": [[head(status=b"HTTP/1.1 100 Continue") + OK], [OK]],
    "no content": [[head(status=b"HTTP/1.1 204 No Content")], [OK]],
    "not modified, with a length": [[head(LENGTH, status=b"HTTP/1.1 304 Not Modified")], [OK]],
    "an empty body": [[head(b"Content-Length: 0")], [OK]],
    "a body of two megabytes": [[head(b"Content-Length: 2000000") + b"x" * 2_000_000], [OK]],
    "a body of a hundred kilobytes": [[head(b"Content-Length: 100000"), b"x" * 100_000], [OK]],
    "chunks": [[head(b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"], [OK]],
    "chunks and a length": [[head(LENGTH, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"], [OK]],
    "broken chunks": [[head(b"Transfer-Encoding: chunked") + b"z\r\n", CLOSE]],
    "no length": [[head() + b"{}", CLOSE], [OK]],
    "compressed": [[head(LENGTH, b"Content-Encoding: gzip") + b"{}"], [OK]],
    "a length that is no number": [[head(b"Content-Length: 2x") + b"{}", CLOSE]],
    "a negative length": [[head(b"Content-Length: -2") + b"{}", CLOSE]],
    "a length twice": [[head(LENGTH, LENGTH) + b"{}", CLOSE]],
    "two lengths": [[head(LENGTH, b"Content-Length: 3") + b"{}", CLOSE]],
    "a length with blanks": [[head(b"Content-Length:\t2 ") + b"{}"], [OK]],
    "a header twice": [[head(LENGTH, b"X-A: 1", b"X-a: 2") + b"{}"], [OK]],
    "a folded header": [[head(b"X-A: 1\r\n  2", LENGTH) + b"{}"], [OK]],
    "a header with a blank before the colon": [[head(b"X-A : 1", LENGTH) + b"{}", CLOSE]],
    "a line that is no header": [[head(b"nothing", LENGTH) + b"{}", CLOSE]],
    "a header without a name": [[head(b": 1", LENGTH) + b"{}", CLOSE]],
    "a header without a value": [[head(b"X-A:", LENGTH) + b"{}"], [OK]],
    "a value with blanks at its end": [[head(b"X-A: 1 \t", LENGTH) + b"{}"], [OK]],
    "a value in Latin-1": [[head(b"X-A: \xe9", LENGTH) + b"{}"], [OK]],
    "a carriage return in a value": [[head(b"X-A: 1\r2", LENGTH) + b"{}", CLOSE]],
    "a line feed in a value": [[head(b"X-A: 1\nX-B: 2", LENGTH) + b"{}"], [OK]],
    "lines without carriage returns": [[head(LENGTH, end=b"\n") + b"{}"], [OK]],
    "many headers": [[head(LENGTH, *(b"X-%d: 1" % i for i in range(98))) + b"{}"], [OK]],
    "too many headers": [[head(LENGTH, *(b"X-%d: 1" % i for i in range(99))) + b"{}", CLOSE]],
    "a line that is too long": [[head(LENGTH, b"X-A: " + b"x" * 70_000) + b"{}", CLOSE]],
    "a head that is long": [[head(LENGTH, b"X-A: " + b"x" * 60_000, b"X-B: " + b"x" * 60_000) + b"{}"], [OK]],
    "no HTTP": [[b"\x15\x03\x01\x00\x02\x02\x28", CLOSE]],
    "nothing": [[CLOSE], [OK]],
    "a reset": [[RESET], [OK]],
    "the end within the status": [[b"HTTP/1.1 2", CLOSE], [OK]],
    "the end within the head": [[b"HTTP/1.1 200 OK\r\nContent-Len", CLOSE], [OK]],
    "the end within the body": [[OK[:-1], CLOSE], [OK]],
    "a reset within the body": [[OK[:-1], RESET], [OK]],
    "silence": [[STALL], [OK]],
    "silence within the head": [[b"HTTP/1.1 200 OK\r\nContent-Len", STALL], [OK]],
    "silence after a line without a carriage return": [[b"HTTP/1.1 200 OK\nContent-Length: 2\n\n", STALL], [OK]],
    "silence within the body": [[OK[:-1], STALL], [OK]],
}
"""What the peer does for each request: bytes that it sends, and how it ends the connection."""


class Peer:
    """A peer on loopback.

    Args:
        answers: For each request.
        context: For TLS.
    """

    def __init__(self, answers: Sequence[Sequence[Any]], context: ssl.SSLContext | None = None) -> None:
        self._answers = iter(answers)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.host = self.url.rpartition("//")[2].strip("/").encode()
        self.requests: list[tuple[int, bytes]] = []
        self.answered = threading.Semaphore(0)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connections and the thread."""
        for sock in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                connection = self._listener.accept()[0]
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                self.answered.release()
                continue
            except OSError:
                return
            number += 1
            self._connections.append(connection)
            with contextlib.suppress(OSError), connection:
                while self._answer(connection, number):
                    pass

    def _answer(self, connection: socket.socket, number: int) -> bool:
        """Read a request and answer it; return whether the connection goes on."""
        request = b""
        while b"\r\n\r\n" not in request or not request.endswith(b"{}"):
            chunk = connection.recv(1 << 16)
            if not chunk:
                return False
            request += chunk
        self.requests.append((number, request))
        try:
            return self._send(connection, next(self._answers))
        finally:
            self.answered.release()

    @staticmethod
    def _send(connection: socket.socket, steps: Sequence[Any]) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
                continue
            if step == STALL:
                while connection.recv(1 << 16):
                    pass
            if step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return False
        return True


class Exchanges(NamedTuple):
    """What came of some requests: responses or exceptions, and what the peer got over which connection."""

    results: list[Any]
    requests: list[tuple[int, bytes]]


def stock(**options: Any) -> URLLib3Session:
    """Return botocore's transport."""
    no_delay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    make: Any = URLLib3Session  # the type stubs know other types of its arguments
    session: URLLib3Session = make(
        **{"timeout": (5, READ_TIMEOUT), "proxies": {}, "socket_options": no_delay, **options}
    )
    return session


def ours(**options: Any) -> URLLib3Session:
    """Return the transport of the fast start."""
    return Transport(stock(**options))


def request(url: str, **headers: Any) -> AWSPreparedRequest:
    """Return a request as botocore prepares it."""
    sent = {"X-Amz-Target": b"DynamoDB_20120810.TransactWriteItems", "User-Agent": b"Botocore/1", **headers}
    all_headers: Any = HeadersDict({**sent, "Content-Length": "2"})
    return AWSPreparedRequest("POST", url, all_headers, b"{}", stream_output=False)


def send(session: URLLib3Session, prepared: AWSPreparedRequest) -> Any:
    """Return the status, the headers and the body of the response, or the class of the exception."""
    try:
        response = session.send(prepared)
    except BotoCoreError as error:
        return type(error).__name__
    return response.status_code, lowercase_dict(response.headers), response.content


def exchanges(
    make: Callable[..., URLLib3Session],
    answers: Sequence[Sequence[Any]],
    context: ssl.SSLContext | None = None,
    **options: Any,
) -> Exchanges:
    """Send a request for each answer, each after the peer is done with the one before."""
    with contextlib.closing(Peer(answers, context)) as peer, contextlib.closing(make(**options)) as session:
        results = []
        for _ in answers:
            results.append(send(session, request(peer.url)))
            assert peer.answered.acquire(timeout=20)
        return Exchanges(results, [(number, text.replace(peer.host, b"HOST")) for number, text in peer.requests])


@pytest.mark.parametrize("case", ANSWERS)
def test_both_transports_agree(case: str) -> None:
    assert exchanges(ours, ANSWERS[case]) == exchanges(stock, ANSWERS[case])


@pytest.mark.parametrize(
    "first",
    [
        [OK + b"HTTP/1.1 500 Late\r\n"],
        [OK + OK[: len(OK) // 2]],
        [OK, b"HTTP/1.1 500 Late\r\n"],
        [head(status=b"HTTP/1.1 102 Processing")],
        [head(b"Link: a", status=b"HTTP/1.1 103 Early Hints")],
    ],
    ids=["more than the response", "half of another response", "later bytes", "processing", "early hints"],
)
def test_what_may_still_come_answers_no_other_request(first: list[bytes]) -> None:
    """The transport of botocore uses most of these connections again."""
    assert [number for number, _ in exchanges(ours, [first, [OK]]).requests] == [1, 2]


def test_names_of_headers_are_not_kept_for_ever() -> None:
    responses = [[head(LENGTH, *(b"X-%d-%d: 1" % (n, i) for i in range(50))) + b"{}"] for n in range(3)]
    with contextlib.closing(Peer([*responses, [OK]])) as peer, contextlib.closing(Transport(stock())) as session:
        for _ in responses:
            session.send(request(peer.url))
        assert len(session._names) <= 64
        assert isinstance(session.send(request(peer.url)), Response), "it does not leave all others to urllib3"


def test_a_member_that_botocore_has_renamed_is_missed_at_the_start() -> None:
    session = stock()
    del vars(session)["_timeout"], vars(session)["_manager"]

    with pytest.raises(AttributeError, match="no _manager, _timeout"):
        Transport(session)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "text"},
        {"X-A": b"\xe9"},
        {"Expect": b"100-continue"},
        {"Accept-Encoding": b"gzip"},
        {"Host": b"a.b"},
        {"X-A": b"1\r\nX-B: 2"},
        {"X-A": b"1\n2"},
        {"X-A": b"1\r\n 2"},
        {"X A": b"1"},
        {"": b"1"},
        {"X-A": "\u2026"},  # as in a session token that was copied from a page
        {"X-A": 1},
        {"X-A": None},
        {"X-A": ["1"]},
    ],
    ids=str,
)
def test_both_transports_send_the_same(headers: dict[str, Any]) -> None:
    def sent(make: Callable[..., URLLib3Session]) -> Any:
        with contextlib.closing(Peer([[OK]])) as peer, contextlib.closing(make()) as session:
            result = send(session, request(peer.url, **headers))
            return result, [text.replace(peer.host, b"HOST") for _, text in peer.requests]

    assert sent(ours) == sent(stock)


def test_headers_are_found_in_any_case() -> None:
    with contextlib.closing(Peer([[OK]])) as peer, contextlib.closing(ours()) as session:
        headers = session.send(request(peer.url)).headers
    assert (headers["X-Amzn-RequestId"], headers.get("x-amzn-requestid"), headers.get("x-a")) == ("A1", "A1", None)
    assert "X-AMZN-REQUESTID" in headers
    assert "x-a" not in headers


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:PORT",
            "http://127.0.0.1:PORT/a/b/",
            "http://127.0.0.1:PORT/a?b=c",
            "http://LocalHost:PORT/",
        ),
        *(
            "http://localhost.:PORT/",
            "http://127.0.0.1:PORT//a",
            "http://127.0.0.1:PORT/a%20b/../c",
            "http://[::1]:PORT/",
        ),
        "http://user:word@127.0.0.1:PORT/",
    ],
)
def test_both_transports_request_the_same_url(url: str) -> None:
    def sent(make: Callable[..., URLLib3Session]) -> Any:
        with contextlib.closing(Peer([[OK]])) as peer, contextlib.closing(make()) as session:
            port = peer.url.rpartition(":")[2].strip("/")
            result = send(session, request(url.replace("PORT", port)))
            return result, [(n, text.replace(port.encode(), b"PORT")) for n, text in peer.requests]

    assert sent(ours) == sent(stock)


def test_both_transports_fail_to_connect_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    urls = (closed, "http://nowhere.invalid/", "https://127.0.0.1:1/")
    no_hosts = (f"http://{'a' * 64}.invalid/", "http://a..b/", "http://a:99999/", "http://a:b/", "http://a b/")
    for make in (ours, stock):
        assert {send(make(), request(url)) for url in urls} == {"EndpointConnectionError"}
        assert {send(make(), request(url)) for url in no_hosts} == {"HTTPClientError"}

    def never(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", never)
    assert [send(make(), request(closed)) for make in (ours, stock)] == ["ConnectTimeoutError"] * 2


class Never:
    """A socket whose peer takes no bytes."""

    def __init__(self, sock: socket.socket, error: OSError) -> None:
        self._sock = sock
        self._error = error

    def sendall(self, _data: bytes) -> None:
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, errno.EIO])
def test_both_transports_fail_to_send_alike(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(make: Callable[..., URLLib3Session]) -> Any:
        with (
            contextlib.closing(Peer([[OK]])) as peer,
            contextlib.closing(make()) as session,
            monkeypatch.context() as patched,
        ):
            patched.setattr("urllib3.util.connection.create_connection", connected)
            return send(session, request(peer.url))

    def connected(address: tuple[str, int], *_: Any, **__: Any) -> Any:
        return Never(socket.create_connection(address, READ_TIMEOUT), OSError(number, ""))

    assert sent(ours) == sent(stock)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Issues the certificate of the peer."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The peer's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CA bundle that trusts the peer."""
    path = tmp_path_factory.mktemp("tls") / "bundle.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


TLS_CASES = ("two over one connection", "a connection that the peer closes later", "chunks", "the end within the body")


@pytest.mark.parametrize("case", [*TLS_CASES, "silence within the body", "a reset"])
def test_both_transports_agree_over_tls(case: str, tls: ssl.SSLContext, bundle: str) -> None:
    assert exchanges(ours, ANSWERS[case], tls, verify=bundle) == exchanges(stock, ANSWERS[case], tls, verify=bundle)


def test_both_transports_refuse_a_peer_that_is_not_trusted(tls: ssl.SSLContext, tmp_path: Path) -> None:
    other, empty = tmp_path / "other.pem", tmp_path / "empty.pem"
    trustme.CA().cert_pem.write_to_path(other)
    empty.touch()
    for file in (other, empty):
        assert_refused(tls, str(file))


@pytest.mark.parametrize(
    ("host", "until"),
    [("127.0.0.2", 2999), ("localhost", 2999), ("127.0.0.1", 2020)],
    ids=["another address", "a name", "expired"],
)
def test_both_transports_refuse_a_certificate(authority: trustme.CA, bundle: str, host: str, until: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begin, end = datetime(2019, 1, 1, tzinfo=UTC), datetime(until, 1, 1, tzinfo=UTC)
    authority.issue_cert(host, not_before=begin, not_after=end).configure_cert(context)
    assert_refused(context, bundle)


def assert_refused(context: ssl.SSLContext, authorities: str) -> None:
    """Neither transport sends a request to a peer whose certificate is not the right one."""
    for make in (ours, stock):
        with contextlib.closing(Peer([[OK]], context)) as peer:
            assert send(make(verify=authorities), request(peer.url)) == "SSLError"
            assert peer.requests == []


def test_the_certificate_authorities_are_read_for_the_first_connection(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    """A file that is gone shows it; another peer is not trusted afterwards either."""
    file = tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(file)
    untrusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(untrusted)
    closing = [head(LENGTH, b"Connection: close") + b"{}"]

    with contextlib.closing(ours(verify=str(file))) as session, contextlib.closing(Peer([closing, [OK]], tls)) as peer:
        assert send(session, request(peer.url))[0] == 200
        file.unlink()
        assert send(session, request(peer.url))[0] == 200
        assert [number for number, _ in peer.requests] == [1, 2]
        with contextlib.closing(Peer([[OK]], untrusted)) as other:
            assert send(session, request(other.url)) == "SSLError"


def hang_up(listener: socket.socket) -> None:
    """Accept a connection and close it, after the first bytes: with bytes that nobody reads, it would be a reset."""
    connection = listener.accept()[0]
    connection.recv(1 << 16)
    connection.close()


def test_neither_transport_trusts_another_peer(bundle: str) -> None:
    def sent(make: Callable[..., URLLib3Session]) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=hang_up, args=[listener])
            thread.start()
            result = send(make(verify=bundle), request(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
            thread.join()
            return result

    assert sent(ours) == sent(stock)


def test_requests_to_a_proxy_are_left_to_botocore() -> None:
    with contextlib.closing(Peer([[OK]])) as proxy:
        session = ours(proxies={"http": proxy.url})
        assert send(session, request("http://dynamodb.us-east-1.amazonaws.com/"))[0] == 200
        assert proxy.requests[0][1].startswith(b"POST http://dynamodb.us-east-1.amazonaws.com/ HTTP/1.1\r\n")
