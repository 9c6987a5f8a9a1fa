"""Spans over UDP are decoded as they were sent."""

import base64
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from emulator.lambda_runtime.span_receiver import DamagedDatagramError, SpanReceiver, decode_datagram

HEADER = b'{"format":"json","version":1}\n'
TRACE = bytes(range(16))


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def request(*names: str) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.append(KeyValue(key="service.name", value=text("s")))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "a-scope"
    for number, name in enumerate(names):
        scope_spans.spans.add(name=name, trace_id=TRACE, span_id=number.to_bytes(8))
    return message


def datagram(message: ExportTraceServiceRequest, mark: bytes = b"T1S") -> bytes:
    return HEADER + mark + base64.b64encode(message.SerializeToString())


def test_span_is_decoded_in_full() -> None:
    message = request("write")
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.parent_span_id = bytes(range(8))
    span.kind = Span.SPAN_KIND_CLIENT
    span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="why"))
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000_000_000, 1_002_500_000
    values = {
        "text": text("ü"),
        "whole": AnyValue(int_value=2**60),
        "real": AnyValue(double_value=0.5),
        "flag": AnyValue(bool_value=True),
        "list": AnyValue(array_value=ArrayValue(values=[text("a"), AnyValue(int_value=1)])),
        "nothing": AnyValue(),
    }
    span.attributes.extend(KeyValue(key=key, value=value) for key, value in values.items())
    nested = span.attributes.add(key="map")
    nested.value.kvlist_value.values.append(KeyValue(key="k", value=AnyValue(bytes_value=b"\x00")))
    event = span.events.add(name="retry.backoff", time_unix_nano=5)
    event.attributes.append(KeyValue(key="attempt", value=AnyValue(int_value=1)))
    span.links.add(trace_id=TRACE[::-1], span_id=bytes(8))

    (decoded,) = decode_datagram(datagram(message))

    assert decoded == {
        "name": "write",
        "trace_id": "000102030405060708090a0b0c0d0e0f",
        "span_id": "0000000000000000",
        "parent_span_id": "0001020304050607",
        "kind": "CLIENT",
        "status": "ERROR",
        "status_message": "why",
        "attributes": {
            "text": "ü",
            "whole": 2**60,
            "real": 0.5,
            "flag": True,
            "list": ["a", 1],
            "nothing": None,
            "map": {"k": "AA=="},
        },
        "events": [{"name": "retry.backoff", "time_unix_nano": 5, "attributes": {"attempt": 1}}],
        "links": [{"trace_id": "0f0e0d0c0b0a09080706050403020100", "span_id": "0" * 16, "attributes": {}}],
        "start_time_unix_nano": 1_000_000_000,
        "end_time_unix_nano": 1_002_500_000,
        "duration_ms": 2.5,
        "resource": {"service.name": "s"},
        "scope": "a-scope",
        "sampled": True,
    }


def test_root_span_has_no_parent_and_may_be_unsampled() -> None:
    (decoded,) = decode_datagram(datagram(request("root"), b"T1U"))

    assert (decoded["parent_span_id"], decoded["sampled"]) == (None, False)
    assert (decoded["kind"], decoded["status"]) == ("UNSPECIFIED", "UNSET")


def _unknown_kind() -> bytes:
    message = request("a")
    message.resource_spans[0].scope_spans[0].spans[0].kind = 99  # type: ignore[assignment]
    return datagram(message)


DAMAGED = {
    "empty": (b"", "header"),
    "no header": (b"T1S", "header"),
    "another header": (b'{"format":"json","version":2}\nT1S', "header"),
    "header is no JSON": (b"{\nT1S", "header"),
    "neither sampled nor unsampled": (HEADER + b"T2S", "T1S"),
    "not base64": (HEADER + b"T1S*", "base64"),
    "not protobuf": (HEADER + b"T1S" + base64.b64encode(b"\xff\xff\xff"), "OTLP"),
    "cut short": (datagram(request("a", "b"))[:-8], "OTLP"),
    "unknown kind": (_unknown_kind(), "kind"),
}


@pytest.mark.parametrize(("damaged", "part"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_datagram_names_the_part(damaged: bytes, part: str) -> None:
    with pytest.raises(DamagedDatagramError, match=part):
        decode_datagram(damaged)


@pytest.fixture
def spans() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def receiver(spans: list[dict[str, Any]]) -> Iterator[SpanReceiver]:
    with SpanReceiver(spans.append) as receiver:
        yield receiver


@pytest.fixture
def sender(receiver: SpanReceiver) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        host, port = receiver.address.split(":")
        sender.connect((host, int(port)))
        yield sender


def test_flush_delivers_everything_sent_before(
    receiver: SpanReceiver, sender: socket.socket, spans: list[dict[str, Any]]
) -> None:
    for number in range(500):
        sender.send(datagram(request(f"span {number}")))

    receiver.flush()

    assert [span["name"] for span in spans] == [f"span {number}" for number in range(500)]
    assert (receiver.datagrams, receiver.damaged, receiver.dropped) == (500, 0, 0)


def test_largest_datagram_is_received(
    receiver: SpanReceiver, sender: socket.socket, spans: list[dict[str, Any]]
) -> None:
    sender.send(datagram(request("x" * 48_000)))

    receiver.flush()

    assert [len(span["name"]) for span in spans] == [48_000]


def test_damaged_datagram_is_counted_and_skipped(
    receiver: SpanReceiver, sender: socket.socket, spans: list[dict[str, Any]]
) -> None:
    for content in (b"garbage", b"", datagram(request("good"))):
        sender.send(content)

    receiver.flush()

    assert (receiver.datagrams, receiver.damaged) == (3, 2)
    assert [span["name"] for span in spans] == ["good"]


def test_close_delivers_what_has_arrived() -> None:
    spans: list[dict[str, Any]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        with SpanReceiver(spans.append) as receiver:
            host, port = receiver.address.split(":")
            sender.sendto(datagram(request("last")), (host, int(port)))

        assert [span["name"] for span in spans] == ["last"]
