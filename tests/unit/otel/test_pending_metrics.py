"""Metric lines that could not be written are retained, up to a limit and in order: on outputs that really fail."""

import json
import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.metrics import MAX_PENDING_LINES
from otel.record import EventRecord
from otel.stdout import fd_writer
from tests.support.telemetry import (
    check_emf,
    event_record,
    json_lines,
    output_file,
)
from tests.unit.otel.metric_lines import (
    FAILURES,
    after_failures,
    emit,
    full_disk,
    new_metrics,
    records,
    switchable,
    total,
)


@FAILURES
def test_pending_lines_are_written_later_in_order(failing: Any) -> None:
    sent = [event_record(outcome="marked") for _ in range(4)]
    with switchable() as (switch, through), failing() as bad:
        metrics = new_metrics(fd_writer(switch.fd))
        assert emit(metrics, sent[0])
        switch.to(bad)
        assert not emit(metrics, sent[1])
        assert not emit(metrics, sent[2])
        assert metrics.pending == 2
        switch.back()
        assert emit(metrics, sent[3])
        assert metrics.pending == 0
        documents = through()

    assert [document["request_id"] for document in documents] == [record.request_id for record in sent]
    for document in documents:
        check_emf(document)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_each_failure_is_counted_once(count: int) -> None:
    assert total(after_failures(count), "MetricsFailures") == count


def test_pending_lines_retain_their_timestamps() -> None:
    documents = after_failures(2)

    times = [document["_aws"]["Timestamp"] for document in documents]
    assert times == sorted(times)
    assert all(isinstance(moment, int) for moment in times)


def test_beyond_the_limit_the_oldest_are_dropped() -> None:
    documents = after_failures(MAX_PENDING_LINES + 50)

    assert len(documents) == MAX_PENDING_LINES
    numbers = [int(document["request_id"].removeprefix("request-")) for document in documents]
    assert numbers == list(range(numbers[-1] - MAX_PENDING_LINES + 1, numbers[-1] + 1))


@given(st.lists(st.tuples(records(), st.booleans()), max_size=20))
def test_nothing_is_lost_or_duplicated(plan: list[tuple[EventRecord, bool]]) -> None:
    last = event_record(outcome="marked")
    with switchable() as (switch, through), full_disk() as bad:
        metrics = new_metrics(fd_writer(switch.fd))
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


def test_a_partial_line_is_written_again() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    record = event_record(outcome="marked", correlation_id="c" * 100_000)  # more than a pipe holds
    metrics = new_metrics(fd_writer(writer))
    first = b""
    try:
        assert not emit(metrics, record)
        first = os.read(reader, 1 << 20)
        metrics._pending[0] = metrics._pending[0].replace(b"c" * 99_000, b"")  # so that it fits this time
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


@pytest.mark.parametrize("error", [OSError, ValueError, UnicodeError, MemoryError, RuntimeError, TypeError])
def test_lines_are_retained_for_every_exception(error: type[Exception]) -> None:
    lines: list[bytes] = []
    broken = True

    def write(line: bytes) -> None:
        if broken:
            raise error
        lines.append(line)

    metrics = new_metrics(write)
    assert [emit(metrics), emit(metrics)] == [False, False]
    assert metrics.pending == 2
    broken = False
    assert emit(metrics)
    documents = json_lines(b"".join(lines))

    assert total(documents, "EventsReceived") == 3
    assert total(documents, "MetricsFailures") == 2


_ANY_FIGURE = st.floats()  # NaN and infinity, too
_ANY_TEXT = st.text(st.characters(), min_size=1, max_size=30) | st.sampled_from(["\ud800", "a\udcff", "null", "\x00"])


@given(
    st.lists(_ANY_FIGURE, max_size=4),
    st.lists(_ANY_FIGURE, max_size=4),
    _ANY_FIGURE,
    _ANY_FIGURE,
    st.tuples(_ANY_TEXT, _ANY_TEXT, _ANY_TEXT, st.none() | _ANY_TEXT),
)
def test_any_record_is_counted(
    latencies: list[float], delays: list[float], processing_ms: float, used_mb: float, texts: tuple[Any, ...]
) -> None:
    request_id, correlation_id, environment, category = texts
    record = event_record(outcome="marked", request_id=request_id, correlation_id=correlation_id)
    record.error_category, record.latencies_ms, record.delays_ms = category, latencies, delays
    with output_file() as output:
        metrics = new_metrics(output.write, environment=environment)
        assert metrics.emit(record, processing_ms=processing_ms, memory_used_mb=used_mb)
        (document,) = output.metrics()

    check_emf(document)
    assert document["EventsReceived"] == 1


@pytest.mark.parametrize(
    "defect", [{"outcome": "unheard of"}, {"latencies_ms": None, "delays_ms": 1}, {"retries": "x"}]
)
def test_an_invalid_record_is_a_failure_in_the_next_line(defect: dict[str, Any]) -> None:
    record = event_record(outcome="marked")
    for name, value in defect.items():
        setattr(record, name, value)
    with output_file() as output:
        metrics = new_metrics(output.write)
        assert not emit(metrics, record)
        assert metrics.pending == 0
        assert emit(metrics)
        (document,) = output.metrics()

    assert document["MetricsFailures"] == 1


def test_two_threads_at_once() -> None:
    """The watchdog may still write the line of the last event when the next event ends."""
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
        threads[1].join(0.05)  # time to interfere, if there were no lock
        go_on.set()
        for thread in threads:
            thread.join()
        documents = output.metrics()

    assert results == [True, True]
    assert total(documents, "EventsReceived") == len({document["request_id"] for document in documents}) == 2
