"""Spans, log lines and audit entries become timeline entries; a backoff in both span and log is one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.trace.entries import SearchResult, nanoseconds, time_text
from mep.trace.formatting import displayed_attributes
from mep.trace.lookup import deduplicate, row_keys, violation_notes
from mep.trace.parsing import audit_entry, dead_letter_entry, log_entry, span_entries
from mep.trace.timeline import make_timeline
from otel.event_types import MESSAGES, EventType

TRACE, ROOT = "6b05944f6f374a0143ccc6e41934d2d1", "bf5345c526ee4e2b"
SPAN = {
    "name": "MarkEarningsProcessed",
    "trace_id": TRACE,
    "span_id": ROOT,
    "parent_span_id": None,
    "kind": "SERVER",
    "status": "ERROR",
    "attributes": {"faas.invocation_id": "r-1", "outcome": "retry"},
    "events": [
        {
            "name": "retry.backoff",
            "time_unix_nano": 1_500_000_000,
            "attributes": {"attempt": 1, "delay_ms": 50.5, "error_category": "conflict"},
        },
        {"name": "exception", "time_unix_nano": 1_600_000_000, "attributes": {}},
    ],
    "links": [{"trace_id": "f" * 32, "span_id": "e" * 16}],
    "start_time_unix_nano": 1_000_000_000,
    "end_time_unix_nano": 3_000_000_000,
}
BACKOFF_LINE = {
    "timestamp": "1970-01-01T00:00:01.500100Z",
    "level": "WARN",
    "event_type": "retry_backoff",
    "message": "whatever it says",
    "correlation_id": "c",
    "request_id": "r-1",
    "trace_id": TRACE,
    "span_id": ROOT,
    "attempt": 1,
    "delay_ms": 50.5,
    "error_category": "conflict",
}
THROTTLED = {"error_category": "throttling", "throttling_reasons": ["TableWriteKeyRangeThroughputExceeded arn"]}


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - a bound
def test_a_time_survives_a_round_trip(entry: datetime) -> None:
    text = entry.isoformat(timespec="microseconds").replace("+00:00", "Z")
    at = nanoseconds(text)
    assert at is not None
    assert time_text(at) == text


@pytest.mark.parametrize("text", [None, "", "yesterday", 17, "2025-02-30T00:00:00Z"])
def test_an_invalid_time_is_none(text: object) -> None:
    assert nanoseconds(text) is None


def test_a_span_has_duration_links_and_backoffs() -> None:
    span, wait = span_entries(SPAN)
    assert (span.kind, span.duration_ms, span.severity, span.request_id) == ("span", 2000, "error", "r-1")
    assert span.attributes["links"] == ["f" * 32]
    assert (wait.kind, wait.duration_ms, wait.title) == ("backoff", 50.5, "waiting after attempt 1")


def test_a_backoff_in_span_and_log_is_one_entry() -> None:
    logged = log_entry(BACKOFF_LINE)
    assert logged is not None
    assert [entry.kind for entry in deduplicate([*span_entries(SPAN), logged])] == ["span", "backoff"]
    later = log_entry({**BACKOFF_LINE, "attempt": 2})
    assert later is not None
    assert [entry.kind for entry in deduplicate([*span_entries(SPAN), later])] == ["span", "backoff", "backoff"]


def test_the_event_type_decides_not_the_message() -> None:
    foreign = {**BACKOFF_LINE, "message": MESSAGES[EventType.RETRY_BACKOFF]}
    del foreign["event_type"]
    entry = log_entry(foreign)
    assert entry is not None
    assert entry.kind == "log"


def test_a_backoff_has_the_throttling_reasons() -> None:
    attributes = {"attempt": 1, "delay_ms": 50.5, **THROTTLED}
    event = {"name": "retry.backoff", "time_unix_nano": 1_500_000_000, "attributes": attributes}
    _, wait = span_entries({**SPAN, "events": [event]})
    logged = log_entry({**BACKOFF_LINE, **THROTTLED})
    assert logged is not None
    for entry in (wait, logged):
        assert entry.attributes["throttling_reasons"] == THROTTLED["throttling_reasons"]
        assert ("throttling_reasons", "TableWriteKeyRangeThroughputExceeded arn") in displayed_attributes(entry)


def test_the_runtime_clients_line_has_its_request_id() -> None:
    entry = log_entry(
        {
            "timestamp": "2025-07-31T20:05:00Z",
            "log_level": "ERROR",
            "errorType": "EventNotProcessed",
            "errorMessage": "category=network correlation_id=c : ConnectTimeoutError",
            "requestId": "r-1",
            "stackTrace": ["a long one"],
        }
    )
    assert entry is not None
    assert (entry.title, entry.severity, entry.request_id) == ("EventNotProcessed", "error", "r-1")
    assert "stackTrace" not in entry.attributes


def test_a_line_without_a_time_is_no_entry() -> None:
    assert log_entry({"message": "START"}) is None
    assert audit_entry({"action": "mark_processed"}) is None


def test_the_linked_trace_is_shown_once() -> None:
    linked = {**SPAN, "attributes": {"linked_trace_id": "f" * 32}}
    by_link, by_annotation = (next(iter(span_entries(span))) for span in (SPAN, linked))
    assert ("links", "f" * 32) in displayed_attributes(by_link)
    assert displayed_attributes(by_annotation) == [("linked_trace_id", "f" * 32)]
    assert by_annotation.attributes["links"] == ["f" * 32], "JSON has both"


def test_what_a_throttled_event_repeats_is_shortened_and_empty_lists_are_left_out() -> None:
    reason = "TableWriteKeyRangeThroughputExceeded arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
    failed = {"error_code": "ThrottlingException", "throttling_reasons": [reason]}
    line = {"timestamp": "2025-07-31T20:05:00Z", "error_code": "ThrottlingException", "throttling_reasons": [reason]}

    entry = log_entry({**line, "failed_attempts": [failed], "error.type": "ThrottlingException", "violations": []})

    assert entry is not None
    assert displayed_attributes(entry) == [
        ("error_code", "ThrottlingException"),
        ("throttling_reasons", "TableWriteKeyRangeThroughputExceeded table/earningsCalendar"),
        ("failed_attempts", "error_code ThrottlingException"),
    ]
    assert entry.attributes["failed_attempts"] == [failed], "JSON has all of it"


def test_a_violation_of_the_contract_is_a_note() -> None:
    violation = {"field": "detail.earnings_date", "rule": "a calendar day", "received": "string of 4 characters"}
    line = {"timestamp": "2025-07-31T20:05:00Z", "violations": [violation, "not an object"]}
    entries = [entry for entry in (log_entry(line), log_entry(line), log_entry({**line, "violations": 1})) if entry]

    assert violation_notes(entries) == [
        "the event violates the contract: detail.earnings_date: a calendar day (received: string of 4 characters)"
    ]
    assert make_timeline("c", [SearchResult(tuple(entries))]).notes == tuple(violation_notes(entries))


@pytest.mark.parametrize("shape", list(DeadLetterSource))
@pytest.mark.parametrize(
    ("detail", "rows"),
    [
        ({"asset_symbol": " aapl", "earnings_date": "2025-07-31"}, [("AAPL", "2025-07-31")]),
        ({"asset_symbol": "AAPL", "earnings_date": "2025-02-30"}, []),
        ({"asset_symbol": "AAPL"}, []),
        (None, []),
    ],
)
def test_a_dead_letter_names_the_row_of_its_event(
    shape: DeadLetterSource, detail: object, rows: list[tuple[str, str]]
) -> None:
    """No log line names it where the event never reached the function, or each of its invocations crashed."""
    entry = dead_letter_entry(DeadLetter("a-message", shape, "", event={"detail": detail}), ())

    assert row_keys([entry]) == rows
