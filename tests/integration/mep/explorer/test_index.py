"""One pass over a run's files finds for every event what a search for it finds, also while the files grow."""

import json
import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.explorer.index import RunIndex
from mep.explorer.summary import EventSummary, summarise
from mep.trace.local_run import find_in_folder
from mep.trace.timeline import Timeline, make_timeline
from mep.trace.undelivered import NOTE
from tests.support.dead_letters import event, from_on_failure

FILES = ("logs", "spans", "dlq", "audit", "calendar", "bus")


def read(folder: Path) -> dict[str, Timeline]:
    index = RunIndex(folder)
    index.read()
    return {name: index.timeline(name) for name in index.correlation_ids}


def test_every_event_has_the_timeline_of_a_search(folder: Path) -> None:
    timelines = read(folder)

    assert len(timelines) == 10
    for correlation_id, timeline in timelines.items():
        assert timeline == make_timeline(correlation_id, [find_in_folder(correlation_id, folder)])


def summaries(folder: Path) -> dict[str, EventSummary]:
    return {name: summarise(timeline) for name, timeline in read(folder).items()}


def test_a_summary_has_what_the_list_shows(folder: Path) -> None:
    found = summaries(folder)

    twice = found["demo-aapl"]
    assert (twice.row, twice.outcome, twice.category, twice.invocations) == ("AAPL 2025-07-31", "marked", "", 2)
    assert twice.duration_ms > 1000, "it waited for its second attempt"
    assert "aapl-q3" in twice.ids
    lost = found["demo-unknown-row"]
    assert (lost.outcome, lost.category) == ("dead_lettered", "not_found")
    assert len([each for each in found.values() if each.category == "validation"]) == 4
    assert all(each.at_ms > 0 for each in found.values())


def test_events_of_earlier_runs_on_the_same_tables_are_not_listed(folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    entry = (here / "audit.jsonl").read_bytes().splitlines()[0]
    ids = (b'"demo-aapl"', b'"demo-msft"', b'"demo-bfb"', b'"demo-brkb"')
    other = entry.replace(next(name for name in ids if name in entry), b'"of-another-run"')
    with (here / "audit.jsonl").open("ab") as file:
        file.write(other.replace(b'"request_id":"', b'"request_id":"0') + b"\n")

    assert b"of-another-run" in (here / "audit.jsonl").read_bytes()
    assert list(read(here)) == list(read(folder))


@pytest.mark.parametrize("shape", ["of Lambda", "of the rule"])
def test_an_event_whose_record_was_rejected_is_lost(folder: Path, tmp_path: Path, shape: str) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    before = read(here)
    lost = event(1, correlation_id="demo-unknown-row")
    record = json.loads(from_on_failure(lost)[0]) if shape == "of Lambda" else lost
    error = {"errorMessage": "category=network correlation_id=demo-unknown-row : X"}
    record |= {"responsePayload": error} if shape == "of Lambda" else {}
    (here / "undelivered.jsonl").write_text(json.dumps(record) + "\n")

    after = read(here)

    assert after["demo-unknown-row"].notes == (*before["demo-unknown-row"].notes, NOTE)
    assert {name: timeline for name, timeline in after.items() if timeline != before[name]}.keys() == {
        "demo-unknown-row"
    }
    assert after["demo-unknown-row"] == make_timeline("demo-unknown-row", [find_in_folder("demo-unknown-row", here)])


def test_an_event_without_a_correlation_id_is_listed_by_its_request(folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    record = (
        b'{"message_id":"m-1","body":"{\\"version\\":\\"1.0\\",\\"timestamp\\":\\"2026-01-01T00:00:00.000Z\\",'
        b'\\"requestContext\\":{\\"requestId\\":\\"r-1\\",\\"functionArn\\":\\"f\\",\\"condition\\":\\"RetriesExhausted\\",'
        b'\\"approximateInvokeCount\\":3},\\"requestPayload\\":{},\\"responseContext\\":{\\"statusCode\\":200,'
        b'\\"executedVersion\\":\\"1\\",\\"functionError\\":\\"Unhandled\\"},\\"responsePayload\\":{}}","attributes":{}}\n'
    )
    with (here / "dlq.jsonl").open("ab") as file:
        file.write(record)

    found = summaries(here)["r-1"]
    assert (found.outcome, found.row) == ("retry", "")


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that each example writes."""
    return tmp_path_factory.mktemp("growing")


@given(data=st.data())
def test_a_run_that_grows_ends_as_one_that_is_read_at_once(folder: Path, growing: Path, data: st.DataObject) -> None:
    contents = {name: (folder / f"{name}.jsonl").read_bytes() for name in FILES}
    for name in FILES:
        (growing / f"{name}.jsonl").write_bytes(b"")
    shutil.copy(folder / "summary.json", growing)
    index = RunIndex(growing)
    changed: set[str] = set()
    for name, content in data.draw(st.permutations(list(contents.items()))):
        for part in cut(content, data.draw(st.lists(st.integers(0, len(content)), max_size=3))):
            with (growing / f"{name}.jsonl").open("ab") as file:
                file.write(part)
            changed |= index.read()

    expected = read(folder)
    assert changed == set(index.correlation_ids) == set(expected)
    assert {name: index.timeline(name) for name in index.correlation_ids} == expected


def cut(content: bytes, at: Iterable[int]) -> list[bytes]:
    """Parts of a file, also in the middle of a line."""
    places = [0, *sorted(at), len(content)]
    return [content[start:end] for start, end in pairwise(places)]


def test_another_run_in_the_same_folder_replaces_all_events(folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    index = RunIndex(here)
    index.read()
    for name in FILES:
        (here / f"{name}.jsonl").write_bytes(b"")

    index.read()
    assert index.correlation_ids == []
