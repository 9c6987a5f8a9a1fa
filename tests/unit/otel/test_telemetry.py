"""One object that watches over each event: what comes out of it, by file and socket."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel import logs, memory, names
from otel.output import file_descriptor
from otel.record import EventRecord
from otel.telemetry import Telemetry
from otel.tracing import Tracing, identified
from otel.watchdog import Watchdog
from tests.support.telemetry import FakeClock, Output, attributes, event_record, eventually, telemetry_settings
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry


def run(telemetry: Telemetry, outcome: str | None = "marked", **facts: Any) -> EventRecord:
    record = event_record()
    with telemetry.event(record, None, 30):
        record.outcome = outcome
        for name, value in facts.items():
            setattr(record, name, value)
    return record


@pytest.mark.parametrize(
    ("outcome", "level", "message"),
    [
        ("marked", "INFO", "event processed: the row is marked"),
        ("duplicate", "WARN", "event processed: the row was marked before"),
        ("dead_lettered", "ERROR", "event dead-lettered: more tries cannot help"),
        ("retry", "ERROR", "event not processed: Lambda will deliver it again"),
    ],
)
def test_one_line_tells_how_an_event_ended(  # noqa: PLR0913, PLR0917 - three parameters, three fixtures
    outcome: str, level: str, message: str, tracing: Tracing, output: Output, new_telemetry: NewTelemetry
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
    assert (line["level"], line["message"], line["outcome"]) == (level, message, outcome)
    assert line["attempts"] == 3
    assert line["timings_ms"].keys() == {"validate", "write", "flush", "total"}
    assert line["timings_ms"]["total"] >= line["timings_ms"]["flush"] > 0
    assert (line["request_id"], line["trace_id"], line["span_id"]) == (
        record.request_id,
        record.trace_id,
        record.span_id,
    )
    assert len(output.metrics()) == 1


def test_a_line_tells_all_that_an_operator_needs(output: Output, new_telemetry: NewTelemetry) -> None:
    facts: dict[str, Any] = {
        "error_category": "validation",
        "error_code": "InvalidEvent",
        "asset_symbol": "AAPL",
        "earnings_date": "2025-07-31",
        "violations": [{"field": "detail", "rule": "a JSON object", "received": "null"}],
        "dead_letter_id": "message-1",
        "dead_letter_error": "network: ReadTimeoutError",
        "exception_type": "KeyError",
        "exception_at": "marking.py:12",
        "same_event": False,
        "event_id": "event-1",
    }
    run(new_telemetry(None), "dead_lettered", correlation_replaced=True, **facts)

    (line,) = output.logs()
    assert facts.items() <= line.items()
    assert line["correlation_replaced"] is True


def test_a_plain_success_says_nothing_of_errors(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None))

    (line,) = output.logs()
    absent = {"error_category", "error_code", "violations", "same_event", "dead_letter_id", "correlation_replaced"}
    assert not absent & line.keys()


def test_spans_line_and_metrics_agree(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    record = run(new_telemetry(tracing))

    (span,) = spans.take_spans()
    (line,), (metric,) = output.logs(), output.metrics()
    assert span.trace_id.hex() == line["trace_id"] == record.trace_id
    assert attributes(span.attributes)["correlation_id"] == line["correlation_id"] == metric["correlation_id"]
    assert attributes(span.attributes)["faas.invocation_id"] == line["request_id"] == metric["request_id"]


def test_lambdas_trace_header_is_read_from_the_environment_of_the_moment(
    tracing: Tracing, spans: SpanSocket, new_telemetry: NewTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = new_telemetry(tracing)
    for number in (1, 2):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root=1-5759e988-{number:024x};Parent={number:016x};Sampled=1")
        run(telemetry)

    assert [span.parent_span_id.hex() for span in spans.take_spans()] == [f"{1:016x}", f"{2:016x}"]


def test_without_tracing_everything_else_works(output: Output, spans: SpanSocket, new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(None)
    record = event_record()
    with telemetry.event(record, None, 30):
        telemetry.backoff(record, 1, 0.5, "throttling")
        identified(record)
        record.outcome = "marked"

    backoff, line = output.logs()
    assert (backoff["delay_ms"], line["outcome"]) == (500.0, "marked")
    assert (line["trace_id"], line["span_id"]) == (None, None)
    assert "flush" not in line["timings_ms"]
    assert output.metrics()[0]["RetryDelay"] == [500.0]
    assert spans.take() == []


def test_a_wait_is_seen_in_span_line_and_metric(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    telemetry = new_telemetry(tracing)
    record = event_record()
    with telemetry.event(record, None, 30):
        telemetry.backoff(record, 1, 1.23456, "throttling")
        telemetry.backoff(record, 2, 2.5, "conflict")
        record.outcome = "marked"

    (span,) = spans.take_spans()
    waits = [{"attempt": 1, "delay_ms": 1234.56, "error_category": "throttling"}]
    waits.append({"attempt": 2, "delay_ms": 2500.0, "error_category": "conflict"})
    assert [(event.name, attributes(event.attributes)) for event in span.events] == [
        ("retry.backoff", wait) for wait in waits
    ]
    first, second, outcome = output.logs()
    assert waits[0].items() <= first.items()
    assert waits[1].items() <= second.items()
    assert first["level"] == "WARN"
    assert outcome["timings_ms"]["backoff"] == pytest.approx(3734.56)
    assert output.metrics()[0]["RetryDelay"] == [1234.56, 2500.0]


def test_refused_access_is_a_line_of_its_own(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None), "dead_lettered", security=True, error_category="access_denied", error_code="AccessDenied")

    _, security = output.logs()
    assert (security["level"], security["security"], security["error_code"]) == ("ERROR", True, "AccessDenied")
    assert output.metrics()[0]["SecurityErrors"] == 1


def test_each_event_is_the_current_one_in_its_time(new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(None)
    assert telemetry.current is None

    record = run(telemetry)

    assert telemetry.current is record


# ---- a way out that fails ----------------------------------------------------------------------------------------


def test_lost_spans_are_a_warning(tracing: Tracing, output: Output, new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(tracing)
    record = event_record()
    with telemetry.event(record, None, 30):
        tracing.provider.get_tracer("a library").start_span("too large", attributes={"text": "x" * 70_000}).end()
        record.outcome = "marked"

    warning, outcome = output.logs()
    assert (warning["level"], warning["lost_spans"]) == ("WARN", 1)
    assert outcome["outcome"] == "marked"
    assert output.metrics()[0]["EventsMarked"] == 1


class Explodes:
    """A way out with a defect."""

    def export(self, spans: object) -> int:
        """Fail."""
        raise RuntimeError(f"s3cret {spans}")

    def close(self) -> None:
        """Nothing to close."""


def test_a_defect_of_the_way_out_is_a_warning(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(Tracing(telemetry_settings(), Explodes())))

    warning, outcome = output.logs()
    assert (warning["level"], warning["exception_type"]) == ("WARN", "RuntimeError")
    assert outcome["outcome"] == "marked"
    assert b"s3cret" not in output.raw()


@contextmanager
def metrics_on_a_full_disk(output: Output) -> Iterator[Callable[[bytes], None]]:
    """Metric lines find a full disk, log lines do not."""
    fd = os.open("/dev/full", os.O_WRONLY)
    full = file_descriptor(fd)

    def write(line: bytes) -> None:
        (full if line.startswith(b'{"_aws"') else output.write)(line)

    yield write
    os.close(fd)


def test_metrics_that_cannot_be_written_are_a_warning(output: Output, new_telemetry: NewTelemetry) -> None:
    with metrics_on_a_full_disk(output) as write:
        telemetry = new_telemetry(None, write=write)
        run(telemetry)
        run(telemetry)

    warnings = [line for line in output.logs() if "kept_lines" in line]
    assert [(line["level"], line["kept_lines"]) for line in warnings] == [("WARN", 1), ("WARN", 2)]
    assert [line["outcome"] for line in output.logs() if "outcome" in line] == ["marked", "marked"]
    assert output.metrics() == []


def test_no_output_at_all_changes_no_outcome(tracing: Tracing, spans: SpanSocket, new_telemetry: NewTelemetry) -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        record = run(new_telemetry(tracing, write=file_descriptor(fd)))
    finally:
        os.close(fd)

    assert not record.struck
    assert len(spans.take_spans()) == 1


# ---- memory ------------------------------------------------------------------------------------------------------


class Pressure:
    """Memory in use, as the test says."""

    def __init__(self) -> None:
        self.used = 50.0

    def __call__(self) -> float:
        return self.used


def busy_event(telemetry: Telemetry, tracing: Tracing) -> EventRecord:
    """An event with detail that can be shed."""
    record = event_record()
    tracer = tracing.provider.get_tracer("a library")
    with telemetry.event(record, None, 30):
        record.asset_symbol, record.earnings_date = "AAPL", "2025-07-31"
        identified(record)
        telemetry.log.line(logs.DEBUG, "detail")
        telemetry.backoff(record, 1, 0.1, "conflict")
        trace.get_current_span().add_event("detail")
        with tracer.start_as_current_span("call", attributes={"rpc.method": "Call", "server.address": "detail"}):
            trace.get_current_span().add_event("detail")
        record.outcome = "marked"
    return record


def test_under_memory_pressure_detail_is_shed_and_told_once(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry
) -> None:
    pressure = Pressure()
    telemetry = new_telemetry(tracing, used_mb=pressure, settings=telemetry_settings(log_level=10))

    busy_event(telemetry, tracing)
    before, before_spans = output.logs(), {span.name: span for span in spans.take_spans()}
    pressure.used = 128 * memory.PRESSURE_PERCENT / 100 + 0.1
    busy_event(telemetry, tracing)  # is in full detail still: memory is looked at when it is over
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
        assert found[names.XRAY_ANNOTATIONS] == [name for name in names.ANNOTATIONS if name in found]
        assert "detail" not in found.values()
    assert attributes(after_spans["call"].attributes)["rpc.method"] == "Call"
    assert list(after_spans["call"].events) == []
    root = after_spans["mark-earnings-processed"]
    assert [event.name for event in root.events] == ["retry.backoff"]
    assert attributes(root.attributes)["outcome"] == "marked"
    assert "faas.coldstart" not in attributes(root.attributes)
    assert root.start_time_unix_nano < root.end_time_unix_nano


def test_the_warning_comes_once(output: Output, new_telemetry: NewTelemetry) -> None:
    pressure = Pressure()
    telemetry = new_telemetry(None, used_mb=pressure)
    run(telemetry)
    pressure.used = 120.04
    for _ in range(3):
        run(telemetry)

    (warning,) = [line for line in output.logs() if "memory_used_mb" in line]
    assert (warning["level"], warning["memory_used_mb"], warning["memory_limit_mb"]) == ("WARN", 120.0, 128)
    assert [document["MemoryUtilization"] for document in output.metrics()] == [39.1, 93.8, 93.8, 93.8]


def test_at_the_threshold_nothing_is_shed_yet(output: Output, new_telemetry: NewTelemetry) -> None:
    run(new_telemetry(None, used_mb=lambda: 80.0, settings=telemetry_settings(memory_mb=100)))

    assert [line["level"] for line in output.logs()] == ["INFO"]


# ---- the deadline ------------------------------------------------------------------------------------------------


class Deadline:
    """A clock and a watchdog of one test; the test says when the deadline is near."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self.watchdog = Watchdog(self._clock)

    def comes(self) -> None:
        """Let nearly all of the time pass, and wake the watchdog's thread."""
        self._clock.advance(29.5)
        with self.watchdog._condition:
            self.watchdog._condition.notify_all()


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


