"""The spans that an OTLP endpoint rejects of a request that it accepts. Imported by the first such response.

https://opentelemetry.io/docs/specs/otlp/#partial-success-1
"""

from collections.abc import Iterator

_VARINT, _LENGTH = 0, 2
_SIZES = {1: 8, 5: 4}
"""Bytes of the numbers with a fixed size, by wire type."""


def rejected_spans(body: bytes) -> int:
    """Return `partial_success.rejected_spans` of an `ExportTraceServiceResponse`.

    Args:
        body: Of the response. 0 is returned for any other text: the status alone says that the request was accepted.
    """
    try:
        return sum(
            value
            for number, message in _fields(body)
            if number == 1 and isinstance(message, bytes)
            for inner, value in _fields(message)
            if inner == 1 and isinstance(value, int) and value < 1 << 63  # not negative
        )
    except (IndexError, ValueError):
        return 0


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field.

    Raises:
        IndexError: The message ends within a field.
        ValueError: It is no protobuf message.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size, at = _varint(message, at) if kind == _LENGTH else (_SIZES.get(kind, 0), at)
        if kind != _LENGTH and not size:
            raise ValueError(kind)
        if at + size > len(message):
            raise IndexError
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a position, and the position after it.

    Raises:
        IndexError: The message ends within the number.
        ValueError: It has more than 64 bits.
    """
    value = 0
    for shift in range(0, 64, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if not message[at - 1] & 0x80:
            return value, at
    raise ValueError(value)
