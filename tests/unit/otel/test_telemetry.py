"""Telemetry of events, as a file and a socket receive it."""

from typing import Any

import pytest

from handler.outcome import INSTRUMENTATION
from otel import memory
from otel.telemetry import Telemetry
from otel.tracing.tracing import Tracing
from otel.watchdog import Watchdog
from tests.support.telemetry import Output, attributes, event_record, telemetry_settings
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.events import run


@pytest.mark.parametrize(
    ("outcome", "level"), [("marked", "INFO"), ("duplicate", "WARN"), ("dead_lettered", "ERROR"), ("retry", "ERROR")]
)
def test_one_line_per_event(
    outcome: str, level: str, tracing: Tracing, output: Output, new_telemetry: NewTelemetry
) -> None:
    record = run(
        new_telemetry(tracing),
        outcome,
        operations=1,
        retries=2,
        latencies_ms=[1.0, 2.0, 3.0],
        timings_ms={"validate": 0.25, "write": 6.0},
    )

    (line,) = output.logs()
    assert (line["level"], line["event_type"], line["outcome"]) == (level, "event_outcome", outcome)
    assert line["message"] == INSTRUMENTATION.outcomes[outcome].message
    assert line["attempts"] == 3
    assert line["timings_ms"].keys() == {"validate", "write", "flush", "total"}
    assert line["timings_ms"]["total"] >= line["timings_ms"]["flush"] > 0
    assert (line["request_id"], line["trace_id"], line["span_id"]) == (
        record.request_id,
        record.trace_id,
        record.span_id,
    )
    assert len(output.metrics()) == 1


def test_a_line_has_the_facts_of_a_failure(output: Output, new_telemetry: NewTelemetry) -> None:
    facts: dict[str, Any] = {
        "error_category": "validation",
        "error_code": "InvalidEvent",
        "violations": [{"field": "detail", "rule": "a JSON object", "received": "null"}],
        "dead_letter_id": "message-1",
        "dead_letter_error": "network: ReadTimeoutError",
        "exception_type": "KeyError",
        "exception_at": "calendar_store.py:12",
        "same_event": False,
        "event_id": "event-1",
    }
    subject = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
    run(new_telemetry(None), "dead_lettered", correlation_replaced=True, subject=subject, **facts)

    (line,) = output.logs()
    assert (facts | subject).items() <= line.items()
    assert line["correlation_replaced"] is True


def test_a_success_has_no_error_fields(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None))

    (line,) = output.logs()
    absent = {"error_category", "error_code", "violations", "same_event", "dead_letter_id", "correlation_replaced"}
    assert not absent & line.keys()


def test_spans_lines_and_metrics_agree(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    record = run(new_telemetry(tracing))

    (span,) = spans.take_spans()
    (line,), (metric,) = output.logs(), output.metrics()
    assert span.trace_id.hex() == line["trace_id"] == record.trace_id
    assert attributes(span.attributes)["correlation_id"] == line["correlation_id"] == metric["correlation_id"]
    assert attributes(span.attributes)["faas.invocation_id"] == line["request_id"] == metric["request_id"]


def test_the_trace_header_is_read_for_each_event(
    tracing: Tracing, spans: SpanSocket, new_telemetry: NewTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = new_telemetry(tracing)
    for number in (1, 2):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root=1-5759e988-{number:024x};Parent={number:016x};Sampled=1")
        run(telemetry)

    assert [span.parent_span_id.hex() for span in spans.take_spans()] == [f"{1:016x}", f"{2:016x}"]


def test_without_tracing(output: Output, spans: SpanSocket, new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(None)
    record = event_record()
    with telemetry.event(record, None, 30):
        telemetry.record_backoff(record, 1, 0.5, "throttling")
        telemetry.set_event_attributes(record)
        record.outcome = "marked"

    backoff, line = output.logs()
    assert (backoff["delay_ms"], line["outcome"]) == (500.0, "marked")
    assert (line["trace_id"], line["span_id"]) == (None, None)
    assert "flush" not in line["timings_ms"]
    assert output.metrics()[0]["RetryDelay"] == [500.0]
    assert spans.take() == []


def test_a_backoff_is_in_span_line_and_metric(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    telemetry = new_telemetry(tracing)
    record = event_record()
    with telemetry.event(record, None, 30):
        telemetry.record_backoff(record, 1, 1.23456, "throttling")
        telemetry.record_backoff(record, 2, 2.5, "conflict")
        telemetry.record_backoff(record, 3, 1.0, "throttling", ("R1 arn", "R2"))
        record.outcome = "marked"

    (span,) = spans.take_spans()
    waits: list[dict[str, Any]] = [{"attempt": 1, "delay_ms": 1234.56, "error_category": "throttling"}]
    waits.append({"attempt": 2, "delay_ms": 2500.0, "error_category": "conflict"})
    waits.append(
        {"attempt": 3, "delay_ms": 1000.0, "error_category": "throttling", "throttling_reasons": ["R1 arn", "R2"]}
    )
    assert [(event.name, attributes(event.attributes)) for event in span.events] == [
        ("retry.backoff", wait) for wait in waits
    ]
    *lines, outcome = output.logs()
    assert [{name: line[name] for name in wait} for wait, line in zip(waits, lines, strict=True)] == waits
    assert {line["level"] for line in lines} == {"WARN"}
    assert ["throttling_reasons" in line for line in lines] == [False, False, True]
    assert outcome["timings_ms"]["backoff"] == pytest.approx(4734.56)
    assert output.metrics()[0]["RetryDelay"] == [1234.56, 2500.0, 1000.0]


@pytest.mark.parametrize(("level", "lines"), [(10, 2), (20, 0)])
def test_each_attempt_is_a_debug_line_and_a_latency(
    level: int, lines: int, output: Output, idle_watchdog: Watchdog
) -> None:
    settings = telemetry_settings(log_level=level)
    telemetry = Telemetry(
        settings, INSTRUMENTATION, write=output.write, tracing=None, init_duration_ms=1.0, watchdog=idle_watchdog
    )
    record = event_record()
    telemetry.record_attempt(record, 0.25)
    telemetry.record_attempt(record, 0.5)
    assert record.latencies_ms == [250.0, 500.0]
    assert record.timings_ms == {"write": 750.0}
    attempts = [(line["level"], line["attempt"], line["timings_ms"]) for line in output.logs()]
    assert attempts == [("DEBUG", 1, {"write": 250.0}), ("DEBUG", 2, {"write": 500.0})][:lines]


def test_denied_access_is_another_line(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None), "dead_lettered", access_denied_by="SQS: AccessDenied", error_category="validation")

    _, security = output.logs()
    assert (security["level"], security["security"], security["error_code"]) == ("ERROR", True, "SQS: AccessDenied")
    assert output.metrics()[0]["SecurityErrors"] == 1


def test_the_current_record(new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(None)
    assert telemetry.current_record is None

    record = run(telemetry)

    assert telemetry.current_record is record


def test_it_measures_memory(output: Output, idle_watchdog: Watchdog) -> None:
    telemetry = Telemetry(
        telemetry_settings(memory_mb=100_000),
        INSTRUMENTATION,
        write=output.write,
        tracing=None,
        init_duration_ms=1,
        watchdog=idle_watchdog,
    )
    run(telemetry)

    assert output.metrics()[0]["MemoryUsed"] == pytest.approx(memory.used_mb(), abs=30)
