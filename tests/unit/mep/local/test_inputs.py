"""What is said of a calendar without rows, and of an event without an envelope."""

import io
import json
from pathlib import Path

from rich.console import Console

from mep.local.inputs import EventReader, open_calendar, open_events
from mep.local.run_files import JsonLines
from mep.local.summary import RunCounter
from mep.progress import ProgressBar
from tests.support.run_helpers import said, write_calendar, write_events


def test_a_calendar_of_a_header_only_is_named(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), width=200)
    path = write_calendar(tmp_path / "c.csv", [])

    with open_calendar(path, screen) as calendar:
        assert len(calendar.rows) == 0
    assert said(screen) == f"mep: {path} has no row, only its header: nothing is loaded\n"

    with open_calendar(write_calendar(path, [("AAPL", "2025-07-31")]), screen):
        pass
    assert said(screen).count("\n") == 1


def test_the_first_event_without_an_envelope_is_named(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), width=200)
    detail = {"asset_symbol": "AAPL", "event_id": "not the envelope's", "note": '"id"'}
    whole = {"id": "e-1", "source": "s", "detail-type": "t", "detail": detail}
    events = [
        whole,
        "text",
        'an "id"',
        {**whole, "id": None},
        {"source": "s", "detail-type": "t", "detail": detail},
        {},
    ]
    path = write_events(tmp_path / "e.jsonl", events)

    with open_events(path) as text, (tmp_path / "rejected").open("wb") as file:
        reader = EventReader(text, JsonLines(file), RunCounter(), screen)
        found = [json.loads(line.payload) for line in reader.events(ProgressBar(screen, "reading"))]

    assert found == events, "all are delivered"
    (line,) = said(screen).splitlines()
    assert line.startswith("mep: line 5 has no id: the function dead-letters an event without what EventBridge adds")
