"""Every emitted name is listed, and every listed name is emitted."""

import ast
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.faults import aws_error, cancelled
from emulator.lambda_runtime.span_receiver import SpanDict
from handler.bootstrap import start_or_exit
from handler.outcome import INSTRUMENTATION
from otel import semconv
from otel.event_types import EventType
from otel.stdout import fd_writer
from tests.support.events import unique_event
from tests.support.harness import COMMITTED, stubbed_function
from tests.support.telemetry import Output, event_record, json_lines
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.tracing_harness import PRODUCER

ROOT = Path(__file__).parents[3]
STOCK = {"retry_attempts"}
"""Attributes without a dot that are the stock instrumentation's, not ours."""


@dataclass(frozen=True)
class Emitted:
    """Spans and log lines of every kind of event."""

    spans: list[SpanDict]
    logs: list[dict[str, Any]]


@pytest.fixture
def emitted() -> Emitted:
    conflict = cancelled("TransactionConflict", "None")  # retried after a short delay
    linked, again = unique_event({"traceparent": PRODUCER}), unique_event()
    marked = {"is_processed": {"BOOL": True}, "processed_by_event": {"S": again["detail"]["event_id"]}}
    done = cancelled({"Code": "ConditionalCheckFailed", "Item": marked}, "None")
    payloads: list[object] = [linked, unique_event(), unique_event(), [], {"detail": {}}, again]
    with stubbed_function(COMMITTED, conflict, COMMITTED, aws_error("AccessDeniedException"), done) as function:
        invocations = [function(payload) for payload in payloads]
        function.output.clear()
        logging.getLogger("a.library").warning(str(["put together"]), exc_info=ValueError("s3cret"))
        library_lines = json_lines(function.output.raw())
    outcomes = [invoked.outcome_line["outcome"] for invoked in invocations]
    assert outcomes == ["marked", "marked", "dead_lettered", "dead_lettered", "dead_lettered", "duplicate"]
    lines = [line for invoked in invocations for line in invoked.logs]
    return Emitted([span for invoked in invocations for span in invoked.spans], lines + library_lines)


def test_span_attributes_are_listed_or_conventional(emitted: Emitted) -> None:
    found = {name for span in emitted.spans for name in span["attributes"]} - STOCK

    conventional = {name for name in found if "." in name}
    assert found - conventional == {*INSTRUMENTATION.annotations, "attempts", "same_event"}
    families = {name.partition(".")[0] for name in conventional}
    assert families <= {"aws", "cloud", "db", "error", "faas", "http", "messaging", "net", "rpc", "server", "url"}
    assert {name for name in conventional if name.startswith("aws.xray")} == {semconv.XRAY_ANNOTATIONS}


def test_events_of_spans_are_listed(emitted: Emitted) -> None:
    events = [event for span in emitted.spans for event in span["events"]]

    assert {event["name"] for event in events} == {semconv.RETRY_EVENT, semconv.EXCEPTION_EVENT}
    assert {name for event in events for name in event["attributes"]} == {
        "attempt",
        "delay_ms",
        semconv.ERROR_CATEGORY_ATTRIBUTE,
        semconv.EXCEPTION_TYPE,
        semconv.EXCEPTION_MESSAGE,
    }


def test_annotations_are_keys_that_xray_takes() -> None:
    for name in INSTRUMENTATION.annotations:
        assert name.replace("_", "").isalnum()
        assert name.isascii()


def test_every_listed_log_field_is_written(emitted: Emitted, output: Output, new_telemetry: NewTelemetry) -> None:
    _failures(new_telemetry, output)
    with pytest.raises(SystemExit):
        start_or_exit({}, output.write, 0)

    assert {name for line in emitted.logs + output.logs() for name in line} == INSTRUMENTATION.log_fields


def _failures(new_telemetry: NewTelemetry, output: Output) -> None:
    """Write the lines of failures: memory, metrics, spans, dead letters, defects."""
    fd = os.open("/dev/full", os.O_WRONLY)
    full = fd_writer(fd)
    telemetry = new_telemetry(
        None,
        used_mb=lambda: 127.0,
        write=lambda line: (full if b'"_aws"' in line else output.write)(line),
    )
    facts: dict[str, Any] = {
        "event_id": "event-1",
        "same_event": True,
        "throttling_reasons": ("TableWriteAccountLimitExceeded",),
        "dead_letter_error": "network: ReadTimeoutError",
        "exception_type": "KeyError",
        "exception_at": "calendar_store.py:1",
    }
    with telemetry.event(event_record(**facts), None, 30):
        pass
    telemetry.log.line(logging.WARNING, EventType.SPANS_LOST, lost_spans=1)
    os.close(fd)


def test_no_field_in_the_source_would_be_dropped() -> None:
    """Fields that are not listed are dropped silently."""
    passed: set[str] = set()
    for path in [*(ROOT / "handler").rglob("*.py"), *(ROOT / "otel").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "line":
                passed.update(keyword.arg for keyword in node.keywords if keyword.arg is not None)

    assert len(passed) > 20
    assert passed <= INSTRUMENTATION.log_fields
