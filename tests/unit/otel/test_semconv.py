"""Every name that leaves the process is listed, and every name that is listed leaves it: seen in what was emitted."""

import ast
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from handler.bootstrap import start_or_exit
from handler.instrumentation import INSTRUMENTATION
from otel import semconv
from otel.event_types import EventType
from otel.stdout import fd_writer
from tests.support.telemetry import Output, attributes, event_record
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.function_harness import COMMITTED, CONFLICT, DENIED, event, invoke, wired

ROOT = Path(__file__).parents[3]
STOCK = {"retry_attempts"}
"""Attributes without a dot that are the stock instrumentation's, not ours."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, output: Output, spans: SpanSocket, root_logger: logging.Logger) -> list[Span]:
    """Spans of every kind of event, whose lines are in `output`."""
    del root_logger  # put back by its fixture
    writes = iter([COMMITTED, CONFLICT, COMMITTED, DENIED])  # a conflict is tried again at once, nearly
    with wired(monkeypatch, output, spans, writes=writes) as function:
        payloads: list[object] = [event(), event(), event(), [], {"detail": {}}]
        outcomes = [invoke(function, payload)["outcome"] for payload in payloads]
        logging.getLogger("a.library").warning(str(["put together"]), exc_info=ValueError("s3cret"))
    assert outcomes == ["marked", "marked", "dead_lettered", "dead_lettered", "dead_lettered"]
    return spans.take_spans()


def test_attributes_of_our_own_are_listed_and_the_rest_follow_conventions(sent: list[Span]) -> None:
    found = {name for span in sent for name in attributes(span.attributes)} - STOCK

    conventional = {name for name in found if "." in name}
    assert found - conventional == set(INSTRUMENTATION.annotations)
    families = {name.partition(".")[0] for name in conventional}
    assert families <= {"aws", "cloud", "db", "error", "faas", "http", "messaging", "net", "rpc", "server"}
    assert {name for name in conventional if name.startswith("aws.xray")} == {semconv.XRAY_ANNOTATIONS}


def test_events_of_spans_are_listed(sent: list[Span]) -> None:
    events = [event for span in sent for event in span.events]

    assert {event.name for event in events} == {semconv.RETRY_EVENT}
    assert {name for event in events for name in attributes(event.attributes)} == {
        "attempt",
        "delay_ms",
        semconv.ERROR_CATEGORY_ATTRIBUTE,
    }


def test_annotations_are_keys_that_xray_takes() -> None:
    for name in INSTRUMENTATION.annotations:
        assert name.replace("_", "").isalnum()
        assert name.isascii()


@pytest.mark.usefixtures("sent")
def test_every_listed_log_field_is_written_by_some_line(output: Output, new_telemetry: NewTelemetry) -> None:
    _failures(new_telemetry, output)
    with pytest.raises(SystemExit):
        start_or_exit({}, output.write, 0)

    assert {name for line in output.logs() for name in line} == INSTRUMENTATION.log_fields


def _failures(new_telemetry: NewTelemetry, output: Output) -> None:
    """Lines of what goes wrong: memory, metrics, spans, dead letters, defects."""
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


def test_no_line_is_given_a_field_that_would_be_dropped() -> None:
    """What is not listed is left out in silence: so look at what the source passes."""
    passed: set[str] = set()
    for path in [*(ROOT / "handler").rglob("*.py"), *(ROOT / "otel").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "line":
                passed.update(keyword.arg for keyword in node.keywords if keyword.arg is not None)

    assert len(passed) > 20
    assert passed <= INSTRUMENTATION.log_fields
