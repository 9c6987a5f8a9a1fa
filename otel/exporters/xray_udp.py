"""The direct way out: spans over UDP to the X-Ray agent that every Lambda sandbox already has.

The form is the ADOT distribution's own (`OTLPUdpSpanExporter`): a JSON header line, `T1S` for sampled or `T1U` for
unsampled spans, then base64 of OTLP protobuf. Nothing answers, so nothing waits.
"""

import base64
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan

from otel.exporters.otlp_encoder import encode_request, encode_span

if TYPE_CHECKING:
    from otel.exporters.bounded import Bounded

HEADER = b'{"format":"json","version":1}\n'
SAMPLED, UNSAMPLED = b"T1S", b"T1U"

MAX_DATAGRAM = 60_000
"""Bytes; UDP carries 65,507 and the agent reads 64 KB."""

# base64 makes four bytes of three; the resource and the scopes come on top of the spans themselves.
_MAX_PAYLOAD = (MAX_DATAGRAM - len(HEADER) - len(SAMPLED)) * 3 // 4
_MAX_SPANS_BYTES = _MAX_PAYLOAD - 8_000

_BURST_PAUSE_SECONDS = 0.002


class XRayUdpExporter:
    """Sends spans to the daemon's UDP socket."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._family: socket.AddressFamily | None = None
        self._socket: socket.socket | None = None
        self._resolver: Bounded | None = None

    def export(self, spans: Sequence[ReadableSpan], seconds: float = 1.0) -> int:
        """Send spans, in as many datagrams as they need.

        Args:
            spans: that have ended.
            seconds: what finding the daemon's address may take; sending waits for nobody.

        Returns:
            How many spans could not be sent; 0 also when nobody listens, which UDP cannot tell.
        """
        if not spans or not self._connect(seconds):
            return len(spans)
        lost = 0
        first = True
        for kind, sampled in ((SAMPLED, True), (UNSAMPLED, False)):
            for chunk, encoded in _chunks([span for span in spans if is_sampled(span) is sampled]):
                if not first:
                    time.sleep(_BURST_PAUSE_SECONDS)  # a burst would overrun the receiver's buffer
                first = False
                lost += 0 if self._send(kind, encode_request(chunk, encoded)) else len(chunk)
        return lost

    def _send(self, kind: bytes, payload: bytes) -> bool:
        assert self._socket is not None  # noqa: S101 - _connect opened it
        try:
            self._socket.sendto(HEADER + kind + base64.b64encode(payload), self._address)
        except OSError:
            return False
        return True

    def _connect(self, seconds: float) -> bool:
        """Open the socket, once, at the first span: the name may need resolving, and init must not wait for that."""
        if self._socket is not None:
            return True
        try:
            if self._family is None:
                self._resolve(seconds)
            assert self._family is not None  # noqa: S101 - _found set it, or something was raised
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # Python's encoding of host names has exceptions of its own
            return False
        return True

    def _resolve(self, seconds: float) -> None:
        try:
            self._found(socket.AI_NUMERICHOST)  # as on Lambda: nobody is asked
        except socket.gaierror:
            from otel.exporters.bounded import Bounded

            self._resolver = self._resolver or Bounded("resolver")
            # An answer that comes too late for these spans is there for the next.
            self._resolver.run(self._found, seconds)

    def _found(self, flags: int = 0) -> None:
        host, port = self._address
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
        # The agent listens on IPv4, and "localhost" often names IPv6 first: nothing would ever tell.
        family, _, _, _, resolved = next((entry for entry in found if entry[0] == socket.AF_INET), found[0])
        self._address = (str(resolved[0]), int(resolved[1]))
        self._family = family

    def close(self) -> None:
        """Close the socket; the next export opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._resolver is not None:
            self._resolver.close()


def is_sampled(span: ReadableSpan) -> bool:
    """Whether the trace that the span belongs to is sampled."""
    context = span.get_span_context()
    return context is not None and context.trace_flags.sampled


def _chunks(spans: Sequence[ReadableSpan]) -> Iterator[tuple[list[ReadableSpan], list[bytes]]]:
    """Spans and their encoded form, in groups that fit a datagram each."""
    group: list[ReadableSpan] = []
    encoded: list[bytes] = []
    size = 0
    for span in spans:
        body = encode_span(span)
        if group and size + len(body) > _MAX_SPANS_BYTES:
            yield group, encoded
            group, encoded, size = [], [], 0
        group.append(span)
        encoded.append(body)
        size += len(body) + 8  # its tag and length
    if group:
        yield group, encoded
