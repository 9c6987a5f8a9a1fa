"""The exporter of `direct` mode: spans over UDP to the X-Ray daemon that every Lambda sandbox has.

The format is the one of the ADOT distribution (`OTLPUdpSpanExporter`): a JSON header line, `T1S` for sampled or `T1U`
for unsampled spans, then base64 of OTLP protobuf. The daemon sends no response, so that sending never waits.
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
"""Bytes; UDP carries 65,507 and the daemon reads 64 KB."""

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

    def export(self, spans: Sequence[ReadableSpan], seconds: float = 1.0, all_sampled: bool = False) -> int:
        """Send spans, in as many datagrams as they need.

        Args:
            spans: Spans that have ended.
            seconds: Limit on the name resolution of the daemon's address.
            all_sampled: Whether to send unsampled spans as sampled.

        Returns:
            The number of spans that could not be sent; 0 also if no daemon listens, which UDP does not report.
        """
        if not spans or not self._connect(seconds):
            return len(spans)
        lost = 0
        first = True
        for kind, sampled in ((SAMPLED, True), (UNSAMPLED, False)):
            for chunk, encoded in _chunks([span for span in spans if (all_sampled or is_sampled(span)) is sampled]):
                if not first:
                    time.sleep(_BURST_PAUSE_SECONDS)  # a burst would overrun the receiver's buffer
                first = False
                lost += 0 if self._send(kind, encode_request(chunk, encoded)) else len(chunk)
        return lost

    def _send(self, kind: bytes, payload: bytes) -> bool:
        assert self._socket is not None  # noqa: S101 - _connect has opened it
        try:
            self._socket.sendto(HEADER + kind + base64.b64encode(payload), self._address)
        except OSError:
            return False
        return True

    def _connect(self, seconds: float) -> bool:
        """Open the socket, once, at the first export: init must not wait for name resolution."""
        if self._socket is not None:
            return True
        try:
            if self._family is None:
                self._resolve(seconds)
            assert self._family is not None  # noqa: S101 - _resolve has set it or raised
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # Python encodes host names, which may fail
            return False
        return True

    def _resolve(self, seconds: float) -> None:
        try:
            self._resolve_address(socket.AI_NUMERICHOST)  # on Lambda, the address is numeric
        except socket.gaierror:
            from otel.exporters.bounded import Bounded

            self._resolver = self._resolver or Bounded("resolver")
            # A response that comes too late for these spans serves the next.
            self._resolver.run(self._resolve_address, seconds)

    def _resolve_address(self, flags: int = 0) -> None:
        host, port = self._address
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
        # The daemon listens on IPv4, and "localhost" often resolves to IPv6 first, which would lose spans silently.
        family, _, _, _, resolved = next((entry for entry in addresses if entry[0] == socket.AF_INET), addresses[0])
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
    """Whether the span's trace is sampled."""
    context = span.get_span_context()
    return context is not None and context.trace_flags.sampled


def _chunks(spans: Sequence[ReadableSpan]) -> Iterator[tuple[list[ReadableSpan], list[bytes]]]:
    """Yield groups of spans, with their encoded form, that fit one datagram."""
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
