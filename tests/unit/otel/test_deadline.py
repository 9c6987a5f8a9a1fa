"""An event that the deadline overtakes: what is told of it, by a real thread and a clock that the test moves."""

import logging
import threading

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from handler.instrumentation import INSTRUMENTATION
from otel import semconv
from otel.library_logs import redirect_library_logs
from otel.record import EventRecord
from otel.tracing.provider import Tracing
from otel.watchdog import Watchdog
from tests.support.telemetry import FakeClock, Output, attributes, event_record, eventually
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.events import run
from tests.unit.otel.tracing_harness import tracing_to


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

            # All is out while the event still hangs.
            eventually(arrived)
            (line,), (metric,) = output.logs(), output.metrics()
        record.outcome = "marked"  # too late: Lambda was told already
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
    assert attributes(sent["mark-earnings-processed"].attributes)["outcome"] == "retry"
    assert sent["hangs"].parent_span_id == sent["mark-earnings-processed"].span_id

    assert (line["level"], line["outcome"], line["error_category"]) == ("ERROR", "retry", "timeout")
    assert line["error_code"] == "DeadlineExceeded"
    assert (line["correlation_id"], line["asset_symbol"]) == (record.correlation_id, "AAPL")
    assert (metric["EventsRetried"], metric["Errors"], metric["ErrorCategory"]) == (1, 1, "timeout")

    assert record.timed_out
    assert late_lines == []
    assert late_spans == []


def test_the_event_after_one_that_was_struck_is_as_any_other(
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
def test_that_its_spans_have_ended_is_no_news_when_it_comes_back_to_life(
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
        logging.getLogger("a.library").warning("something else is news")
    with telemetry.event(event_record(), None, 30):
        span.set_attribute("late", "a defect, in another event")

    told = [line["message"] for line in output.logs() if line.get("event_type") != "event_outcome"]
    assert told == ["something else is news", "Setting attribute on ended span."]


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

    def export(self, spans: object, seconds: float) -> int:
        """Take long."""
        del spans, seconds
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
    assert record.timed_out


def test_an_overtaken_event_returns_only_when_its_report_is_written(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox freezes when the invocation returns, the watchdog's thread with it."""
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
    """A collector that hangs may take longer than there is time."""
    gate = Gate()
    telemetry = new_telemetry(tracing_to(Hangs(gate)), watchdog=deadline.watchdog)
    with telemetry.event(event_record(), None, 30):
        deadline.comes()
        assert gate.entered.wait(60)
        lines = output.lines()
        gate.go_on.set()

    assert [line.get("outcome", "metrics") for line in lines] == ["retry", "metrics"]


def test_an_event_whose_spans_hang_on_their_way_out_is_reported_as_it_ended(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    gate = Gate()
    telemetry = new_telemetry(tracing_to(Hangs(gate)), watchdog=deadline.watchdog)
    record = event_record()

    def watch() -> None:
        assert gate.entered.wait(60)  # the event is over, its spans are stuck
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


def test_without_tracing_the_watchdog_reports_too(
    output: Output, new_telemetry: NewTelemetry, deadline: Deadline
) -> None:
    telemetry = new_telemetry(None, watchdog=deadline.watchdog)
    record = event_record()
    with telemetry.event(record, None, 30):
        deadline.comes()
        eventually(lambda: len(output.metrics()) == 1)

    assert record.timed_out
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

    assert not record.timed_out
    assert [line["outcome"] for line in output.logs()] == ["marked", "marked"]
    assert len(spans.take_spans()) == 2


def test_a_strike_that_comes_too_late_says_nothing(output: Output, new_telemetry: NewTelemetry) -> None:
    """The watchdog's thread was on its way when the event ended."""
    telemetry = new_telemetry(None)
    record = run(telemetry)
    telemetry._on_deadline(record, None, 30)

    assert not record.timed_out
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
            telemetry._on_deadline(record, None, 30)

        thread = threading.Thread(target=strike)
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
