"""A search of the files that a run of the real function wrote."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from handler.outcome import OUTCOME_TELEMETRY
from mep.errors import Reason, UsageError
from mep.trace.asked import parse_asked
from mep.trace.follow import follow
from mep.trace.formatting import displayed_attributes
from mep.trace.local_run import FolderSearch, find_in_folder
from mep.trace.sources import Source, gap_lines
from mep.trace.timeline import Timeline, make_timeline


def timeline(correlation_id: str, folder: Path) -> Timeline:
    return make_timeline(correlation_id, [find_in_folder(correlation_id, folder)])


def logged(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / "logs.jsonl").read_bytes().splitlines()]


def titles(found: Timeline) -> list[list[str]]:
    return [[entry.title for entry in section.entries] for section in found.sections]


def test_a_throttled_event_has_each_attempt_and_backoff(folder: Path) -> None:
    """The event was delivered twice: the second invocation is a duplicate."""
    found = timeline("demo-aapl", folder)
    first, second = titles(replace(found, sections=tuple(each for each in found.sections if "bus" not in each.title)))
    assert first == [
        "Lambda starts the invocation",
        "MarkEarningsProcessed",
        "DynamoDB.TransactWriteItems",
        "waiting after attempt 1",
        "DynamoDB.TransactWriteItems",
        "audit entry: mark_processed",
        OUTCOME_TELEMETRY["marked"].message,
        "Lambda's report: success",
    ]
    assert second[-2:] == [OUTCOME_TELEMETRY["duplicate"].message, "Lambda's report: success"]
    assert found.summary == "the row is marked, after 2 attempts, invocation 1 of 2"
    ((symbol, processed),) = [(row["asset_symbol"], row["is_processed"]) for row in found.rows]
    assert (symbol, processed) == ("AAPL", True)
    wait = next(entry for entry in found.entries if entry.kind == "backoff")
    assert wait.attributes["error_category"] == "throttling"
    assert wait.duration_ms is not None
    assert 1000 <= wait.duration_ms <= 2000


def test_an_event_begins_on_the_bus(folder: Path) -> None:
    found = timeline("demo-msft", folder)

    assert titles(found)[0] == ["published", "a rule matched", "delivered to the target"]
    assert found.sections[0].title == "on the event bus"
    assert found.sections[0].start <= found.sections[1].start


def test_a_dead_letter_is_the_last_section(folder: Path) -> None:
    found = timeline("demo-unknown-row", folder)
    assert titles(found)[-1] == ["dead letter of the function"]
    assert found.sections[-1].title == "in the dead-letter queue"
    sending = next(entry for entry in found.entries if "dead_letter_id" in entry.attributes)
    assert found.sections[-1].start == sending.at
    assert found.notes == ("no row for ZZZZ on 2025-08-27 in the calendar",)
    assert any("messaging.system" in entry.attributes for entry in found.entries)
    shown = {name for entry in found.entries for name, _ in displayed_attributes(entry)}
    assert not [name for name in shown if name.startswith("messaging.")]


def test_every_line_is_found_by_its_id(folder: Path) -> None:
    """The timeline of an ID has all of its lines, and none of another ID."""
    lines = [line for line in logged(folder) if "correlation_id" in line]
    platform = [line["record"]["requestId"] for line in logged(folder) if "record" in line]
    assert len(platform) == 2 * len({line["span_id"] for line in lines}), "Lambda's two lines of each invocation"
    spans = [orjson.loads(line) for line in (folder / "spans.jsonl").read_bytes().splitlines()]
    ids = {line["correlation_id"] for line in lines}
    assert len(ids) >= 9
    for correlation_id in ids:
        entries = timeline(correlation_id, folder).entries
        own = {span["span_id"] for span in spans if span["attributes"]["correlation_id"] == correlation_id}
        assert {entry.span_id for entry in entries if entry.kind == "span"} == own
        of_event = [line for line in lines if line["correlation_id"] == correlation_id]
        requests = {line["request_id"] for line in of_event}
        about = [request for request in platform if request in requests]
        assert len([entry for entry in entries if entry.kind in {"log", "backoff"}]) == len(of_event) + len(about)


@pytest.mark.parametrize("field", ["event_id", "request_id", "trace_id", "span_id"])
def test_an_id_of_another_kind_leads_to_the_event(folder: Path, field: str) -> None:
    line = next(line for line in logged(folder) if line.get("event_id") not in {None, line.get("correlation_id")})
    found = follow(parse_asked(line[field]), FolderSearch(folder)).timeline
    assert found.correlation_id == line["correlation_id"]
    assert found.sections
    kind = field.replace("_id", " ID")
    assert found.notes == (f"{line[field]} is the {kind} of the event with the correlation ID {found.correlation_id}",)


def test_a_producers_trace_leads_to_the_event(folder: Path) -> None:
    found = follow(parse_asked("1-0af76519-16cd43dd8448eb211c80319c"), FolderSearch(folder)).timeline
    assert found.correlation_id == "demo-aapl"


@pytest.mark.parametrize("text", ["BRK B", "brk b", "BRK B 2025-08-02", "BRK B#2025-08-02"])
def test_a_row_leads_to_its_event(folder: Path, text: str) -> None:
    found = follow(parse_asked(text), FolderSearch(folder)).timeline
    assert found.correlation_id == "demo-brk-b"


def test_the_row_of_an_invalid_event_is_found_in_its_dead_letter(folder: Path) -> None:
    """The log has no field of an event that is invalid; of one with an invalid date, the symbol is valid."""
    found = follow(parse_asked("NVDA"), FolderSearch(folder))
    assert {(hit.correlation_id, hit.key) for hit in found.hits} == {
        ("demo-two-spellings", ("NVDA", "2025-08-27")),
        ("demo-no-such-day", ()),
    }
    of_row = follow(parse_asked("NVDA 2025-08-27"), FolderSearch(folder)).timeline
    assert of_row.correlation_id == "demo-two-spellings"
    assert follow(parse_asked("NVDA"), FolderSearch(folder, queue=False)).timeline.sections == ()


def test_several_events_are_listed_newest_first(folder: Path) -> None:
    found = follow(parse_asked("AAPL 2025-07-31"), FolderSearch(folder))
    assert [(hit.correlation_id, hit.outcome) for hit in found.hits] == [
        ("demo-aapl-second", "duplicate"),
        ("demo-aapl", "marked"),
    ]


def test_only_lines_with_the_id_are_parsed(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This makes the search of a large run fast."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    span = next(line for line in (folder / "spans.jsonl").read_bytes().splitlines() if b"demo-msft" in line)
    other = span.replace(b"demo-msft", b"somebody-else")
    with (tmp_path / "spans.jsonl").open("ab") as more:
        more.write((other + b"\n") * 5_000)
    parsed = []
    real = orjson.loads

    def loads(text: bytes) -> object:
        parsed.append(text)
        return real(text)

    monkeypatch.setattr("mep.trace.jsonl.orjson.loads", loads)
    assert titles(timeline("demo-msft", tmp_path)) == titles(timeline("demo-msft", folder))
    assert 0 < len(parsed) < 40


def test_an_aborted_run_is_partial(tmp_path: Path, folder: Path) -> None:
    for name in ("logs", "spans"):
        data = (folder / f"{name}.jsonl").read_bytes()
        (tmp_path / f"{name}.jsonl").write_bytes(data + b'{"correlation_id":"demo-msft","times')
    found = timeline("demo-msft", tmp_path)
    assert found.sections
    assert found.summary == "the row is marked (partial: without the rest of the run)"
    assert gap_lines(found.gaps) == [
        "the rest of the run: summary.json is missing: the run has not ended, or was aborted"
    ]

    (tmp_path / "kept.env").touch()
    (line,) = gap_lines(timeline("demo-msft", tmp_path).gaps)
    assert line.endswith("with --keep, rows, audit entries and dead letters are written at Ctrl-C")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("spans", Source.TRACES),
        ("audit", Source.AUDIT),
        ("calendar", Source.CALENDAR),
        ("dlq", Source.QUEUE),
    ],
)
def test_an_unreadable_file_is_a_gap(tmp_path: Path, folder: Path, name: str, source: Source) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / f"{name}.jsonl").unlink()
    (missing,) = timeline("unheard-of", tmp_path).gaps
    (tmp_path / f"{name}.jsonl").mkdir()
    (unreadable,) = timeline("unheard-of", tmp_path).gaps
    assert (missing.source, missing.problem.reason) == (source, Reason.NOT_FOUND)
    assert (unreadable.source, unreadable.problem.reason) == (source, Reason.ACCESS_DENIED)
    assert timeline("unheard-of", tmp_path).summary.startswith("unknown: nothing was found, but")


def test_an_exception_is_found_by_its_text(tmp_path: Path) -> None:
    line = {
        "timestamp": "2025-07-31T20:05:00Z",
        "log_level": "ERROR",
        "errorType": "EventNotProcessed",
        "errorMessage": "category=network correlation_id=abc : ConnectTimeoutError",
        "requestId": "r-1",
    }
    (tmp_path / "logs.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "summary.json").write_text("{}")
    assert titles(timeline("abc", tmp_path)) == [["EventNotProcessed"]]
    assert titles(timeline("ab", tmp_path)) == []


@pytest.mark.parametrize("make", [lambda path: path / "nowhere", lambda path: path])
def test_another_folder_is_an_error(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(UsageError, match="use the --out of a `mep local` run"):
        find_in_folder("abc", make(tmp_path))
