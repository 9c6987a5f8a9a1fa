"""Entries are grouped by invocation; the summary states the outcome."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.errors import Problem, Reason
from mep.trace.entries import Entry, Kind, SearchResult, Writer
from mep.trace.sources import Gap, Source
from mep.trace.timeline import make_timeline

SECOND = 1_000_000_000


def span(at: float, span_id: str, parent_id: str = "", **more: Any) -> Entry:
    return Entry(int(at * SECOND), "span", span_id, duration_ms=500.0, span_id=span_id, parent_id=parent_id, **more)


def outcome(at: float, span_id: str = "", **attributes: Any) -> Entry:
    attributes = {"event_type": "event_outcome", **attributes}
    return Entry(int(at * SECOND), "log", "event processed", span_id=span_id, request_id="r", attributes=attributes)


def summary(*entries: Entry) -> str:
    return make_timeline("c", [SearchResult(entries)]).summary


def test_each_attempt_is_a_section_with_its_calls() -> None:
    entries = (
        span(61, "root-2", "lambda", request_id="r", trace_id="t"),
        span(61.1, "call-2", "root-2", trace_id="t"),
        outcome(61.4, "root-2", outcome="marked"),
        Entry(int(61.2 * SECOND), "audit", "audit entry", request_id="r", trace_id="t"),
        span(0, "root-1", "lambda", request_id="r", trace_id="t"),
        span(0.1, "call-1", "root-1", trace_id="t"),
        Entry(0, "log", "EventNotProcessed", request_id="r", writer="runtime_client"),
        Entry(90 * SECOND, "dead_letter", "a dead letter", request_id="r"),
    )
    sections = make_timeline("c", [SearchResult(entries)]).sections
    assert [(section.title, [entry.title for entry in section.entries], section.depths) for section in sections] == [
        ("invocation 1", ["root-1", "call-1", "EventNotProcessed"], (0, 1, 0)),
        ("invocation 2", ["root-2", "call-2", "audit entry", "event processed"], (0, 1, 1, 1)),
        ("in the dead-letter queue", ["a dead letter"], (0,)),
    ]
    assert sections[0].length_ms == 600


def test_without_spans_the_log_groups_entries() -> None:
    lines = (outcome(0, "gone-1", outcome="retry"), outcome(60, "gone-2", outcome="marked"))
    assert [len(section.entries) for section in make_timeline("c", [SearchResult(lines)]).sections] == [1, 1]


def test_an_operators_audit_entry_is_a_section() -> None:
    redriven = replace(entry(9, "redriven", operator="somebody"), request_id="r")
    sections = make_timeline("c", [SearchResult((span(0, "root", request_id="r"), redriven))]).sections
    assert [section.title for section in sections] == ["invocation 1", "redriven by an operator"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([{"outcome": "marked", "attempts": 1}], "the row is marked"),
        ([{"outcome": "marked", "attempts": 3}], "the row is marked, after 3 attempts"),
        (
            [
                {"outcome": "retry", "error_category": "network", "error_code": "ReadTimeoutError"},
                {"outcome": "marked"},
            ],
            "the row is marked, invocation 2 of 2",
        ),
        (
            [{"outcome": "marked"}, {"outcome": "duplicate", "same_event": True}],
            "the row is marked, invocation 1 of 2",
        ),
        (
            [{"outcome": "duplicate", "same_event": False}],
            "a duplicate: the row was marked before by another event",
        ),
        (
            [{"outcome": "dead_lettered", "error_category": "not_found", "error_code": "NoSuchRow"}],
            "dead-lettered: permanent failure (not_found: NoSuchRow)",
        ),
        (
            [
                {
                    "outcome": "retry",
                    "error_category": "throttling",
                    "error_code": "Code",
                    "throttling_reasons": ["R1 arn", "R2 arn"],
                }
            ],
            "not processed: left to Lambda's retries and its on-failure destination (throttling: Code: R1 arn; R2 arn)",
        ),
    ],
)
def test_the_summary_is_the_decisive_outcome(attributes: list[dict[str, Any]], expected: str) -> None:
    entries = [outcome(60 * number, f"s{number}", **values) for number, values in enumerate(attributes)]
    assert summary(*entries) == expected


def test_the_summary_without_a_mark() -> None:
    dead_letter = Entry(9 * SECOND, "dead_letter", "a dead letter")
    failed = outcome(0, outcome="retry", error_category="timeout")
    assert summary(failed, dead_letter).endswith("(timeout); a dead letter contains the event")
    assert summary(span(0, "root", attributes={"outcome": "marked"})) == "the row is marked"
    assert summary(dead_letter) == "no outcome: the function did not report one"
    assert summary() == "no record of this ID"


def entry(at: float, action: str = "mark_processed", **attributes: Any) -> Entry:
    values = {"action": action, **attributes}
    writer: Writer = "operator" if attributes else "function"
    return Entry(int(at * SECOND), "audit", f"audit entry: {action}", attributes=values, writer=writer)


@pytest.mark.parametrize(
    "known",
    [
        [],
        [outcome(0, outcome="retry", error_category="network")],
        [outcome(0, outcome="duplicate", same_event=True)],
        [span(0, "root", attributes={"outcome": "retry"})],
    ],
)
def test_the_audit_entry_proves_the_mark(known: list[Entry]) -> None:
    """It is written in one transaction with the mark; the reported outcome may be lost or of another attempt."""
    assert summary(*known, entry(1)) == "the row is marked, according to its audit entry"
    assert summary(*known, entry(1, "redriven", operator="alice")) != "the row is marked, according to its audit entry"
    assert summary(*known, entry(1), outcome(2, outcome="marked", attempts=2)).startswith("the row is marked, after 2")


def test_the_section_names_who_wrote_an_audit_entry() -> None:
    sections = make_timeline("c", [SearchResult((entry(0), entry(9, "redriven", operator="alice")))]).sections
    titles = ["invocation 1, known only by its audit entry", "redriven by an operator"]
    assert [section.title for section in sections] == titles


def test_a_missing_log_is_not_a_missing_outcome() -> None:
    dead_letter = Entry(9 * SECOND, "dead_letter", "a dead letter")
    denied = Gap(Source.LOG, "/aws/lambda/f", Problem(Reason.ACCESS_DENIED, "AccessDenied at StartQuery"))
    timeline = make_timeline("c", [SearchResult((dead_letter,), gaps=(denied,))])
    assert timeline.summary == "no outcome: the log could not be read (partial: without the log)"


IDS = st.sampled_from(["", "a", "b", "c", "d"])
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["span", "backoff", "log", "audit", "dead_letter"])
ENTRIES = st.builds(
    Entry,
    at=st.integers(0, 10**19),
    kind=KINDS,
    title=st.text(max_size=3),
    duration_ms=st.none() | st.floats(0, 1e6),
    trace_id=IDS,
    span_id=IDS,
    parent_id=IDS,
    request_id=IDS,
)


@given(st.lists(ENTRIES, max_size=12))
def test_no_entry_is_lost(entries: list[Entry]) -> None:
    """IDs may refer to anything, even a span to itself."""
    timeline = make_timeline("c", [SearchResult(tuple(entries))])
    expected = [entry for entry in entries if entry.kind != "backoff"]
    actual = [entry for entry in timeline.entries if entry.kind != "backoff"]
    assert sorted(entry.title for entry in actual) == sorted(entry.title for entry in expected)
    assert all(section.length_ms >= 0 for section in timeline.sections)
    timeline.as_json()


def of_row(line: Entry, symbol: str, request_id: str) -> Entry:
    attributes = {**line.attributes, "asset_symbol": symbol, "earnings_date": "2025-07-31"}
    return replace(line, request_id=request_id, attributes=attributes)


def test_each_event_with_the_correlation_id_has_its_verdict() -> None:
    """A batch may have one correlation ID: the mark of one event is not that of another."""
    failed = of_row(outcome(0, "s1", outcome="dead_lettered", error_category="not_found"), "ZZZZ", "r1")
    dead_letter = Entry(1 * SECOND, "dead_letter", "a dead letter", request_id="r1")
    marked = of_row(outcome(2, "s2", outcome="marked"), "AAPL", "r2")
    found = make_timeline("c", [SearchResult((failed, dead_letter, marked))])
    assert found.summary == (
        "2 events have this correlation ID: "
        "ZZZZ 2025-07-31: dead-lettered: permanent failure (not_found), invocation 1 of 2; "
        "a dead letter contains the event | AAPL 2025-07-31: the row is marked, invocation 2 of 2"
    )
    assert found.verdict.outcome is None


def test_an_event_without_a_valid_row_has_its_verdict() -> None:
    invalid = replace(outcome(0, "s1", outcome="dead_lettered", error_category="validation"), request_id="r1")
    marked = of_row(outcome(2, "s2", outcome="marked"), "AAPL", "r2")
    assert "without a valid row: dead-lettered" in summary(invalid, marked)
    again = of_row(outcome(3, "s3", outcome="duplicate", same_event=True), "AAPL", "r3")
    assert summary(marked, again) == "the row is marked, invocation 1 of 2"


def test_a_dead_letter_without_a_time_has_no_invented_one() -> None:
    """A local run's dead letter has the time of the log line that sent it; without the log, it has none."""
    (section,) = make_timeline("c", [SearchResult((Entry(0, "dead_letter", "a dead letter"),))]).sections
    assert section.start_text == "at an unknown time"
    (section,) = make_timeline("c", [SearchResult((Entry(SECOND, "dead_letter", "a dead letter"),))]).sections
    assert section.start_text == "1970-01-01T00:00:01.000000Z"


def test_an_unknown_time_is_null_in_json() -> None:
    (part,) = make_timeline("c", [SearchResult((Entry(0, "dead_letter", "a dead letter"),))]).as_json()["parts"]
    (moment,) = part["moments"]
    assert (part["start"], moment["timestamp"], moment["at"]) == (None, None, None)
