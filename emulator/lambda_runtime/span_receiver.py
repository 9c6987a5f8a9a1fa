"""A UDP server for spans in the X-Ray daemon's protocol.

A datagram is a line of header (`{"format":"json","version":1}`), then `T1S` (sampled) or `T1U`
(unsampled), then base64 of an OTLP `ExportTraceServiceRequest`.
"""

import base64
import binascii
import contextlib
import json
import selectors
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from threading import Lock, Thread
from typing import Any, Self

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from emulator.lambda_runtime.otlp_json import otlp_json

type SpanDict = dict[str, Any]

HEADER = {"format": "json", "version": 1}
_SAMPLED = {b"T1S": True, b"T1U": False}
_BUFFER_BYTES = 8 * 1024 * 1024
_MAX_DATAGRAM = 65535
# Linux: returns the number of datagrams that were dropped because the buffer was full.
_SO_RXQ_OVFL = 40


class DamagedDatagramError(ValueError):
    """A datagram does not have the format of the X-Ray daemon's protocol."""


def decode_datagram(datagram: bytes) -> list[SpanDict]:
    """Return the spans in one datagram as JSON values, as `spans_of` does.

    Raises:
        DamagedDatagramError: It cannot be decoded; the message names the part.
    """
    request, sampled = decode_request(datagram)
    return spans_of(request, sampled=sampled)


def spans_of(request: ExportTraceServiceRequest, *, sampled: bool) -> list[SpanDict]:
    """Return the spans of a request as JSON values.

    A span has `name`, `trace_id` (32 hex digits), `span_id` (16), `parent_span_id` (16, or None for a root),
    `kind` (`SERVER`, `CLIENT`, ...), `status` (`UNSET`, `OK`, `ERROR`), `status_message`, `attributes`, `events`
    (`name`, `time_unix_nano`, `attributes`), `links` (`trace_id`, `span_id`, `attributes`), `start_time_unix_nano`,
    `end_time_unix_nano`, `duration_ms`, `resource`, `scope` and `sampled`.

    Raises:
        DamagedDatagramError: A span has a kind or status that OTLP does not know.
    """
    try:
        return list(_spans(request, sampled=sampled))
    except ValueError as error:
        raise DamagedDatagramError("a span has a kind or status that OTLP does not know") from error


def decode_request(datagram: bytes) -> tuple[ExportTraceServiceRequest, bool]:
    """Return the trace request in one datagram, and whether it is sampled.

    Raises:
        DamagedDatagramError: It cannot be decoded; the message names the part.
    """
    header, newline, body = datagram.partition(b"\n")
    try:
        known = json.loads(header) == HEADER
    except ValueError:
        known = False
    if not (newline and known):
        raise DamagedDatagramError("the first line is not the X-Ray daemon's header")
    sampled = _SAMPLED.get(body[:3])
    if sampled is None:
        raise DamagedDatagramError("neither T1S nor T1U follows the header")
    try:
        return ExportTraceServiceRequest.FromString(base64.b64decode(body[3:], validate=True)), sampled
    except binascii.Error as error:
        raise DamagedDatagramError("the body is not base64") from error
    except DecodeError as error:
        raise DamagedDatagramError("the body is not an OTLP trace request") from error


def _spans(request: ExportTraceServiceRequest, *, sampled: bool) -> Iterator[SpanDict]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield {
                    "name": span.name,
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_span_id": span.parent_span_id.hex() or None,
                    "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                    "status_message": span.status.message,
                    "attributes": _attributes(span.attributes),
                    "events": [
                        {
                            "name": event.name,
                            "time_unix_nano": event.time_unix_nano,
                            "attributes": _attributes(event.attributes),
                        }
                        for event in span.events
                    ],
                    "links": [
                        {
                            "trace_id": link.trace_id.hex(),
                            "span_id": link.span_id.hex(),
                            "attributes": _attributes(link.attributes),
                        }
                        for link in span.links
                    ],
                    "start_time_unix_nano": span.start_time_unix_nano,
                    "end_time_unix_nano": span.end_time_unix_nano,
                    "duration_ms": round((span.end_time_unix_nano - span.start_time_unix_nano) / 1e6, 3),
                    "resource": resource,
                    "scope": scope_spans.scope.name,
                    "sampled": sampled,
                }


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case kind:
            return getattr(value, kind)


class DatagramReceiver:
    """A UDP server on loopback; a context manager that owns its socket and thread.

    Args:
        sink: Called with each datagram, from the receiver's thread or from the caller of `flush`, never from both at
            once.

    Attributes:
        dropped: Datagrams that the kernel dropped because the buffer was full; always 0 where it is not Linux.
    """

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self.dropped = 0
        self._sink = sink
        self._lock = Lock()
        self._socket = _bind()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._thread = Thread(target=self._receive, name="datagram-receiver")
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port, for `AWS_XRAY_DAEMON_ADDRESS`."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def flush(self) -> None:
        """Pass every datagram that was sent before this call to the sink.

        On loopback, a datagram is in the receiver's buffer before the sender's call returns.
        """
        with self._lock:
            while True:
                try:
                    datagram, ancillary, _, _ = self._socket.recvmsg(_MAX_DATAGRAM, 64)
                except BlockingIOError:
                    return
                for level, kind, data in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                        (self.dropped,) = struct.unpack("I", data[:4])
                self._sink(datagram)

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while not any(key.fileobj is self._wake_reader for key, _ in selector.select()):
                self.flush()

    def close(self) -> None:
        """Stop receiving, after everything that has arrived was passed to the sink."""
        self._wake_writer.send(b"x")
        self._thread.join()
        self.flush()
        for endpoint in (self._socket, self._wake_reader, self._wake_writer):
            endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SpanReceiver(DatagramReceiver):
    """A UDP server for spans.

    Args:
        sink: Called with each span; see `DatagramReceiver`.
        otlp_sink: Called with the OTLP/JSON of each request.

    Attributes:
        datagrams: Datagrams received.
        damaged: Those of them that could not be decoded.
    """

    def __init__(
        self,
        sink: Callable[[SpanDict], None],
        otlp_sink: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.datagrams = 0
        self.damaged = 0
        self._otlp_sink = otlp_sink
        self._span_sink = sink
        super().__init__(self._decode)

    def _decode(self, datagram: bytes) -> None:
        self.datagrams += 1
        try:
            request, sampled = decode_request(datagram)
            spans = spans_of(request, sampled=sampled)
        except DamagedDatagramError:
            self.damaged += 1
            return
        for span in spans:
            self._span_sink(span)
        if self._otlp_sink is not None:
            self._otlp_sink(otlp_json(request))


def _bind() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.setblocking(False)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            receiver.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        with contextlib.suppress(OSError):  # beyond the system's limit, for root only
            receiver.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _BUFFER_BYTES)
    return receiver
