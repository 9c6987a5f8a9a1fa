"""What tests of whole runs share."""

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from mep.local.options import RunOptions
from mep.local.summary import Summary

HEADER = "symbol,name,reportDate,fiscalDateEnding,estimate,currency"


def said(screen: Console) -> str:
    """Return what a console that writes into memory has shown."""
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def write_calendar(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Write a calendar in the form of the data feeds."""
    lines = [HEADER, *(f'{symbol},"{symbol} Inc",{date},2025-06-30,0.25,USD' for symbol, date in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_events(path: Path, events: list[Any]) -> Path:
    """Write events as JSON lines."""
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return path


def options(tmp_path: Path, url: str, events: Path, **more: Any) -> RunOptions:
    """Return options for a run with one worker and, unless there is one, a calendar of one row (AAPL)."""
    calendar = tmp_path / "calendar.csv"
    if not calendar.exists():
        write_calendar(calendar, [("AAPL", "2025-07-31")])
    return RunOptions(
        calendar=calendar, events=events, out=tmp_path / "out", endpoint_url=url, workers=more.pop("workers", 1), **more
    )


def outcomes(summary: Summary) -> tuple[int, int, int, int, int, int]:
    """Return received, rejected, and the four outcomes."""
    return (
        summary.received,
        summary.rejected,
        summary.marked,
        summary.duplicate,
        summary.dead_lettered,
        summary.retry,
    )
