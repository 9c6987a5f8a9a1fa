"""Encodes spans as OTLP protobuf without a protobuf runtime, whose import costs more than a whole event.

Field numbers: https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.
The tests decode the result with the generated classes and compare it with the stock encoder, span by span.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1

_HAS_IS_REMOTE = 0x100
_IS_REMOTE = 0x200


_SMALL = [bytes([value]) for value in range(0x80)]
"""Numbers of one byte: nearly all lengths and tags."""


def _varint(value: int) -> bytes:
    if 0 <= value < 0x80:  # seven bits per byte
        return _SMALL[value]
    if 0 < value < 0x4000:  # nearly all other lengths
        return bytes((value & 0x7F | 0x80, value >> 7))
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers are ten bytes of two's complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


_MESSAGE_TAGS = [_tag(number, _LENGTH) for number in range(16)]
_FIXED64_TAGS = [_tag(number, _FIXED64) for number in range(16)]
_VARINT_TAGS = [_tag(number, _VARINT) for number in range(16)]

_pack_fixed64 = struct.Struct("<Q").pack
_pack_double = struct.Struct("<d").pack
_pack_fixed32 = struct.Struct("<I").pack


def length_delimited(number: int, body: bytes) -> bytes:
    """Return a length-delimited field (an embedded message, bytes or text) with a number up to 15."""
    length = len(body)
    return _MESSAGE_TAGS[number] + (_SMALL[length] if length < 0x80 else _varint(length)) + body


def _text(number: int, value: str | None) -> bytes:
    # surrogatepass would be invalid UTF-8; a replacement character saves the span
    return length_delimited(number, value.encode("utf-8", "replace")) if value else b""


def _unsigned(number: int, value: int) -> bytes:
    return _VARINT_TAGS[number] + _varint(value) if value else b""


def _time(number: int, nanoseconds: int | None) -> bytes:
    return _FIXED64_TAGS[number] + _pack_fixed64(nanoseconds) if nanoseconds else b""


def _any_value(value: Any) -> bytes:  # noqa: PLR0911 - one per type
    match value:
        case bool():
            return _VARINT_TAGS[2] + _varint(value)
        case str():
            return length_delimited(1, value.encode("utf-8", "replace"))
        case int() if _INT64_MIN <= value <= _INT64_MAX:  # truncated to 64 bits, it would be another number
            return _VARINT_TAGS[3] + _varint(value)
        case float():
            return _FIXED64_TAGS[4] + _pack_double(value)
        case bytes():
            return length_delimited(7, value)
        case Sequence():
            return length_delimited(5, b"".join(length_delimited(1, _any_value(item)) for item in value))
        case Mapping():
            return length_delimited(6, _attributes(1, dict(value)))
        case _:
            return b""


def _attributes(number: int, attributes: Mapping[str, Any] | None) -> bytes:
    if not attributes:
        return b""
    encoded = []
    # A copy: to iterate over the SDK's attributes takes a lookup in Python for each.
    for key, value in attributes.copy().items():  # type: ignore[attr-defined] # of a dict, a proxy and the SDK's
        kind = type(value)
        if kind in _CACHED:
            encoded.append(_cached_attribute(number, key, value))
        elif kind is tuple:
            encoded.append(_cached_sequence(number, key, value, tuple(map(type, value))))
        else:
            encoded.append(_attribute(number, key, value))
    return b"".join(encoded)


def _attribute(number: int, key: str, value: Any) -> bytes:
    return length_delimited(number, _key(key) + length_delimited(2, _any_value(value)))


@lru_cache(maxsize=256)
def _key(key: str) -> bytes:
    return length_delimited(1, key.encode("utf-8", "replace"))


_CACHED = frozenset({str, int, bool})
"""Exactly these: equal values of them have the same encoding. Not float: 0.0 and -0.0 are equal."""

# Most attributes of a span are the same for every event: service, region, table, method.
_cached_attribute = lru_cache(maxsize=512, typed=True)(_attribute)  # typed: 1 and True are equal


@lru_cache(maxsize=64)
def _cached_sequence(number: int, key: str, value: tuple[Any, ...], _types: tuple[type, ...]) -> bytes:
    return _attribute(number, key, value)


def _flags(context: SpanContext | None) -> int:
    return _HAS_IS_REMOTE | (_IS_REMOTE if context is not None and context.is_remote else 0)


def _event(event: Event) -> bytes:
    return (
        _time(1, event.timestamp)
        + _text(2, event.name)
        + _attributes(3, event.attributes)
        + _unsigned(4, event.dropped_attributes)
    )


def _link(link: Link) -> bytes:
    return (
        length_delimited(1, link.context.trace_id.to_bytes(16))
        + length_delimited(2, link.context.span_id.to_bytes(8))
        + _attributes(4, link.attributes)
        + _unsigned(5, link.dropped_attributes)
        + _fixed32(6, _flags(link.context))
    )


def _fixed32(number: int, value: int) -> bytes:
    return _tag(number, _FIXED32) + _pack_fixed32(value)


def encode_span(span: ReadableSpan) -> bytes:
    """Return the body of an OTLP `Span` message."""
    context = span.get_span_context()
    if context is None:  # the SDK never ends such a span
        raise ValueError("a span without a context cannot be encoded")
    trace_state = ",".join(f"{key}={value}" for key, value in context.trace_state.items())
    parts = [
        length_delimited(1, context.trace_id.to_bytes(16)),
        length_delimited(2, context.span_id.to_bytes(8)),
        _text(3, trace_state),
        length_delimited(4, span.parent.span_id.to_bytes(8)) if span.parent is not None else b"",
        _text(5, span.name),
        _unsigned(6, span.kind.value + 1),  # OTLP's zero means "unspecified"
        _time(7, span.start_time),
        _time(8, span.end_time),
        _attributes(9, span.attributes),
        _unsigned(10, span.dropped_attributes),
        *(length_delimited(11, _event(event)) for event in span.events),
        _unsigned(12, span.dropped_events),
        *(length_delimited(13, _link(link)) for link in span.links),
        _unsigned(14, span.dropped_links),
        length_delimited(15, _text(2, span.status.description) + _unsigned(3, span.status.status_code.value)),
        _fixed32(16, _flags(span.parent)),
    ]
    return b"".join(parts)


def encode_request(spans: Sequence[ReadableSpan], encoded: Iterable[bytes]) -> bytes:
    """Return an OTLP `ExportTraceServiceRequest` (the same bytes as `TracesData`) of encoded spans.

    Args:
        spans: At least one; all of the same resource, as one TracerProvider makes them.
        encoded: `encode_span` of each, in the same order.
    """
    by_scope: dict[int, tuple[Any, list[bytes]]] = {}
    for span, body in zip(spans, encoded, strict=True):
        scope = span.instrumentation_scope
        by_scope.setdefault(id(scope), (scope, []))[1].append(length_delimited(2, body))
    scope_spans = b"".join(length_delimited(2, _scope(scope) + b"".join(bodies)) for scope, bodies in by_scope.values())
    resource = spans[0].resource
    return length_delimited(1, _resource(resource) + scope_spans + _text(3, resource.schema_url))


class _IdentityCache:
    """Caches the encoded form of objects that live as long as the sandbox, by identity.

    Not by equality: to hash a resource, the SDK serialises all of its attributes.
    """

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        self._encode = encode
        self._known: dict[int, tuple[Any, bytes]] = {}

    def __call__(self, thing: Any) -> bytes:
        known = self._known.get(id(thing))
        if known is None:
            if len(self._known) >= 16:
                self._known.clear()
            known = self._known[id(thing)] = (thing, self._encode(thing))  # a reference, so that the ID is not reused
        return known[1]


def _encode_scope(scope: Any) -> bytes:
    if scope is None:
        return length_delimited(1, b"")
    body = _text(1, scope.name) + _text(2, scope.version) + _attributes(3, scope.attributes)
    # The schema URL belongs to ScopeSpans, beside the scope, not into it.
    return length_delimited(1, body) + _text(3, scope.schema_url)


_scope = _IdentityCache(_encode_scope)
_resource = _IdentityCache(lambda resource: length_delimited(1, _attributes(1, resource.attributes)))
