"""Symbols of market-data feeds in files, keys, terminals and pages."""

import io
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from mep.local.jsonl import read_jsonl
from mep.local.options import RunOptions
from mep.local.run import run
from mep.trace.entries import Entry
from mep.trace.local_run import find_in_folder
from mep.trace.lookup import row_keys
from mep.trace.render_html import page
from mep.trace.render_text import show
from mep.trace.timeline import make_timeline
from tests.support.events import event
from tests.support.run_helpers import write_calendar, write_events
from tests.support.strategies import MARKET_SYMBOLS

DATE, NO_ROW = "2031-03-07", "2031-03-08"
"""Dates of this test only: other runs may share the DynamoDB."""


@pytest.fixture(scope="module")
def market(
    dynamodb_endpoint: DynamoDBEndpoint, queue_endpoint: QueueEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run: for each symbol an event that is marked, and one for a date without a row."""
    folder = tmp_path_factory.mktemp("market")
    events = [sent(number, symbol, day) for number, symbol in enumerate(MARKET_SYMBOLS) for day in (DATE, NO_ROW)]
    options = RunOptions(
        calendar=write_calendar(folder / "calendar.csv", [(symbol, DATE) for symbol in MARKET_SYMBOLS]),
        events=write_events(folder / "events.jsonl", events),
        out=folder / "out",
        endpoint_url=dynamodb_endpoint.url,
        workers=1,
    )
    run(options, Console(file=io.StringIO()), queue=create_queue(queue_endpoint.url, "market"))
    return folder / "out"


def sent(number: int, symbol: str, day: str) -> dict[str, Any]:
    detail = {"asset_symbol": f" {symbol.lower()} ", "earnings_date": day, "correlation_id": f"c-{number}-{day}"}
    return event(symbol, day, number, detail=detail)


def test_each_symbol_has_its_own_key(market: Path) -> None:
    rows = [row for row in read_jsonl(market / "calendar.jsonl") if row["earnings_date"] == DATE]
    assert {row["asset_symbol"] for row in rows if row["is_processed"]} == {*MARKET_SYMBOLS}
    keys = [entry["earnings_key"] for entry in read_jsonl(market / "audit.jsonl")]
    assert sorted(key for key in keys if key.endswith(f"#{DATE}")) == sorted(
        f"{each}#{DATE}" for each in MARKET_SYMBOLS
    )


@pytest.mark.parametrize("number", range(len(MARKET_SYMBOLS)), ids=MARKET_SYMBOLS)
def test_the_trace_shows_the_row(market: Path, number: int) -> None:
    symbol = MARKET_SYMBOLS[number]
    timeline = make_timeline(f"c-{number}-{DATE}", [find_in_folder(f"c-{number}-{DATE}", market)])
    assert [(row["asset_symbol"], row["earnings_date"]) for row in timeline.rows] == [(symbol, DATE)]
    screen = Console(file=io.StringIO(), width=200)
    show(timeline, screen)
    assert isinstance(screen.file, io.StringIO)
    assert f"{symbol} {DATE}: processed at" in screen.file.getvalue()
    assert f"<dt>asset_symbol</dt><dd><code>{symbol}</code></dd>" in unescape(page(timeline))


@pytest.mark.parametrize("number", range(len(MARKET_SYMBOLS)), ids=MARKET_SYMBOLS)
def test_a_missing_row_is_named(market: Path, number: int) -> None:
    found = find_in_folder(f"c-{number}-{NO_ROW}", market)
    assert found.notes == (f"no row for {MARKET_SYMBOLS[number]} on {NO_ROW} in the calendar",)
    (dead_letter,) = [entry for entry in found.entries if entry.kind == "dead_letter"]
    assert dead_letter.attributes["why"] == f"no row for {MARKET_SYMBOLS[number]} on {NO_ROW} in the calendar"


@pytest.mark.parametrize("symbol", MARKET_SYMBOLS)
def test_an_audit_key_is_symbol_and_date(symbol: str) -> None:
    entry = Entry(at=0, kind="audit", title="audit entry", attributes={"earnings_key": f"{symbol}#{DATE}"})
    assert row_keys([entry]) == [(symbol, DATE)]