def test_an_event_that_hangs_is_reported_before_the_deadline(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(tracing, watchdog=deadline.watchdog)
    tracer = tracing.provider.get_tracer("a library")
    record = event_record(operations=1)
    with telemetry.event(record, None, 30):
        record.asset_symbol, record.earnings_date = "AAPL", "2025-07-31"
        identified(record)
        with tracer.start_as_current_span("ended before"):
            pass
        with tracer.start_as_current_span("hangs"):
            deadline.comes()
            sent: dict[str, Span] = {}

            def arrived() -> bool:
                sent.update((span.name, span) for span in spans.take_spans())
                return bool(sent)

            # All is out while the event still hangs.
            eventually(arrived)
            (line,), (metric,) = output.logs(), output.metrics()
        record.outcome = "marked"  # too late: Lambda was told already
    late_lines, late_spans = output.lines()[2:], spans.take()

    assert sent.keys() == {"ended before", "hangs", "mark-earnings-processed"}
    for span in sent.values():
        found = attributes(span.attributes)
        assert (found["correlation_id"], found["asset_symbol"]) == (record.correlation_id, "AAPL")
        assert found[names.XRAY_ANNOTATIONS] == [name for name in names.ANNOTATIONS if name in found]
        assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
    failed = Status(code=Status.STATUS_CODE_ERROR, message="timeout")
    assert sent["ended before"].status == Status()
    for name in ("hangs", "mark-earnings-processed"):
        assert sent[name].status == failed
        assert attributes(sent[name].attributes)["error.type"] == "DeadlineExceeded"
        assert attributes(sent[name].attributes)["error_category"] == "timeout"
    assert attributes(sent["mark-earnings-processed"].attributes)["outcome"] == "retry"
    assert sent["hangs"].parent_span_id == sent["mark-earnings-processed"].span_id

    assert (line["level"], line["outcome"], line["error_category"]) == ("ERROR", "retry", "timeout")
    assert line["error_code"] == "DeadlineExceeded"
    assert (line["correlation_id"], line["asset_symbol"]) == (record.correlation_id, "AAPL")
    assert (metric["EventsRetried"], metric["Errors"], metric["ErrorCategory"]) == (1, 1, "timeout")

    assert record.struck
    assert late_lines == []
    assert late_spans == []


def test_the_event_after_one_that_was_struck_is_as_any_other(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(tracing, watchdog=deadline.watchdog)
    struck = event_record()
    with telemetry.event(struck, None, 30):
        deadline.comes()
        eventually(lambda: bool(spans.take()))

    record = run(telemetry)

    assert struck.struck
    assert not record.struck
    (span,) = spans.take_spans()
    assert span.trace_id.hex() == record.trace_id
    assert [line["outcome"] for line in output.logs()] == ["retry", "marked"]


class Gate:
    """Something that takes until the test says so."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> float:
        """Take long."""
        self.entered.set()
        self.go_on.wait(60)
        return 50.0


class Hangs:
    """A way out that hangs."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def export(self, spans: object) -> int:
        """Take long."""
        del spans
        self._gate()
        return 0

    def close(self) -> None:
        """Nothing to close."""


def test_an_event_that_comes_back_to_life_does_not_change_its_report(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    in_the_middle = Gate()
    telemetry = new_telemetry(None, watchdog=deadline.watchdog, used_mb=in_the_middle)
    record = event_record()
    with telemetry.event(record, None, 30):
        deadline.comes()
        assert in_the_middle.entered.wait(60)  # the watchdog's thread is at its report
        record.outcome, record.same_event, record.error_code = "duplicate", False, None
    in_the_middle.go_on.set()
    eventually(lambda: len(output.metrics()) == 1)

    (line,), (metric,) = output.logs(), output.metrics()
    assert (line["outcome"], line["error_code"]) == ("retry", "DeadlineExceeded")
    assert not {"EventsDuplicate", "IdempotencyViolations"} & metric.keys()
    assert record.struck


def test_before_the_deadline_lines_do_not_wait_for_spans(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    """A collector that hangs may take longer than there is time."""
    gate = Gate()
    telemetry = new_telemetry(Tracing(telemetry_settings(), Hangs(gate)), watchdog=deadline.watchdog)
    with telemetry.event(event_record(), None, 30):
        deadline.comes()
        assert gate.entered.wait(60)
        lines = output.lines()
        gate.go_on.set()

    assert [line.get("outcome", "metrics") for line in lines] == ["retry", "metrics"]


def test_without_tracing_the_watchdog_reports_too(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    record = event_record()
    with telemetry.event(record, None, 30):
        deadline.comes()
        eventually(lambda: len(output.metrics()) == 1)

    assert record.struck
    assert [line["outcome"] for line in output.logs()] == ["retry"]


def test_what_was_found_out_before_the_deadline_is_told(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    """A duplicate that hangs in its dead letter is none: it will be delivered again, and counted then."""
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    record = event_record(operations=1, retries=1, latencies_ms=[1.0], delays_ms=[50.0])
    with telemetry.event(record, None, 30):
        record.same_event = False
        deadline.comes()
        eventually(lambda: len(output.metrics()) == 1)

    (line,), (metric,) = output.logs(), output.metrics()
    assert (line["attempts"], metric["Operations"], metric["Retries"]) == (2, 1, 1)
    assert (metric["DynamoDBLatency"], metric["RetryDelay"]) == ([1.0], [50.0])
    assert "IdempotencyViolations" not in metric
    assert "same_event" not in line


def test_an_event_that_ends_in_time_is_reported_once(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(tracing, watchdog=deadline.watchdog)
    record = run(telemetry)
    deadline.comes()
    run(telemetry)  # gives the watchdog's thread a reason to look at all

    assert not record.struck
    assert [line["outcome"] for line in output.logs()] == ["marked", "marked"]
    assert len(spans.take_spans()) == 2


def test_a_strike_that_comes_too_late_says_nothing(output: Output, new_telemetry: NewTelemetry) -> None:
    """The watchdog's thread was on its way when the event ended."""
    telemetry = new_telemetry(None)
    record = run(telemetry)
    telemetry._strike(record, None)

    assert not record.struck
    assert len(output.lines()) == 2


def test_whoever_reports_first_decides_for_both(output: Output, new_telemetry: NewTelemetry) -> None:
    """However the two threads meet: one report, and the event knows whether it was its own."""
    telemetry = new_telemetry(None)
    for _ in range(200):
        output.clear()
        record = event_record()
        together = threading.Barrier(2)

        def strike(record: EventRecord = record, together: threading.Barrier = together) -> None:
            together.wait()
            telemetry._strike(record, None)

        thread = threading.Thread(target=strike)
        thread.start()
        with telemetry.event(record, None, 30):
            record.outcome = "marked"
            together.wait()
        struck = record.struck
        thread.join()

        (line,) = output.logs()
        assert struck is (line["outcome"] == "retry")
        assert len(output.metrics()) == 1


def test_the_watchdog_is_off_between_events(new_telemetry: NewTelemetry, deadline: Deadline, output: Output) -> None:
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    with pytest.raises(SystemExit), telemetry.event(event_record(), None, 30):
        raise SystemExit
    deadline.comes()

    assert deadline.watchdog._strike_at is None
    assert output.lines() == []


def test_it_measures_memory_by_itself(output: Output, idle_watchdog: Watchdog) -> None:
    telemetry = Telemetry(
        telemetry_settings(memory_mb=100_000),
        write=output.write,
        tracing=None,
        init_duration_ms=1,
        watchdog=idle_watchdog,
    )
    run(telemetry)

    assert output.metrics()[0]["MemoryUsed"] == pytest.approx(memory.used_mb(), abs=30)
