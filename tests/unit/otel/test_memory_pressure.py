"""Under memory pressure, detail is dropped."""

from opentelemetry import trace

from handler.outcome import INSTRUMENTATION
from otel import json_logs, memory, semconv
from otel.event_types import EventType
from otel.record import EventRecord
from otel.telemetry import Telemetry
from otel.tracing.tracing import Tracing
from tests.support.telemetry import Output, attributes, event_record, telemetry_settings
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.events import run


class Pressure:
    """The memory in use, set by the test."""

    def __init__(self) -> None:
        self.used = 50.0

    def __call__(self) -> float:
        return self.used


def busy_event(telemetry: Telemetry, tracing: Tracing) -> EventRecord:
    """Run an event with optional detail."""
    record = event_record()
    tracer = tracing.provider.get_tracer("a library")
    with telemetry.event(record, None, 30):
        record.subject = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
        telemetry.set_event_attributes(record)
        telemetry.log.line(json_logs.DEBUG, EventType.ATTEMPT)
        telemetry.record_backoff(record, 1, 0.1, "conflict")
        trace.get_current_span().add_event("detail")
        with tracer.start_as_current_span("call", attributes={"rpc.method": "Call", "server.address": "detail"}):
            trace.get_current_span().add_event("detail")
        record.outcome = "marked"
    return record


def test_under_memory_pressure_detail_is_dropped(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    pressure = Pressure()
    telemetry = new_telemetry(tracing, used_mb=pressure, settings=telemetry_settings(log_level=10))

    busy_event(telemetry, tracing)
    before, before_spans = output.logs(), {span.name: span for span in spans.take_spans()}
    pressure.used = 128 * memory.PRESSURE_PERCENT / 100 + 0.1
    busy_event(telemetry, tracing)  # still in full detail: memory is checked when it ends
    spans.take()
    output.clear()
    record = busy_event(telemetry, tracing)
    after, after_spans = output.logs(), {span.name: span for span in spans.take_spans()}

    assert [line["level"] for line in before] == ["DEBUG", "WARN", "INFO"]
    assert [line["level"] for line in after] == ["WARN", "INFO"]
    assert len(before_spans) == len(after_spans) == 2
    assert "server.address" in attributes(before_spans["call"].attributes)
    for span in after_spans.values():
        found = attributes(span.attributes)
        row = {"correlation_id": record.correlation_id, "asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
        assert row.items() <= found.items()
        assert found[semconv.XRAY_ANNOTATIONS] == [name for name in INSTRUMENTATION.annotations if name in found]
        assert "detail" not in found.values()
    assert attributes(after_spans["call"].attributes)["rpc.method"] == "Call"
    assert list(after_spans["call"].events) == []
    root = after_spans["mark-earnings-processed"]
    assert [event.name for event in root.events] == ["retry.backoff"]
    assert attributes(root.attributes)["outcome"] == "marked"
    assert "faas.coldstart" not in attributes(root.attributes)
    assert root.start_time_unix_nano < root.end_time_unix_nano


def test_one_warning(output: Output, new_telemetry: NewTelemetry) -> None:
    pressure = Pressure()
    telemetry = new_telemetry(None, used_mb=pressure)
    run(telemetry)
    pressure.used = 120.04
    for _ in range(3):
        run(telemetry)

    (warning,) = [line for line in output.logs() if "memory_used_mb" in line]
    assert (warning["level"], warning["memory_used_mb"], warning["memory_limit_mb"]) == ("WARN", 120.0, 128)
    assert [document["MemoryUtilization"] for document in output.metrics()] == [39.1, 93.8, 93.8, 93.8]


def test_at_the_threshold_nothing_is_dropped(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None, used_mb=lambda: 80.0, settings=telemetry_settings(memory_mb=100)))

    assert [line["level"] for line in output.logs()] == ["INFO"]
