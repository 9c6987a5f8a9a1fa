"""What belongs to one invocation stands together, and the verdict says how it ended."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.problems import Problem, Reason
from mep.trace.entries import Entry, Kind, SearchResult
from mep.trace.gaps import Gap, Source
from mep.trace.timeline import make_timeline

SECOND = 1_000_000_000


def span(at: float, span_id: str, parent_id: str = "", **more: Any) -> Entry:
    return Entry(int(at * SECOND), "span", span_id, duration_ms=500.0, span_id=span_id, parent_id=parent_id, **more)


def outcome(at: float, span_id: str = "", **attributes: Any) -> Entry:
    attributes = {"event_type": "event_outcome", **attributes}
    return Entry(int(at * SECOND), "log", "event processed", span_id=span_id, request_id="r", attributes=attributes)


def summary(*entries: Entry) -> str:
    return make_timeline("c", [SearchResult(entries)]).summary


def test_each_try_of_an_event_is_a_part_with_its_calls_below_it() -> None:
    entries = (
        span(61, "root-2", "lambda", request_id="r", trace_id="t"),
        span(61.1, "call-2", "root-2", trace_id="t"),
        outcome(61.4, "root-2", outcome="marked"),
        Entry(int(61.2 * SECOND), "audit", "audit entry", request_id="r", trace_id="t"),
        span(0, "root-1", "lambda", request_id="r", trace_id="t"),
        span(0.1, "call-1", "root-1", trace_id="t"),
        Entry(int(0.6 * SECOND), "log", "EventNotProcessed", request_id="r"),
        Entry(90 * SECOND, "dead_letter", "a letter", request_id="r"),
    )
    sections = make_timeline("c", [SearchResult(entries)]).sections
    assert [(section.title, [entry.title for entry in section.entries], section.depths) for section in sections] == [
        ("invocation 1", ["root-1", "call-1", "EventNotProcessed"], (0, 1, 0)),
        ("invocation 2", ["root-2", "call-2", "audit entry", "event processed"], (0, 1, 0, 1)),
        ("in the dead-letter queue", ["a letter"], (0,)),
    ]
    assert sections[0].length_ms == 600


def test_without_spans_the_log_tells_what_belongs_together() -> None:
    lines = (outcome(0, "gone-1", outcome="retry"), outcome(60, "gone-2", outcome="marked"))
    assert [len(section.entries) for section in make_timeline("c", [SearchResult(lines)]).sections] == [1, 1]


def test_an_audit_entry_of_no_invocation_is_an_operator_s() -> None:
    entry = Entry(9 * SECOND, "audit", "audit entry: redriven", request_id="r", attributes={"operator": "somebody"})
    sections = make_timeline("c", [SearchResult((span(0, "root", request_id="r"), entry))]).sections
    assert [section.title for section in sections] == ["invocation 1", "by an operator"]


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
            "dead-lettered: more tries cannot help (not_found: NoSuchRow)",
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
def test_the_verdict_is_the_last_outcome_that_counts(attributes: list[dict[str, Any]], expected: str) -> None:
    assert summary(*(outcome(60 * number, f"s{number}", **each) for number, each in enumerate(attributes))) == expected


def test_the_verdict_knows_of_a_letter_and_of_nothing() -> None:
    dead_letter = Entry(9 * SECOND, "dead_letter", "a letter")
    failed = outcome(0, outcome="retry", error_category="timeout")
    assert summary(failed, dead_letter).endswith("(timeout); a dead letter holds the event")
    assert summary(span(0, "root", attributes={"outcome": "marked"})) == "the row is marked"
    assert summary(dead_letter) == "no outcome is known: the function did not report one"
    assert summary() == "nothing is known of this ID"


def entry(at: float, action: str = "mark_processed", **attributes: Any) -> Entry:
    return Entry(int(at * SECOND), "audit", f"audit entry: {action}", attributes={"action": action, **attributes})


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
    """It is written with the mark or not at all; what the function reported may be lost, or of another try."""
    assert summary(*known, entry(1)) == "the row is marked: its audit entry says so"
    assert summary(*known, entry(1, "redriven", operator="alice")) != "the row is marked: its audit entry says so"
    assert summary(*known, entry(1), outcome(2, outcome="marked", attempts=2)).startswith("the row is marked, after 2")


def test_whose_entry_it_is() -> None:
    sections = make_timeline("c", [SearchResult((entry(0), entry(9, "redriven", operator="alice")))]).sections
    assert [section.title for section in sections] == ["by the function", "by an operator"]


def test_a_function_that_could_not_be_asked_has_not_failed_to_report() -> None:
    dead_letter = Entry(9 * SECOND, "dead_letter", "a letter")
    denied = Gap(Source.LOG, "/aws/lambda/f", Problem(Reason.ACCESS_DENIED, "AccessDenied at StartQuery"))
    found = make_timeline("c", [SearchResult((dead_letter,), gaps=(denied,))])
    assert found.summary == "no outcome is known: the log could not be asked (partial: without the log)"


IDS = st.sampled_from(["", "a", "b", "c", "d"])
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["span", "backoff", "log", "audit", "dead_letter"])
MOMENTS = st.builds(
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


@given(st.lists(MOMENTS, max_size=12))
def test_no_moment_is_lost_whatever_refers_to_whatever(entries: list[Entry]) -> None:
    """Spans that are their own ancestors included."""
    timeline = make_timeline("c", [SearchResult(tuple(entries))])
    kept = [entry for entry in entries if entry.kind != "backoff"]
    found = [entry for entry in timeline.entries if entry.kind != "backoff"]
    assert sorted(map(id, found)) == sorted(map(id, kept))
    assert all(section.length_ms >= 0 for section in timeline.sections)
    timeline.as_json()
