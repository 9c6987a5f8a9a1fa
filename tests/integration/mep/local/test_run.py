"""`mep local`: every line of the input has one outcome, and the files agree."""

import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mep.local.jsonl import read_jsonl
from mep.local.options import RunOptions
from mep.local.render import sum_metrics
from mep.local.run import run
from tests.support.events import event
from tests.support.run_helpers import options, outcomes, said, write_calendar, write_events
from tests.support.runtime_interface_emulator import emulator
from tests.support.stores import DeadLetters


def sample(rows: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return an event for each row, then 5 duplicates, 4 invalid events and 2 without a row."""
    once = [event(symbol, date, number) for number, (symbol, date) in enumerate(rows)]
    ways: list[dict[str, Any]] = [
        {"detail": {"asset_symbol": "<script>", "earnings_date": "2025-07-31"}},
        {"detail": {"assetSymbol": "S1", "earningsDate": "2025-02-30"}},
        {"detail": None},
        {"detail-type": "somethingElse"},
    ]
    malformed = [event("S1", "2025-07-31", 10_000 + number, **way) for number, way in enumerate(ways)]
    unknown = [event("UNKNOWN", f"2025-01-{n + 1:02d}", 20_000 + n) for n in range(2)]
    return [*once, *once[:: len(once) // 5][:5], *malformed, *unknown]


def test_a_whole_calendar_and_its_duplicates(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    rows = [(f"S{n}", f"2025-08-{n % 28 + 1:02d}") for n in range(60)]
    write_calendar(tmp_path / "calendar.csv", [*rows, *rows[:10]])
    events = sample(rows)
    assert len(events) == 60 + 5 + 4 + 2
    chosen = options(tmp_path, url, write_events(tmp_path / "events.jsonl", events), workers=2)
    out = chosen.out

    summary = run(chosen, screen, queue=dead_letters.endpoint)

    assert outcomes(summary) == (71, 0, 60, 5, 6, 0)
    assert json.loads((out / "summary.json").read_text()) == summary.as_dict()
    calendar = list(read_jsonl(out / "calendar.jsonl"))
    assert sorted((row["asset_symbol"], row["earnings_date"]) for row in calendar) == sorted(rows)
    assert all(row["is_processed"] for row in calendar)
    assert all(row["estimated_eps"] == 0.25 for row in calendar), "what belongs to the calendar sync is untouched"
    audit = {record["earnings_key"]: record for record in read_jsonl(out / "audit.jsonl")}
    assert len(audit) == len(list(read_jsonl(out / "audit.jsonl"))) == 60
    for row in calendar:
        record = audit[f"{row['asset_symbol']}#{row['earnings_date']}"]
        assert record["event_id"] == row["processed_by_event"]
        assert record["correlation_id"] == row["correlation_id"]
    sent_messages = list(read_jsonl(out / "dlq.jsonl"))
    assert Counter(dead_letter["attributes"]["ERROR_CODE"] for dead_letter in sent_messages) == {
        "validation": 4,
        "not_found": 2,
    }
    failed = {value["id"]: value for value in events[65:]}
    bodies = [json.loads(dead_letter["body"]) for dead_letter in sent_messages]
    assert {body["id"]: body for body in bodies} == failed
    metrics = sum_metrics(read_jsonl(out / "metrics.jsonl"))
    counted = {name: metrics[name].total for name in ("EventsReceived", "EventsMarked", "EventsDuplicate")}
    assert counted == {"EventsReceived": 71, "EventsMarked": 60, "EventsDuplicate": 5}
    assert metrics["EventsDeadLettered"].total == 6
    assert metrics["ColdStarts"].total == 2
    ended = [line for line in read_jsonl(out / "logs.jsonl") if line.get("event_type") == "event_outcome"]
    assert Counter(line["outcome"] for line in ended) == {"marked": 60, "duplicate": 5, "dead_lettered": 6}
    traces = {line["trace_id"]: line["correlation_id"] for line in ended}
    spans = list(read_jsonl(out / "spans.jsonl"))
    assert {span["trace_id"] for span in spans} == set(traces)
    assert all(span["attributes"]["correlation_id"] == traces[span["trace_id"]] for span in spans)
    assert len(spans) == summary.spans
    # Each event has its own span, one for its write unless it was invalid, and one for its dead letter.
    assert len(spans) == 71 + 67 + 6

    again = run(chosen, screen, queue=dead_letters.endpoint)

    assert outcomes(again) == (71, 0, 0, 65, 6, 0)
    assert len(list(read_jsonl(out / "audit.jsonl"))) == 60
    assert [row["processed_at"] for row in read_jsonl(out / "calendar.jsonl")] == [
        row["processed_at"] for row in calendar
    ]


def test_lines_that_are_not_json_are_rejected(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(
        b"\xef\xbb\xbf"
        + json.dumps(event("AAPL", "2025-07-31", 1)).encode()
        + b"\r\nnull\n[]\n\n7\n"
        + b'"\\ud800"\nNaN\n{"cut": \n\xff\xfe\n'
        + b"[" * 4000
        + b"]" * 4000
        + b'\n{"id": "no line break at the end"}'
    )

    summary = run(options(tmp_path, url, events), screen, queue=dead_letters.endpoint)

    assert summary.accounted
    assert (summary.received, summary.rejected, summary.marked) == (7, 3, 1)
    rejected = list(read_jsonl(tmp_path / "out" / "rejected.jsonl"))
    assert [(line["line"], line["text"]) for line in rejected] == [(7, "NaN"), (8, '{"cut":'), (9, "\\xff\\xfe")]
    for number in (7, 8, 9):
        assert f"line {number} is not JSON" in said(screen)


def test_only_the_first_rejected_lines_are_reported(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("no\n" * 100)

    summary = run(options(tmp_path, url, events), screen, queue=dead_letters.endpoint)

    assert outcomes(summary) == (0, 100, 0, 0, 0, 0)
    assert len(said(screen).splitlines()) == 21


def test_standard_input_is_read(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(event("AAPL", "2025-07-31", 1)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    chosen = options(tmp_path, url, tmp_path / "unused")

    summary = run(
        RunOptions(calendar=chosen.calendar, events=None, out=chosen.out, endpoint_url=url, workers=1),
        screen,
        queue=dead_letters.endpoint,
    )

    assert outcomes(summary) == (1, 0, 1, 0, 0, 0)


def test_a_running_container_gets_the_events(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    events = write_events(tmp_path / "events.jsonl", [event("AAPL", "2025-07-31", number) for number in range(3)])

    with emulator(200, b'{"outcome": "marked"}') as (function_url, sent):
        chosen = options(tmp_path, url, events, function_url=function_url)
        summary = run(chosen, screen, queue=dead_letters.endpoint)

    assert outcomes(summary) == (3, 0, 3, 0, 0, 0)
    assert [json.loads(payload)["id"][-1] for payload in sent] == ["0", "1", "2"]
    assert summary.spans == 0, "they are where the container sends them"
