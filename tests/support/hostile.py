"""Servers that do whatever keeps a client waiting, on real sockets.

    with peer(drip(HEAD)) as hostile:
        ...            # talk to hostile.url
        assert not hostile.gave_up

A connection is handled by the next behaviour of the list, and by the last one when there are no more.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from threading import Event, Lock, Thread

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TLS_RECORD = b"\x16\x03\x03\x40\x00"
"""The head of a handshake message of 16 KiB."""

type Behaviour = Callable[["Connection"], None]


class Connection:
    """One client's connection.

    Attributes:
        sent: Bytes, so far.
        url: Of the server.
    """

    def __init__(self, client: socket.socket, server: "Peer") -> None:
        self._client = client
        self._server = server
        self.sent = 0
        self.url = server.url

    def read_request(self) -> bytes:
        """Read a whole request; return its body, or nothing where the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._received()
        head, _, body = data.partition(b"\r\n\r\n")
        fields = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
        length = int(next((value for name, _, value in fields if name == b"content-length"), b"0"))
        while len(body) < length:
            body += self._received()
        return body

    def _received(self) -> bytes:
        data = self._client.recv(65536)
        if not data:
            raise ConnectionError("the client has gone")
        return data

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._client.sendall(data)
        self.sent += len(data)

    def wait(self, seconds: float | None = None) -> None:
        """Wait: so many seconds, or until the client has gone or the test is over."""
        self._server.wait(seconds)

    def wait_for_the_end(self) -> None:
        """Wait until the client has gone, or the test is over."""
        while self._client.recv(65536):
            pass


