"""The files of a run as tables and trees."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console, RenderableType

from mep import terminal
from mep.local import render
from mep.local.summary import Summary
from mep.text import escape_control

type Show = Callable[[RenderableType], str]


@pytest.fixture
def show() -> Show:
    def show(what: RenderableType) -> str:
        screen = Console(file=io.StringIO(), width=terminal.WIDTH)
        screen.print(what)
        assert isinstance(screen.file, io.StringIO)
        text = screen.file.getvalue()
        assert max(map(len, text.splitlines())) <= terminal.WIDTH
        return text

    return show


def span(name: str, number: int, parent: int | None, start: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "trace_id": "t" * 32,
        "span_id": f"{number:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}",
        "status": "UNSET",
        "attributes": {"correlation_id": "c-1"},
        "events": [],
        "links": [],
        "start_time_unix_nano": start * 1_000_000,
        "duration_ms": 2.5,
        **more,
    }


def test_a_trace_is_a_tree_in_the_order_of_time(show: Show) -> None:
    backoff = {"name": "retry.backoff", "time_unix_nano": 15_000_000, "attributes": {"attempt": 1, "delay_ms": 1000}}
    spans = [
        span("second", 3, 1, 30),
        span("first", 2, 1, 10, attributes={"correlation_id": "c-1", "error_category": "throttling"}),
        span("root", 1, 99, 5, events=[backoff], links=[{"trace_id": "p" * 32, "span_id": "", "attributes": {}}]),
        span("below", 4, 3, 31, attributes={}),
    ]

    lines = show(render.trace_tree(spans)).splitlines()

    assert [line.split("─ ")[-1].split("  ")[0].strip() for line in lines] == [
        f"trace {'t' * 32}",
        "root",
        f"linked to the producer's trace {'p' * 32}",
        "first",
        "retry.backoff",
        "second",
        "below",
    ]
    assert "2.5 ms  correlation_id=c-1" in lines[1]
    assert "error_category=throttling" in lines[3]
    assert "at 10 ms  attempt=1  delay_ms=1000" in lines[4]
    assert lines[6].index("below") > lines[5].index("second")
    assert "correlation_id=(none)" in lines[6]


def test_no_spans_are_reported(show: Show) -> None:
    assert show(render.trace_tree([])).strip() == "no spans"


def document(dimensions: list[list[str]], **values: Any) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": "Count" if name.startswith("E") else "Milliseconds"} for name in values]
    directive = {"Namespace": "N", "Dimensions": dimensions, "Metrics": metrics}
    return {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, **values}


def test_metrics_are_summed_once(show: Show) -> None:
    metrics = render.sum_metrics(
        [
            document([["Environment"], ["Environment", "ErrorCategory"]], Errors=1),
            document([["Environment", "ErrorCategory"]], Errors=1),
            document([["Environment"]], Errors=2, Latency=[1.0, 3.0]),
            document([["Environment"]], Latency=8.0),
        ]
    )

    assert metrics["Errors"].total == 3
    assert metrics["Latency"].values == [1.0, 3.0, 8.0]
    errors, latency = (
        line for line in show(render.metrics_table(metrics)).splitlines() if "rr" in line or "La" in line
    )
    assert errors.split() == ["Errors", "count", "3"]
    assert latency.split() == ["Latency", "milliseconds", "4.0", "8.0"]


@pytest.mark.parametrize(
    ("text", "expected"), [("\x1b[31m", "\\x1b[31m"), ("a\nb", "a\\nb"), ("ü \u202ex", "ü \\u202ex"), (5, "5")]
)
def test_control_characters_are_escaped(text: object, expected: str) -> None:
    assert escape_control(text) == expected


def test_outcomes_show_every_count(show: Show) -> None:
    summary = Summary(
        received=11,
        rejected=1,
        rejected_rows=0,
        marked=4,
        duplicate=3,
        dead_lettered=2,
        retry=2,
        tries_raised=6,
        elapsed_s=1.25,
        invocations=15,
        undelivered=0,
        spans=30,
        spans_lost=0,
        interrupted=False,
    )

    text = show(render.outcomes_table(summary))

    counts = [line.split()[:2] for line in text.splitlines() if line.strip() and line.split()[0].islower()]
    assert counts[1:] == [
        ["received", "11"],
        ["marked", "4"],
        ["duplicate", "3"],
        ["dead_lettered", "2"],
        ["retry", "2"],
        ["rejected", "1"],
    ]
    assert "30 spans, 6 of 15 attempts raised (`retry` counts events)" in text


def test_without_a_terminal_the_width_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.console().width == terminal.WIDTH
