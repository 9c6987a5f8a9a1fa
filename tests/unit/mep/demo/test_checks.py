"""Each check of the demo fails when it should."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mep.demo import checks
from mep.demo.checks import Check
from mep.local.summary import Summary

SUMMARY = Summary(
    received=4,
    rejected=1,
    rejected_rows=0,
    marked=1,
    duplicate=1,
    dead_lettered=1,
    retry=1,
    tries_raised=0,
    elapsed_s=1,
    invocations=6,
    undelivered=0,
    spans=2,
    spans_lost=0,
    interrupted=False,
)
AUDIT = {"earnings_key": "A#2025-01-01", "correlation_id": "c", "action": "mark_processed"}
EVENT = {"id": "e", "detail": {"b": 1, "a": 2}}


def write(out: Path, name: str, values: Iterable[Any]) -> None:
    (out / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))


def emf(**values: float) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    return {"_aws": {"CloudWatchMetrics": [{"Dimensions": [["Environment"]], "Metrics": metrics}]}, **values}


def backoff(attempt: int, delay_ms: float = 1500.0) -> dict[str, Any]:
    attributes = {"attempt": attempt, "delay_ms": delay_ms, "error_category": "throttling"}
    return {"name": "retry.backoff", "attributes": attributes}


def span(trace_id: str = "t", name: str = "DynamoDB.TransactWriteItems", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "span_id": "s",
        "trace_id": trace_id,
        "attributes": {"correlation_id": "c"},
        "events": [],
        **more,
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The files of a run that passes every check."""
    rows = [
        {"asset_symbol": "A", "earnings_date": "2025-01-01", "is_processed": True, "correlation_id": "c"},
        {"asset_symbol": "B", "earnings_date": "2025-01-01", "is_processed": False},
    ]
    write(tmp_path, "calendar", rows)
    # The audit entry of a redrive is not a second mark.
    write(tmp_path, "audit", [{**AUDIT, "action": "redriven"}, AUDIT])
    ended = {"event_type": "event_outcome", "outcome": "marked", "trace_id": "t", "correlation_id": "c"}
    write(tmp_path, "logs", [ended, {"message": "other"}])
    write(tmp_path, "spans", [span(name="root", events=[backoff(1), backoff(2)]), span(), span(), span()])
    body = json.dumps({"detail": {"a": 2, "b": 1}, "id": "e"})
    write(tmp_path, "dlq", [{"message_id": "m", "body": body, "attributes": {"CORRELATION_ID": "c"}}])
    counts = {
        "EventsReceived": 4,
        "EventsMarked": 1,
        "EventsDuplicate": 1,
        "EventsDeadLettered": 1,
        "EventsRetried": 1,
        "Operations": 1,
        "Retries": 2,
        "RetrySuccesses": 1,
    }
    write(tmp_path, "metrics", [emf(**counts)])
    return tmp_path


def check(out: Path, summary: Summary = SUMMARY) -> list[Check]:
    """Return every check of a run of five lines with one permanent failure."""
    return [
        checks.accounting(summary, 5),
        *checks.rows_and_audit(out, [("A", "2025-01-01")]),
        *checks.correlation(out),
        *checks.metrics(out, summary),
        *checks.dead_letters(out, [EVENT]),
        *checks.backoff(out, replace(summary, received=1, marked=1), 2),
    ]


def failures(results: list[Check]) -> list[str]:
    return [check.text for check in results if check.failure]


def test_a_good_run_passes(out: Path) -> None:
    assert failures(check(out)) == []


@pytest.mark.parametrize("change", [{"marked": 2}, {"rejected": 0}])
def test_a_line_without_an_outcome_fails(out: Path, change: dict[str, int]) -> None:
    assert "every line is accounted for" in failures(check(out, replace(SUMMARY, **change)))[0]  # type: ignore[arg-type]


ROW = {"asset_symbol": "B", "earnings_date": "2025-01-01", "is_processed": True, "correlation_id": "c"}
DEAD_LETTER_MESSAGE = {"message_id": "m", "body": '{"id": "e"}', "attributes": {}}


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("calendar", [], "the right calendar rows are marked"),
        ("calendar", [ROW], "the right calendar rows are marked"),
        ("audit", [], "exactly one audit entry"),
        ("audit", [AUDIT, AUDIT], "exactly one audit entry"),
        ("audit", [{**AUDIT, "correlation_id": "other"}], "have the same correlation ID"),
        ("spans", [span(attributes={})], "every span has the correlation ID"),
        ("spans", [span(attributes={"correlation_id": "other"})], "every span has the correlation ID"),
        ("spans", [span("of another trace")], "every span has the correlation ID"),
        ("metrics", [emf(EventsReceived=3)], "the metrics equal the outcomes"),
        ("metrics", [emf(Operations=1, Retries=1)], "the metrics count them"),
        ("dlq", [], "the dead-letter queue contains the failed events"),
        ("dlq", [DEAD_LETTER_MESSAGE], "the dead-letter queue contains the failed events"),
        ("dlq", [DEAD_LETTER_MESSAGE], "every dead letter has its correlation ID"),
        ("spans", [span(events=[backoff(1)])], "has each backoff"),
        ("spans", [span(events=[backoff(1), backoff(2, 10.0)])], "the delays are 1 s to 30 s"),
        ("spans", [span(), span()], "each attempt has its own span"),
    ],
)
def test_each_check_can_fail(out: Path, name: str, values: list[Any], text: str) -> None:
    write(out, name, values)

    assert any(text in failure for failure in failures(check(out)))


def test_a_throttled_event_without_a_mark_fails(out: Path) -> None:
    assert failures(list(checks.backoff(out, SUMMARY, 2))) == ["the throttled event marked its row"]
