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
    """One datagram in the agent's form.

    Attributes:
        size: Bytes on the wire, without IP's and UDP's headers.
        kind: `T1S` for sampled, `T1U` for unsampled spans.
        data: What the rest decodes to.
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
        ValueError: If it is not of the agent's form.
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
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
