"""Lines that are events, and the reasons for lines that are not."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.local import jsonl
from mep.local.jsonl import EventLine, RejectedLine, json_error, read_lines


def read(text: bytes) -> list[EventLine | RejectedLine]:
    return list(read_lines(io.BytesIO(text)))


def test_lines_are_numbered_and_blank_ones_skipped() -> None:
    found = read(b'{"a":1}\r\n\n   \n\t[2] \n3')

    assert found == [EventLine(1, b'{"a":1}', 9), EventLine(4, b"[2]", 6), EventLine(5, b"3", 1)]


@pytest.mark.parametrize(
    "text",
    [b"{}", b"[]", b"null", b"true", b'"text"', b"-0", b"1e999", b"9" * 5000, b'"\\ud800"', b'{"a":1,"a":2}'],
)
def test_every_json_value_is_an_event(text: bytes) -> None:
    assert read(text) == [EventLine(1, text, len(text))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"{'a': 1}", "Expecting property name"),
        (b"{} {}", "Extra data at column 4"),
        (b'{"cut', "Unterminated string starting at column 2"),
        (b"NaN", "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'"\x01"', "Invalid control character"),
        (b"01", "Extra data"),
        (b'{"a":1}\xff', "not UTF-8 (byte 0xff at byte 8)"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_invalid_json_is_rejected_with_a_reason(text: bytes, reason: str) -> None:
    (rejected, good) = read(text + b"\n{}")

    assert isinstance(rejected, RejectedLine)
    assert rejected.number == 1
    assert reason in rejected.reason
    assert good == EventLine(2, b"{}", 2)


def test_invalid_utf8_is_escaped() -> None:
    (rejected,) = read(b"caf\xe9")

    assert isinstance(rejected, RejectedLine)
    assert rejected.text == "caf\\xe9"


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b"\xef\xbb\xbf{}\n{}") == [EventLine(1, b"{}", 6), EventLine(2, b"{}", 2)]


def test_a_line_that_is_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_EVENT_BYTES", 1000)
    longest = b'"' + b"x" * 998 + b'"'

    found = read(longest + b"\n" + b"y" * 5000 + b"\n{}\n" + longest + b" ")

    assert found[0] == EventLine(1, longest, 1001)
    long = found[1]
    assert isinstance(long, RejectedLine)
    assert (long.number, long.size, long.text) == (2, 5001, "y" * 1000)
    assert "longer than 1000 bytes" in long.reason
    assert found[2] == EventLine(3, b"{}", 3)
    assert isinstance(found[3], RejectedLine)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_without_an_error(text: bytes) -> None:
    found = read(text)

    assert sum(line.size for line in found) <= len(text)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_what_python_serializes_is_json(value: object) -> None:
    assert json_error(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")) is None or (
        "\\ud" in json.dumps(value)
    )
