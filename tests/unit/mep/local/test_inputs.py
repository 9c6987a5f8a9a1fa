"""What a calendar without rows says."""

import io
from pathlib import Path

from rich.console import Console

from mep.local.inputs import open_calendar
from tests.support.run_helpers import said, write_calendar


def test_a_calendar_of_a_header_only_is_named(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), width=200)
    path = write_calendar(tmp_path / "c.csv", [])

    with open_calendar(path, screen) as calendar:
        assert len(calendar.rows) == 0
    assert said(screen) == f"mep: {path} has no row, only its header: nothing is loaded\n"

    with open_calendar(write_calendar(path, [("AAPL", "2025-07-31")]), screen):
        pass
    assert said(screen).count("\n") == 1
