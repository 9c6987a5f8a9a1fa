"""Events that reach the deadline, with a real thread and a clock that the test moves."""

import logging
import threading

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from handler.outcome import INSTRUMENTATION
from otel import semconv
from otel.library_logs import redirect_library_logs
from otel.record import EventRecord
from otel.tracing.tracing import Tracing
from otel.watchdog import Watchdog
from tests.support.telemetry import FakeClock, Output, attributes, event_record, eventually
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.events import run
from tests.unit.otel.tracing_harness import tracing_to


class Deadline:
    """A watchdog, and its clock that the test moves to the deadline."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self.watchdog = Watchdog(self._clock)

    def comes(self) -> None:
        """Move the clock close to the deadline, and wake the watchdog."""
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
        record.subject = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
        telemetry.set_event_attributes(record)
        with tracer.start_as_current_span("ended before"):
            pass
        with tracer.start_as_current_span("hangs"):
            deadline.comes()
            sent: dict[str, Span] = {}

            def arrived() -> bool:
                sent.update((span.name, span) for span in spans.take_spans())
                return bool(sent)

            # Everything is reported while the event hangs.
            eventually(arrived)
            (line,), (metric,) = output.logs(), output.metrics()
        record.outcome = "marked"  # too late: the event is reported
    late_lines, late_spans = output.lines()[2:], spans.take()

    assert sent.keys() == {"ended before", "hangs", "mark-earnings-processed"}
    for span in sent.values():
        found = attributes(span.attributes)
        assert (found["correlation_id"], found["asset_symbol"]) == (record.correlation_id, "AAPL")
        assert found[semconv.XRAY_ANNOTATIONS] == [name for name in INSTRUMENTATION.annotations if name in found]
        assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
    failed = Status(code=Status.STATUS_CODE_ERROR, message="timeout")
    assert sent["ended before"].status == Status()
    for name in ("hangs", "mark-earnings-processed"):
        assert sent[name].status == failed
        assert attributes(sent[name].attributes)["error.type"] == "DeadlineExceeded"
        assert attributes(sent[name].attributes)["error_category"] == "timeout"
        assert len(sent[name].events) == 1  # one cause in X-Ray
    assert attributes(sent["mark-earnings-processed"].attributes)["outcome"] == "retry"
    assert sent["hangs"].parent_span_id == sent["mark-earnings-processed"].span_id

    assert (line["level"], line["outcome"], line["error_category"]) == ("ERROR", "retry", "timeout")
    assert line["error_code"] == "DeadlineExceeded"
    assert (line["correlation_id"], line["asset_symbol"]) == (record.correlation_id, "AAPL")
    assert (metric["EventsRetried"], metric["Errors"], metric["ErrorCategory"]) == (1, 1, "timeout")

    assert record.timed_out
    assert late_lines == []
    assert late_spans == []


def test_the_event_after_a_timeout(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(tracing, watchdog=deadline.watchdog)
    timed_out = event_record()
    with telemetry.event(timed_out, None, 30):
        deadline.comes()
        eventually(lambda: bool(spans.take()))

    record = run(telemetry)

    assert timed_out.timed_out
    assert not record.timed_out
    (span,) = spans.take_spans()
    assert span.trace_id.hex() == record.trace_id
    assert [line["outcome"] for line in output.logs()] == ["retry", "marked"]


@pytest.mark.usefixtures("root_logger")
def test_warnings_about_ended_spans_are_dropped(
    tracing: Tracing, output: Output, spans: SpanSocket, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    """The SDK warns of each attribute, status and end on a span that the watchdog has ended."""
    telemetry = new_telemetry(tracing, watchdog=deadline.watchdog)
    redirect_library_logs(telemetry.log, lambda: telemetry.current_record)
    with (
        telemetry.event(event_record(), None, 30),
        tracing.provider.get_tracer("a library").start_span("hangs") as span,
    ):
        deadline.comes()
        eventually(lambda: bool(spans.take()))
        span.set_attribute("late", "yes")
        logging.getLogger("a.library").warning("something else")
    with telemetry.event(event_record(), None, 30):
        span.set_attribute("late", "a defect, in another event")

    messages = [line["message"] for line in output.logs() if line.get("event_type") != "event_outcome"]
    assert messages == ["something else", "Setting attribute on ended span."]


class Gate:
    """Blocks until the test opens it."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> float:
        """Block."""
        self.entered.set()
        self.go_on.wait(60)
        return 50.0


