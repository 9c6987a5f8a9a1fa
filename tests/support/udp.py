"""The X-Ray agent's place: a real UDP socket that keeps every datagram and decodes it with the generated classes."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

HEADER = b'{"format":"json","version":1}\n'
_LARGEST_DATAGRAM = 65_535
_FENCE_WAIT_SECONDS = 0.2
_FENCE_ATTEMPTS = 150


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram in the agent's form.

    Attributes:
        size: bytes on the wire, without IP's and UDP's headers.
        kind: `T1S` for sampled, `T1U` for unsampled spans.
        data: what the rest decodes to.
    """

    size: int
    kind: str
    data: TracesData

    @property
    def spans(self) -> list[Span]:
        """Every span in it, in the order of the wire."""
        return [span for resource in self.data.resource_spans for scope in resource.scope_spans for span in scope.spans]


def decode(datagram: bytes) -> Datagram:
    """A datagram's content.

    Raises:
        ValueError: if it is not of the agent's form.
    """
    if not datagram.startswith(HEADER):
        raise ValueError("not the agent's header")
    body = datagram.removeprefix(HEADER)
    kind = body[:3].decode("ascii")
    if kind not in {"T1S", "T1U"}:
        raise ValueError("neither T1S nor T1U")
    data = TracesData.FromString(base64.b64decode(body[3:], validate=True))
    return Datagram(len(datagram), kind, data)


class SpanSocket:
    """Receives datagrams on loopback in a thread of its own; make one with `span_socket`."""

    def __init__(self, receiver: socket.socket) -> None:
        self._socket = receiver
        self._datagrams: list[bytes] = []
        self._fences: set[bytes] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._receive, name="span socket", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def endpoint(self) -> str:
        """`host:port`, as `AWS_XRAY_DAEMON_ADDRESS` wants it."""
        return "{}:{}".format(*self.address)

    def take_raw(self) -> list[bytes]:
        """Every datagram that was sent before this call and not taken yet, oldest first."""
        self._fence()
        with self._changed:
            taken = self._datagrams[:]
            self._datagrams.clear()
        return taken

    def take(self) -> list[Datagram]:
        """`take_raw`, decoded."""
        return [decode(datagram) for datagram in self.take_raw()]

    def take_spans(self) -> list[Span]:
        """The spans of `take`."""
        return [span for datagram in self.take() for span in datagram.spans]

    def close(self) -> None:
        """Stop receiving."""
        self._fence(b"stop ")
        self._thread.join()
        self._socket.close()

    def _fence(self, prefix: bytes = b"fence ") -> None:
        """Send a mark of our own and wait for it: what was sent before has then arrived too."""
        mark = prefix + uuid4().bytes
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as sender, self._changed:
            for _ in range(_FENCE_ATTEMPTS):  # the mark itself may find a full buffer
                sender.sendto(mark, self.address)
                if self._changed.wait_for(lambda: mark in self._fences, _FENCE_WAIT_SECONDS):
                    return
        raise TimeoutError("the receiving thread does not receive")

    def _receive(self) -> None:
        while True:
            datagram = self._socket.recv(_LARGEST_DATAGRAM)
            with self._changed:
                if datagram.startswith((b"fence ", b"stop ")):
                    self._fences.add(datagram)
                    self._changed.notify_all()
                else:
                    self._datagrams.append(datagram)
            if datagram.startswith(b"stop "):
                return


@contextmanager
def span_socket() -> Iterator[SpanSocket]:
    """A receiving socket on 127.0.0.1."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    receiver.bind(("127.0.0.1", 0))
    listening = SpanSocket(receiver)
    try:
        yield listening
    finally:
        listening.close()


def closed_udp_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
