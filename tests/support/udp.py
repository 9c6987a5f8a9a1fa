"""A UDP server in place of the X-Ray daemon that decodes each datagram with OpenTelemetry's generated classes."""

import base64
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from emulator.lambda_runtime.span_receiver import DatagramReceiver

HEADER = b'{"format":"json","version":1}\n'


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram of the X-Ray daemon's protocol.

    Attributes:
        size: Bytes without the headers of IP and UDP.
        kind: `T1S` for sampled, `T1U` for unsampled spans.
    """

    size: int
    kind: str
    data: TracesData

    @property
    def spans(self) -> list[Span]:
        """The spans in the order in which they were sent."""
        return [span for resource in self.data.resource_spans for scope in resource.scope_spans for span in scope.spans]


def decode(datagram: bytes) -> Datagram:
    """Decode a datagram.

    Raises:
        ValueError: It does not have the format of the X-Ray daemon's protocol.
    """
    if not datagram.startswith(HEADER):
        raise ValueError("not the header of the X-Ray daemon's protocol")
    body = datagram.removeprefix(HEADER)
    kind = body[:3].decode("ascii")
    if kind not in {"T1S", "T1U"}:
        raise ValueError("neither T1S nor T1U")
    data = TracesData.FromString(base64.b64decode(body[3:], validate=True))
    return Datagram(len(datagram), kind, data)


class SpanSocket:
    """A UDP server on loopback that stores the datagrams it receives; see `span_socket`."""

    def __init__(self) -> None:
        self._datagrams: list[bytes] = []
        self._receiver = DatagramReceiver(self._datagrams.append)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.endpoint.rpartition(":")
        return host, int(port)

    @property
    def endpoint(self) -> str:
        """Host and port, for `AWS_XRAY_DAEMON_ADDRESS`."""
        return self._receiver.address

    def take_raw(self) -> list[bytes]:
        """Return and remove every datagram that was sent before this call, oldest first."""
        self._receiver.flush()
        count = len(self._datagrams)
        taken = self._datagrams[:count]
        del self._datagrams[:count]
        return taken

    def take(self) -> list[Datagram]:
        """Return `take_raw`, decoded."""
        return [decode(datagram) for datagram in self.take_raw()]

    def take_spans(self) -> list[Span]:
        """Return the spans of `take`."""
        return [span for datagram in self.take() for span in datagram.spans]

    def close(self) -> None:
        """Stop receiving."""
        self._receiver.close()


@contextmanager
def span_socket() -> Iterator[SpanSocket]:
    """Yield a UDP server on 127.0.0.1."""
    with closing(SpanSocket()) as server:
        yield server


def closed_udp_port() -> int:
    """Return a UDP port of 127.0.0.1 on which nothing listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