class Hangs:
    """A span exporter that hangs."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def export(self, spans: object, seconds: float, all_sampled: bool) -> int:
        """Block."""
        del spans, seconds, all_sampled
        self._gate()
        return 0

    def close(self) -> None:
        """Do nothing."""


def test_an_event_that_resumes_does_not_change_its_report(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    in_the_middle = Gate()
    telemetry = new_telemetry(None, watchdog=deadline.watchdog, used_mb=in_the_middle)
    record = event_record()
    with telemetry.event(record, None, 30):
        deadline.comes()
        assert in_the_middle.entered.wait(60)  # the watchdog is writing the report
        record.outcome, record.same_event, record.error_code = "duplicate", False, None
    in_the_middle.go_on.set()
    eventually(lambda: len(output.metrics()) == 1)

    (line,), (metric,) = output.logs(), output.metrics()
    assert (line["outcome"], line["error_code"]) == ("retry", "DeadlineExceeded")
    assert not {"EventsDuplicate", "IdempotencyViolations"} & metric.keys()
    assert record.timed_out


def test_a_timed_out_event_returns_after_its_report(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda freezes the watchdog's thread when the invocation returns."""
    monkeypatch.setattr("otel.telemetry.REPORT_SECONDS", 60)
    in_the_middle = Gate()
    telemetry = new_telemetry(None, watchdog=deadline.watchdog, used_mb=in_the_middle)
    with telemetry.event(event_record(), None, 30):
        deadline.comes()
        assert in_the_middle.entered.wait(60)
        threading.Timer(0.05, in_the_middle.go_on.set).start()

    assert len(output.metrics()) == 1


def test_before_the_deadline_lines_do_not_wait_for_spans(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    """A collector that hangs must not delay them."""
    gate = Gate()
    telemetry = new_telemetry(tracing_to(Hangs(gate)), watchdog=deadline.watchdog)
    with telemetry.event(event_record(), None, 30):
        deadline.comes()
        assert gate.entered.wait(60)
        lines = output.lines()
        gate.go_on.set()

    assert [line.get("outcome", "metrics") for line in lines] == ["retry", "metrics"]


def test_a_hanging_exporter_does_not_change_the_outcome(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    gate = Gate()
    telemetry = new_telemetry(tracing_to(Hangs(gate)), watchdog=deadline.watchdog)
    record = event_record()

    def watch() -> None:
        assert gate.entered.wait(60)  # the event has ended, its export hangs
        deadline.comes()
        eventually(lambda: len(output.metrics()) == 1)
        gate.go_on.set()

    thread = threading.Thread(target=watch)
    thread.start()
    with telemetry.event(record, None, 30):
        record.outcome = "marked"
    thread.join()

    (line,), (metric,) = output.logs(), output.metrics()
    assert (line["outcome"], metric["EventsMarked"]) == ("marked", 1)
    assert not record.timed_out


def test_without_tracing(output: Output, new_telemetry: NewTelemetry, deadline: Deadline) -> None:
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    record = event_record()
    with telemetry.event(record, None, 30):
        deadline.comes()
        eventually(lambda: len(output.metrics()) == 1)

    assert record.timed_out
    assert [line["outcome"] for line in output.logs()] == ["retry"]


def test_facts_from_before_the_deadline_are_reported(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    """A duplicate that times out is a retry: it is delivered again, and counted then."""
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
    run(telemetry)  # starts the watchdog's thread

    assert not record.timed_out
    assert [line["outcome"] for line in output.logs()] == ["marked", "marked"]
    assert len(spans.take_spans()) == 2


def test_a_late_watchdog_reports_nothing(output: Output, new_telemetry: NewTelemetry) -> None:
    """The event ended before the watchdog's callback ran."""
    telemetry = new_telemetry(None)
    record = run(telemetry)
    telemetry._on_deadline(record, None, 30)

    assert not record.timed_out
    assert len(output.lines()) == 2


def test_only_the_first_of_two_threads_reports(output: Output, new_telemetry: NewTelemetry) -> None:
    """In every interleaving: one report, and `timed_out` is right."""
    telemetry = new_telemetry(None)
    for _ in range(200):
        output.clear()
        record = event_record()
        together = threading.Barrier(2)

        def reach_deadline(record: EventRecord = record, together: threading.Barrier = together) -> None:
            together.wait()
            telemetry._on_deadline(record, None, 30)

        thread = threading.Thread(target=reach_deadline)
        thread.start()
        with telemetry.event(record, None, 30):
            record.outcome = "marked"
            together.wait()
        timed_out = record.timed_out
        thread.join()

        (line,) = output.logs()
        assert timed_out is (line["outcome"] == "retry")
        assert len(output.metrics()) == 1


def test_the_watchdog_is_off_between_events(new_telemetry: NewTelemetry, deadline: Deadline, output: Output) -> None:
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    with pytest.raises(SystemExit), telemetry.event(event_record(), None, 30):
        raise SystemExit
    deadline.comes()

    assert deadline.watchdog._deadline is None
    assert output.lines() == []
