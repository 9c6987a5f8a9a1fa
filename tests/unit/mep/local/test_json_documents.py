"""Events are read from JSON Lines, documents over several lines, and arrays, as they come."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.environment import PROJECT_ROOT
from mep.errors import UsageError
from mep.local import json_documents
from mep.local.inputs import open_events
from mep.local.json_documents import Note, read_events
from mep.local.jsonl import EventLine, RejectedLine

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.lists(st.dictionaries(st.text(), JSON, min_size=1, max_size=3), min_size=1, max_size=4)


def read(data: bytes) -> tuple[list[Any], list[tuple[int, str]], list[str]]:
    """Return the events, the lines with the reasons of what is not one, and the notes."""
    items = list(read_events(io.BufferedReader(io.BytesIO(data))))
    return (
        [json.loads(item.payload) for item in items if isinstance(item, EventLine)],
        [(item.number, item.reason) for item in items if isinstance(item, RejectedLine)],
        [item.text for item in items if isinstance(item, Note)],
    )


@given(events=EVENTS, ascii_only=st.booleans())
def test_one_event_per_line(events: list[Any], *, ascii_only: bool) -> None:
    lines = [json.dumps(event, ensure_ascii=ascii_only) for event in events]
    assert read("\n".join(lines).encode()) == (events, [], [])


@given(events=EVENTS, indent=st.sampled_from([0, 2, 4, "\t"]), between=st.sampled_from(["\n", "\n\n", "\r\n"]))
def test_documents_over_several_lines(events: list[Any], indent: int | str, between: str) -> None:
    text = between.join(json.dumps(event, indent=indent) for event in events)
    found, rejected, (note,) = read(text.encode())
    assert (found, rejected) == (events, [])
    assert note.startswith("the events are JSON documents over several lines")


@given(events=EVENTS, form=st.sampled_from(["indented", "element per line", "comma first"]))
def test_an_array_over_several_lines(events: list[Any], form: str) -> None:
    lines = [json.dumps(event) for event in events]
    text = {
        "indented": json.dumps(events, indent=2),
        "element per line": "[" + ",\n".join(lines) + "\n]\n",
        "comma first": "[\n" + "\n, ".join(lines) + "\n]",
    }[form]
    found, rejected, (note,) = read(text.encode())
    assert (found, rejected) == (events, [])
    assert note.startswith("the events are a JSON array")


def test_the_sample_of_the_composition() -> None:
    sample = (PROJECT_ROOT / "deploy" / "compose" / "event.json").read_bytes()
    assert read(sample)[:2] == ([json.loads(sample)], [])


def test_an_array_on_one_line_is_one_event_and_named() -> None:
    (event,), rejected, (note,) = read(b'[{"a": 1}, {"b": 2}]\n')
    assert (event, rejected) == ([{"a": 1}, {"b": 2}], [])
    assert note == "line 1 is a JSON array and one event: for an event per element, use `jq -c '.[]'`"


@pytest.mark.parametrize(
    ("data", "events", "rejected"),
    [
        (b'{"cut":\n{"id":1}\n{"id":2}\n', [{"id": 1}, {"id": 2}], [1]),
        (b'[1, 2\n{"id":1}\n{"id":2}\n', [{"id": 1}, {"id": 2}], [1]),
        (b'no\n{"id":1}\n{\n', [{"id": 1}], [1, 3]),
        (b'{"cut\n{"id":1}\n', [{"id": 1}], [1]),
        (b'{"cut": \n\xff\xfe\n', [], [1, 2]),
    ],
)
def test_an_invalid_first_line_does_not_join_others(data: bytes, events: list[Any], rejected: list[int]) -> None:
    found, lines, notes = read(data)
    assert (found, [number for number, _ in lines], notes) == (events, rejected, [])


@pytest.mark.parametrize(
    ("data", "events", "rejected"),
    [
        (b'{\n"a":1\n}\n{\n"b":no\n}\n{\n"c":1}\n', [{"a": 1}, {"c": 1}], [(4, "Expecting value")]),
        (b'{\n"a":1\n}\n{\n"b":', [{"a": 1}], [(4, "ends too early")]),
        (b'{\n"a":1\n}\n{\n"b":"\n}\n{\n"c":1}\n', [{"a": 1}, {"c": 1}], [(4, "line 5 has a string without an end")]),
        (b'[\n{"a":1},\n', [{"a": 1}], [(2, "the array has no end")]),
        (b'[\n{"a":1},\nno,\n{"b":1}\n]\n', [{"a": 1}, {"b": 1}], [(3, "Expecting value")]),
        (b'[\n{"a":1},\n{"b":"\n},\n{"c":1}\n]', [{"a": 1}], [(3, "the rest of the array is not read")]),
        (b"[\n1,\n2\n]\n{}\n", [1, 2], [(5, "the array has ended")]),
        (b"[\n]\n", [], []),
    ],
)
def test_what_is_invalid_later_is_named_and_the_rest_is_read(
    data: bytes, events: list[Any], rejected: list[tuple[int, str]]
) -> None:
    found, lines, _ = read(data)
    assert found == events
    assert [number for number, _ in lines] == [number for number, _ in rejected]
    assert all(part in reason for (_, reason), (_, part) in zip(lines, rejected, strict=True))


def test_an_invalid_document_is_named() -> None:
    found, rejected, (note,) = read(b'{\n"a": 1,\n')
    assert found == []
    assert len(rejected) == 2
    assert note == "the events begin like a JSON document over several lines, which is not valid"


def test_a_document_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_documents, "MAX_EVENT_BYTES", 100)
    long = b'{\n"a": [\n' + b"1,\n" * 60 + b"2]}\n"
    found, ((number, reason),), _ = read(b'{\n"b":1}\n' + long + b'{\n"c":1}\n')
    assert (found, number, reason) == ([{"b": 1}, {"c": 1}], 3, "longer than 100 bytes")


@given(st.binary(max_size=80) | st.text(alphabet='{}[]",:\n 1a\\', max_size=60).map(str.encode))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    items = list(read_events(io.BufferedReader(io.BytesIO(data))))
    for item in items:
        if isinstance(item, EventLine):
            json.loads(item.payload)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("compressed", [False, True])
def test_encoding_and_compression_are_recognized(tmp_path: Path, encoding: str, *, compressed: bool) -> None:
    text = '{"a": "Ä"}\n{"b": 1}\n'.encode(encoding)
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(text) if compressed else text)
    with open_events(path) as source:
        assert read(source.stream.read())[0] == [{"a": "Ä"}, {"b": 1}]


def test_damaged_data_is_the_last_rejected_line(tmp_path: Path) -> None:
    lines = [json.dumps({"n": number}) for number in range(20_000)]
    data = gzip.compress("\n".join(lines).encode())
    (tmp_path / "events.gz").write_bytes(data[: len(data) // 2])
    with open_events(tmp_path / "events.gz") as source:
        *events, last = list(read_events(source.stream))
    assert [json.loads(item.payload)["n"] for item in events if isinstance(item, EventLine)] == list(range(len(events)))
    assert len(events) > 1000
    assert isinstance(last, RejectedLine)
    assert last.number == len(events) + 1
    assert last.reason.endswith("the gzip data ends too early")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"PK\x03\x04....", "a ZIP archive"), (b"BZh91AY&SY", "compressed with bzip2"), (b"\x00\x01\x02\x03", "not text")],
)
def test_other_formats_are_named(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "events").write_bytes(data)
    with (
        pytest.raises(UsageError, match=f"cannot read events from .*events: the data is {reason}"),
        open_events(tmp_path / "events"),
    ):
        pass


def test_a_directory_and_a_missing_file_are_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file or directory")):
        with pytest.raises(UsageError, match=f"cannot read events from {path}: {reason}"), open_events(path):
            pass


@pytest.mark.parametrize("indent", [None, 2])
def test_lines_may_end_in_carriage_returns(indent: int | None, tmp_path: Path) -> None:
    events = [{"number": number, "text": "a\rb"} for number in range(3)]
    path = tmp_path / "events"
    path.write_bytes("\r".join(json.dumps(event, indent=indent) for event in events).replace("\n", "\r").encode())
    with open_events(path) as text:
        items = list(read_events(text.stream))
    assert [json.loads(item.payload) for item in items if isinstance(item, EventLine)] == events
    assert not [item for item in items if isinstance(item, RejectedLine)]