class Peer:
    """The server; make one with `peer`.

    Attributes:
        url: Without a path.
        address: Host and port.
        bodies: Of the requests that were answered well.
        sent: Bytes to all clients.
        gave_up: Whether a client was waited for in vain, for a minute.
    """

    def __init__(self, behaviours: tuple[Behaviour, ...], scheme: str) -> None:
        self._behaviours = list(behaviours)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = Event()
        self._lock = Lock()
        self._clients: list[socket.socket] = []
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"{scheme}://127.0.0.1:{self.address[1]}"
        self.bodies: list[bytes] = []
        self.sent = 0
        self.gave_up = False
        self._threads = [Thread(target=self._accept, name="peer")]
        self._threads[0].start()

    def wait(self, seconds: float | None) -> None:
        """Wait, but not longer than the test.

        Raises:
            ConnectionError: It is over.
        """
        if self._closing.wait(PATIENCE if seconds is None else seconds):
            raise ConnectionError("the test is over")
        if seconds is None:
            self.gave_up = True

    def close(self) -> None:
        """End all connections and wait for every thread."""
        self._closing.set()
        with suppress(OSError), closing(socket.create_connection(self.address)):
            pass  # wakes the accepting thread
        self._threads[0].join()
        with self._lock:
            for client in self._clients:
                with suppress(OSError), client:
                    client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing.is_set():
                client.close()
                return
            with self._lock:
                self._clients.append(client.dup())  # its own may be handed over to TLS
            behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            thread = Thread(target=self._serve, args=(client, behaviour), name="peer-connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, behaviour: Behaviour) -> None:
        connection = Connection(client, self)
        client.settimeout(PATIENCE)
        try:
            with suppress(ConnectionError), client:
                behaviour(connection)
        except TimeoutError:
            self.gave_up = True
        finally:
            self.sent += connection.sent


PATIENCE = 60.0
"""Seconds that a client is kept waiting at most: a test that waits for it fails, and does not hang."""


@contextmanager
def peer(*behaviours: Behaviour, scheme: str = "http") -> Iterator[Peer]:
    """A server on loopback that does this, connection by connection."""
    server = Peer(behaviours, scheme)
    try:
        yield server
    finally:
        server.close()


def well(connection: Connection) -> None:
    """Answer every request as a collector does."""
    while True:
        body = connection.read_request()
        connection._server.bodies.append(body)
        connection.write(HEAD + b"Content-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")


def silent(connection: Connection) -> None:
    """Accept and never answer."""
    connection.wait()


def then_silent(data: bytes) -> Behaviour:
    """Send this and no more."""

    def act(connection: Connection) -> None:
        connection.read_request()
        connection.write(data)
        connection.wait()

    return act


def drip(data: bytes, byte: bytes = b".", *, handshake: bool = False) -> Behaviour:
    """Send this, then a byte from time to time, so that no socket times out."""

    def act(connection: Connection) -> None:
        if not handshake:
            connection.read_request()
        connection.write(data)
        for _ in range(int(PATIENCE / 0.02)):
            connection.wait(0.02)
            connection.write(byte)
        connection.wait(0)
        connection._server.gave_up = True

    return act


def pour(data: bytes, more: bytes) -> Behaviour:
    """Send this, then more and more of that, as fast as it is taken."""

    def act(connection: Connection) -> None:
        connection.read_request()
        connection.write(data)
        while connection.sent < MOST_POURED:
            connection.write(more)
        connection._server.gave_up = True

    return act


MOST_POURED = 1 << 31
"""Bytes: more than any client should take."""


def answers(reply: bytes, *, after: float = 0.0) -> Behaviour:
    """Answer every request with this, `URL` in it replaced by the server's own."""

    def act(connection: Connection) -> None:
        while True:
            connection.read_request()
            connection.wait(after)
            connection.write(reply.replace(b"URL", connection.url.encode()))

    return act


def takes_no_data(connection: Connection) -> None:
    """Leave what the client sends where it is."""
    connection.wait()


REDIRECT = b"HTTP/1.1 307 x\r\nLocation: URL/v1/traces\r\nContent-Length: 0\r\n\r\n"

HANGS: Mapping[str, Behaviour] = {
    "accepts and never answers": silent,
    "stops in the status": then_silent(b"HTTP/1.1 2"),
    "stops in the headers": then_silent(HEAD + b"X-Half: "),
    "the status byte by byte": drip(b"HTTP/1.1 200 "),
    "headers byte by byte": drip(HEAD + b"X-Drip: "),
    "many short headers": drip(HEAD, b"a: b\r\n"),
    "100 for ever": pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100 from time to time": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a redirect with a body byte by byte": drip(
        b"HTTP/1.1 307 x\r\nLocation: /elsewhere\r\nContent-Length: 99999\r\n\r\n"
    ),
    "503 with a body byte by byte": drip(b"HTTP/1.1 503 x\r\nContent-Length: 99999\r\n\r\n"),
}
"""What an HTTP server may do instead of answering: the spans are lost."""

REFUSES: Mapping[str, Behaviour] = {
    "redirects in a circle": answers(REDIRECT),
    "redirects in a circle, slowly": answers(REDIRECT, after=0.05),
    "503, try again in an hour": answers(b"HTTP/1.1 503 x\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"),
    "429": answers(b"HTTP/1.1 429 x\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"),
    "no HTTP": answers(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "hangs up": lambda _: None,
}
"""How it may refuse: the spans are lost."""

WITH_AN_ANSWER: Mapping[str, Behaviour] = {
    "body byte by byte": drip(HEAD + b"Content-Length: 99999\r\n\r\n"),
    "body byte by byte, to the connection's end": drip(HEAD + b"Connection: close\r\n\r\n"),
    "chunks byte by byte": drip(CHUNKED, b"1\r\n.\r\n"),
    "a chunk's size byte by byte": drip(CHUNKED, b"0"),
    "endless chunks": pour(CHUNKED, b"10000\r\n" + b"." * 0x10000 + b"\r\n"),
    "endless trailers": pour(CHUNKED + b"0\r\n", b"a: b\r\n"),
    "a huge body": pour(HEAD + b"Content-Length: 999999999999\r\n\r\n", b"." * 65536),
    "a huge body, to the connection's end": pour(HEAD + b"Connection: close\r\n\r\n", b"." * 65536),
    "a body that stops": then_silent(HEAD + b"Content-Length: 10\r\n\r\n123"),
}
"""What it may do after it has accepted: that it has is known, the spans are not lost."""

WITHOUT_A_HANDSHAKE: Mapping[str, Behaviour] = {
    "no handshake": silent,
    "the handshake byte by byte": drip(TLS_RECORD, b"\x02", handshake=True),
    "no TLS": lambda connection: connection.write(HEAD),
}
"""What a server of https may do: the spans are lost."""
