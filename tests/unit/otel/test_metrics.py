"""Metrics: the form AWS publishes, the accounting, and outputs that really fail."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel import names
from otel.metrics import KEPT_LINES, MAX_VALUES, Metrics
from otel.output import file_descriptor
from otel.record import EventRecord
from tests.support.telemetry import (
    check_emf,
    emf_values,
    event_record,
    json_lines,
    output_file,
    telemetry_settings,
)

OUTCOMES = {
    "marked": "EventsMarked",
    "duplicate": "EventsDuplicate",
    "dead_lettered": "EventsDeadLettered",
    "retry": "EventsRetried",
}
CATEGORIES = ["validation", "not_found", "throttling", "network", "timeout", "internal"]
ENVIRONMENT_ONLY, WITH_CATEGORY = [["Environment"]], [["Environment", "ErrorCategory"]]

_figures = st.floats(0, 1e6)


@st.composite
def records(draw: st.DrawFn) -> EventRecord:
    """A record as it is when an event has ended, or was cut off."""
    outcome = draw(st.sampled_from([*OUTCOMES, None]))
    failed = outcome in {"dead_lettered", "retry"}
    record = event_record(
        cold_start=draw(st.booleans()),
        correlation_replaced=draw(st.booleans()),
        outcome=outcome,
        error_category=draw(st.sampled_from(CATEGORIES)) if failed else None,
        same_event=draw(st.booleans()) if outcome == "duplicate" else None,
        security=draw(st.booleans()),
        operations=draw(st.integers(0, 1)),
        retries=draw(st.integers(0, 6)),
        retry_successes=draw(st.integers(0, 1)),
        latencies_ms=draw(st.lists(_figures, max_size=8)),
        delays_ms=draw(st.lists(_figures, max_size=8)),
    )
    if draw(st.integers(0, 9)) == 0:  # more than the format takes
        record.latencies_ms = record.delays_ms = [1.5] * 150
    return record


def emit(metrics: Metrics, record: EventRecord | None = None, memory_used_mb: float = 64) -> bool:
    return metrics.emit(record or event_record(outcome="marked"), processing_ms=12.3456, memory_used_mb=memory_used_mb)


def new_metrics(write: Callable[[bytes], None], **changes: Any) -> Metrics:
    return Metrics(write, telemetry_settings(**changes), init_duration_ms=321.9876)


def emitted(*sent: EventRecord, **changes: Any) -> list[dict[str, Any]]:
    with output_file() as output:
        metrics = new_metrics(output.write, **changes)
        assert all(emit(metrics, record) for record in sent)
        return output.metrics()


def total(documents: list[dict[str, Any]], metric: str) -> float:
    return sum(emf_values(documents, metric))


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=6))
def test_every_line_is_of_the_published_form(sent: list[EventRecord]) -> None:
    documents = emitted(*sent)

    assert len(documents) == len(sent)
    for document in documents:
        check_emf(document)


@settings(deadline=None)
@given(st.lists(records(), max_size=12))
def test_the_accounting_holds(sent: list[EventRecord]) -> None:
    documents = emitted(*sent)

    assert total(documents, "EventsReceived") == len(sent)
    assert sum(total(documents, name) for name in OUTCOMES.values()) == len(sent)
    for outcome, name in OUTCOMES.items():
        # An event without an outcome was cut off: Lambda will deliver it again.
        assert total(documents, name) == sum((record.outcome or "retry") == outcome for record in sent)
    assert total(documents, "Errors") == sum(record.error_category is not None for record in sent)
    assert total(documents, "Operations") == sum(record.operations for record in sent)
    assert total(documents, "Retries") == sum(record.retries for record in sent)
    assert total(documents, "RetrySuccesses") == sum(record.retry_successes for record in sent)
    assert total(documents, "SecurityErrors") == sum(record.security for record in sent)
    assert total(documents, "ColdStarts") == sum(record.cold_start for record in sent)
    assert total(documents, "IdempotencyViolations") == sum(record.same_event is False for record in sent)
    assert total(documents, "CorrelationIdsReplaced") == sum(record.correlation_replaced for record in sent)
    assert total(documents, "MetricsFailures") == 0


@settings(deadline=None)
@given(records())
def test_dimensions_are_two_sets_and_never_an_id(record: EventRecord) -> None:
    (document,) = emitted(record)

    directives = document["_aws"]["CloudWatchMetrics"]
    assert [each["Dimensions"] for each in directives] == (
        [ENVIRONMENT_ONLY, WITH_CATEGORY] if record.error_category else [ENVIRONMENT_ONLY]
    )
    assert {each["Namespace"] for each in directives} == {"MarkEarningsProcessed"}
    if record.error_category:
        assert document["ErrorCategory"] == record.error_category
        assert [metric["Name"] for metric in directives[1]["Metrics"]] == ["Errors"]
    assert document["Environment"] == "test"
    # From a spike on a graph to its events: there, but a property.
    assert (document["correlation_id"], document["request_id"]) == (record.correlation_id, record.request_id)


@settings(deadline=None)
@given(records())
def test_units_are_the_documented_ones_and_nothing_else_is_emitted(record: EventRecord) -> None:
    (document,) = emitted(record)

    definitions = [metric for each in document["_aws"]["CloudWatchMetrics"] for metric in each["Metrics"]]
    assert {metric["Name"]: metric["Unit"] for metric in definitions}.items() <= names.METRICS.items()
    properties = {"_aws", "Environment", "ErrorCategory", "correlation_id", "request_id"}
    assert document.keys() - properties <= names.METRICS.keys()


def test_every_documented_metric_is_emitted_by_some_event() -> None:
    everything = event_record(
        cold_start=True, correlation_replaced=True, outcome="duplicate", same_event=False, security=True,
        operations=1, retries=1, retry_successes=1, latencies_ms=[1.0], delays_ms=[2.0],
    )  # fmt: skip
    others = [
        event_record(outcome=outcome, error_category="network") for outcome in ("marked", "dead_lettered", "retry")
    ]
    documents = emitted(everything, *others)
    documents += after_failures(1)

    found = {
        metric["Name"]
        for each in documents
        for entry in each["_aws"]["CloudWatchMetrics"]
        for metric in entry["Metrics"]
    }
    assert found == set(names.METRICS)


def test_figures_are_in_their_units() -> None:
    record = event_record(cold_start=True, outcome="marked", latencies_ms=[10.5, 20.25], delays_ms=[1000.0])
    with output_file() as output:
        metrics = new_metrics(output.write, memory_mb=256)
        metrics.emit(record, processing_ms=1234.56789, memory_used_mb=64.04)
        (document,) = output.metrics()

    assert document["ProcessingTime"] == 1234.568
    assert document["MemoryUsed"] == 64.0
    assert document["MemoryUtilization"] == 25.0
    assert document["InitDuration"] == 321.988
    assert document["DynamoDBLatency"] == [10.5, 20.25]
    assert document["RetryDelay"] == [1000.0]


def test_init_is_told_with_the_cold_start_only() -> None:
    cold, warm = emitted(event_record(cold_start=True, outcome="marked"), event_record(outcome="marked"))

    assert (cold["ColdStarts"], "InitDuration" in cold) == (1, True)
    assert not {"ColdStarts", "InitDuration"} & warm.keys()


def test_no_array_is_longer_than_the_format_takes() -> None:
    many = [float(number) for number in range(250)]
    (document,) = emitted(event_record(outcome="marked", latencies_ms=many, delays_ms=many))

    assert document["DynamoDBLatency"] == document["RetryDelay"] == many[:MAX_VALUES]
    check_emf(document)


@pytest.mark.parametrize(
    "damage",
    [
        {"_aws": {"Timestamp": 1}},
        {"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}},
        {"EventsMarked": "1"},
        {"EventsMarked": None},
        {"EventsMarked": [1] * 101},
        {"EventsMarked": []},
        {"Environment": 7},
        {"Environment": ""},
        {"padding": "x" * 300_000},
    ],
)
def test_the_check_itself_finds_damage(damage: dict[str, Any]) -> None:
    (document,) = emitted(event_record(outcome="marked"))

    with pytest.raises(jsonschema.ValidationError):
        check_emf({**document, **damage})


# ---- outputs that fail -------------------------------------------------------------------------------------------


class Switch:
    """A file descriptor whose other end the test changes, as a disk fills and is cleared again."""

    def __init__(self, good: int) -> None:
        self._good = good
        self.fd = os.dup(good)

    def to(self, fd: int) -> None:
        os.dup2(fd, self.fd)

    def back(self) -> None:
        os.dup2(self._good, self.fd)


@contextmanager
def switchable() -> Iterator[tuple[Switch, Callable[[], list[dict[str, Any]]]]]:
    """A switch, good at first, and a reader of what got through."""
    with output_file() as output:
        switch = Switch(output._fd)
        try:
            yield switch, output.metrics
        finally:
            os.close(switch.fd)


@contextmanager
def full_disk() -> Iterator[int]:
    fd = os.open("/dev/full", os.O_WRONLY)
    yield fd
    os.close(fd)


@contextmanager
def no_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextmanager
def full_pipe() -> Iterator[int]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    yield writer
    os.close(reader)
    os.close(writer)


FAILURES = pytest.mark.parametrize("failing", [full_disk, no_reader, full_pipe])


def after_failures(count: int) -> list[dict[str, Any]]:
    """What gets through in the end, after so many events found the disk full."""
    with switchable() as (switch, through), full_disk() as bad:
        metrics = new_metrics(file_descriptor(switch.fd))
        switch.to(bad)
        for _ in range(count):
            assert not emit(metrics)
        switch.back()
        assert emit(metrics)
        return through()


@FAILURES
def test_what_could_not_be_written_is_kept_and_written_later_in_order(failing: Any) -> None:
    sent = [event_record(outcome="marked") for _ in range(4)]
    with switchable() as (switch, through), failing() as bad:
        metrics = new_metrics(file_descriptor(switch.fd))
        assert emit(metrics, sent[0])
        switch.to(bad)
        assert not emit(metrics, sent[1])
        assert not emit(metrics, sent[2])
        assert metrics.kept == 2
        switch.back()
        assert emit(metrics, sent[3])
        assert metrics.kept == 0
        documents = through()

    assert [document["request_id"] for document in documents] == [record.request_id for record in sent]
    for document in documents:
        check_emf(document)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_each_failure_is_counted_once(count: int) -> None:
    assert total(after_failures(count), "MetricsFailures") == count


def test_kept_lines_keep_their_own_time() -> None:
    documents = after_failures(2)

    times = [document["_aws"]["Timestamp"] for document in documents]
    assert times == sorted(times)
    assert all(isinstance(moment, int) for moment in times)


def test_what_is_kept_is_bounded_and_the_oldest_go_first() -> None:
    documents = after_failures(KEPT_LINES + 50)

    assert len(documents) == KEPT_LINES
    numbers = [int(document["request_id"].removeprefix("request-")) for document in documents]
    assert numbers == list(range(numbers[-1] - KEPT_LINES + 1, numbers[-1] + 1))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(records(), st.booleans()), max_size=20))
def test_nothing_is_lost_or_told_twice_whatever_fails_in_between(plan: list[tuple[EventRecord, bool]]) -> None:
    last = event_record(outcome="marked")
    with switchable() as (switch, through), full_disk() as bad:
        metrics = new_metrics(file_descriptor(switch.fd))
        for record, fails in plan:
            if fails:
                switch.to(bad)
            else:
                switch.back()
            assert emit(metrics, record) is not fails
        switch.back()
        assert emit(metrics, last)
        documents = through()

    assert [each["request_id"] for each in documents] == [*(record.request_id for record, _ in plan), last.request_id]
    assert total(documents, "MetricsFailures") == sum(fails for _, fails in plan)


def test_a_line_torn_by_a_full_pipe_comes_again_whole() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    record = event_record(outcome="marked", correlation_id="c" * 100_000)  # more than a pipe takes
    metrics = new_metrics(file_descriptor(writer))
    first = b""
    try:
        assert not emit(metrics, record)
        first = os.read(reader, 1 << 20)
        metrics._kept[0] = metrics._kept[0].replace(b"c" * 99_000, b"")  # so that it fits this time
        assert emit(metrics)
        lines = (first + os.read(reader, 1 << 20)).split(b"\n")
    finally:
        os.close(reader)
        os.close(writer)

    torn, *whole = [line for line in lines if line]
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)
    documents = json_lines(b"\n".join(whole) + b"\n")
    assert total(documents, "EventsReceived") == 2
    assert total(documents, "MetricsFailures") == 1


def test_two_threads_that_report_at_once_lose_and_double_nothing() -> None:
    """The watchdog's thread may still be writing the last event's line while the next event ends."""
    with output_file() as output:
        entered, go_on = threading.Event(), threading.Event()

        def slow_at_first(line: bytes) -> None:
            if not entered.is_set():
                entered.set()
                go_on.wait(30)
            output.write(line)

        metrics = new_metrics(slow_at_first)
        results: list[bool] = []
        threads = [threading.Thread(target=lambda: results.append(emit(metrics))) for _ in range(2)]
        threads[0].start()
        assert entered.wait(30)
        threads[1].start()
        threads[1].join(0.05)  # time to run into the first, if nothing keeps it from that
        go_on.set()
        for thread in threads:
            thread.join()
        documents = output.metrics()

    assert results == [True, True]
    assert total(documents, "EventsReceived") == len({document["request_id"] for document in documents}) == 2
