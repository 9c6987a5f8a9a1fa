"""Entries are grouped by invocation, whatever Lambda adds and whatever is missing."""

import json
from typing import Any

from mep.trace.entries import Entry, SearchResult
from mep.trace.parsing import log_entry
from mep.trace.timeline import Timeline, make_timeline
from mep.trace.xray import segment_entries

TRACE = "1-6b049eb4-e71876e7d90c05d6f9a30a7d"
REQUEST = "request-1"


def segment(name: str, span_id: str, parent: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    document = {"name": name, "id": span_id, "parent_id": parent, "start_time": start, "end_time": end}
    return {"trace_id": TRACE, **document, **more}


def of_lambda(span_id: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    """Return Lambda's own segment of one invocation."""
    overhead = {"name": "Overhead", "id": f"{span_id}-overhead", "start_time": end - 0.1, "end_time": end}
    aws = {"request_id": REQUEST}
    more = {"origin": "AWS::Lambda::Function", "aws": aws, "subsegments": [overhead], **more}
    return segment("function", span_id, f"attempt-{span_id}", start, end, **more)


def of_function(span_id: str, parent: str, start: float, outcome: str) -> dict[str, Any]:
    annotations = {"correlation_id": "c", "outcome": outcome}
    return segment("MarkEarningsProcessed", span_id, parent, start, start + 0.2, annotations=annotations)


def queue(*invocations: str) -> dict[str, Any]:
    """Return Lambda's segment of the asynchronous event, with a subsegment for each attempt."""
    attempts = [
        {
            "name": f"Attempt #{number}",
            "id": f"attempt-{each}",
            "start_time": 60.0 * number,
            "end_time": 60.0 * number + 1,
        }
        for number, each in enumerate(invocations)
    ]
    more = {"origin": "AWS::Lambda", "aws": {"request_id": REQUEST}, "subsegments": attempts}
    return segment("function", "lambda", "", 0, 200, **more)


def timeline(*documents: dict[str, Any], lines: tuple[Entry, ...] = ()) -> Timeline:
    spans = [entry for document in documents for entry in segment_entries(json.dumps(document))]
    return make_timeline("c", [SearchResult((*lines, *spans))])


def test_lambdas_own_segments_do_not_join_invocations() -> None:
    found = timeline(
        queue("f-1", "f-2"),
        of_lambda("f-1", 0.1, 0.9),
        of_function("r-1", "f-1", 0.2, "retry"),
        of_lambda("f-2", 60.1, 60.9),
        of_function("r-2", "f-2", 60.2, "marked"),
    )
    assert found.invocations == 2
    titles = {section.title: [entry.title for entry in section.entries] for section in found.sections}
    assert titles == {
        "Lambda's own spans": ["function", "Attempt #0", "Attempt #1"],
        "invocation 1": ["function", "MarkEarningsProcessed", "Overhead"],
        "invocation 2": ["function", "MarkEarningsProcessed", "Overhead"],
    }
    assert found.summary == "the row is marked, invocation 2 of 2"
    assert [section.length_ms for section in found.sections if "invocation" in section.title] == [800, 800]


def test_a_killed_invocation_is_known_by_lambdas_segment() -> None:
    found = timeline(
        queue("f-1", "f-2"),
        of_lambda("f-1", 0.1, 0.9, fault=True),
        of_lambda("f-2", 60.1, 60.9),
        of_function("r-2", "f-2", 60.2, "marked"),
    )
    assert found.invocations == 2
    assert found.summary == "the row is marked, invocation 2 of 2"


def line(at: str, **fields: Any) -> Entry:
    entry = log_entry({"timestamp": f"1970-01-01T00:{at}Z", "request_id": REQUEST, "correlation_id": "c", **fields})
    assert entry is not None
    return entry


def platform(kind: str, at: str, **record: Any) -> Entry:
    text = {"time": f"1970-01-01T00:{at}Z", "type": f"platform.{kind}", "record": {"requestId": REQUEST, **record}}
    entry = log_entry(text)
    assert entry is not None
    return entry


def outcome(at: str, outcome: str, **more: Any) -> Entry:
    return line(at, event_type="event_outcome", message="the outcome", outcome=outcome, **more)


def raised(at: str, received_at: int | None = None) -> Entry:
    text = {"timestamp": f"1970-01-01T00:{at}Z", "errorType": "EventNotProcessed", "errorMessage": "category=network"}
    entry = log_entry({**text, "requestId": REQUEST}, received_at)
    assert entry is not None
    return entry


def test_without_span_ids_the_order_distinguishes_invocations() -> None:
    """OTEL_SDK_DISABLED: no line has a span ID."""
    lines = (
        line("00:01.100000", event_type="attempt", message="attempt"),
        outcome("00:01.200000", "retry", timings_ms={"total": 150.0}),
        line("00:01.200500", event_type="metrics_not_written", message="late"),
        raised("00:01"),
        line("00:01.300000", event_type="memory_pressure", message="early"),
        outcome("00:01.400000", "marked", timings_ms={"total": 120.0}),
    )
    found = timeline(lines=lines)
    assert [[entry.title for entry in section.entries] for section in found.sections] == [
        ["attempt", "the outcome", "late", "EventNotProcessed"],
        ["early", "the outcome"],
    ]
    assert [(section.start, section.length_ms) for section in found.sections] == [
        (1_050_000_000, 150.5),
        (1_280_000_000, 120),
    ]


def test_an_invocation_that_was_killed_is_known_by_lambdas_lines() -> None:
    lines = (
        platform("start", "00:01.000"),
        platform("report", "00:04.000", status="timeout", metrics={"durationMs": 3000.0}),
        platform("start", "01:04.000"),
        outcome("01:04.300000", "marked", span_id="s-2"),
        platform("report", "01:04.400", metrics={"durationMs": 400.0}),
    )
    found = timeline(lines=lines)
    assert [[entry.title for entry in section.entries] for section in found.sections] == [
        ["Lambda starts the invocation", "Lambda's report: timeout"],
        ["Lambda starts the invocation", "the outcome", "Lambda's report: success"],
    ]
    assert [section.length_ms for section in found.sections] == [3000, 400]
    assert found.summary == "the row is marked, invocation 2 of 2"


def test_lambdas_lines_join_the_spans_where_the_functions_lines_are_missing() -> None:
    """Its log level may drop them."""
    root = Entry(
        64_100_000_000,
        "span",
        "root",
        duration_ms=200.0,
        span_id="r",
        request_id=REQUEST,
        attributes={"outcome": "marked"},
    )
    lines = (platform("start", "01:04.000"), platform("report", "01:04.400", metrics={"durationMs": 400.0}))
    found = make_timeline("c", [SearchResult((*lines, root))])
    assert [[entry.title for entry in section.entries] for section in found.sections] == [
        ["Lambda starts the invocation", "root", "Lambda's report: success"]
    ]


def test_an_exact_time_of_the_runtime_clients_line_is_used() -> None:
    at = 61_234_000_000
    (entry,) = timeline(lines=(raised("01:01", at),)).entries
    assert entry.at == at


def test_a_mark_without_a_report_is_an_invocation() -> None:
    """The function was killed after the commit; Lambda's retry then is a duplicate."""
    audit = Entry(1_000_000_000, "audit", "audit entry", request_id=REQUEST, attributes={"action": "mark_processed"})
    again = outcome("01:01.000000", "duplicate", same_event=True, timings_ms={"total": 5.0}, span_id="s-2")
    found = timeline(lines=(audit, again))
    assert [section.title for section in found.sections] == [
        "invocation 1, known only by its audit entry",
        "invocation 2",
    ]
    assert found.summary == "the row is marked, according to its audit entry"


def test_the_audit_entry_of_a_killed_invocation_is_of_it() -> None:
    """The commit's response was lost, and the process was killed after the backoff: no span has its beginning."""
    audit = Entry(1_000_000_000, "audit", "audit entry", request_id=REQUEST, attributes={"action": "mark_processed"})
    waiting = Entry(
        1_070_000_000, "backoff", "waiting", duration_ms=190.0, span_id="s-1", request_id=REQUEST, trace_id="t"
    )
    again = outcome("00:03.000000", "duplicate", same_event=True, timings_ms={"total": 5.0}, span_id="s-2")
    found = timeline(lines=(audit, waiting, again))
    assert [[entry.title for entry in section.entries] for section in found.sections] == [
        ["audit entry", "waiting"],
        ["the outcome"],
    ]


def test_an_audit_entry_is_not_of_an_invocation_that_had_reported() -> None:
    """Without spans, the second invocation seems to begin late: its line was written some time after its end."""
    audit = Entry(1_007_000_000, "audit", "audit entry", request_id=REQUEST, attributes={"action": "mark_processed"})
    lines = (
        outcome("00:01.004000", "retry", timings_ms={"total": 10.0}, span_id="s-1"),
        outcome("00:01.040000", "retry", timings_ms={"total": 20.0}, span_id="s-2"),
    )
    found = timeline(lines=(audit, *lines))
    assert [[entry.title for entry in section.entries] for section in found.sections] == [
        ["the outcome"],
        ["audit entry", "the outcome"],
    ]
