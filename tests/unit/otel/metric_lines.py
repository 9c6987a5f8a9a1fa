"""Records of every kind of event, their metrics, and outputs that really fail."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import strategies as st

from handler.outcome import INSTRUMENTATION
from otel.metrics import Metrics
from otel.record import EventRecord
from otel.stdout import fd_writer
from tests.support.telemetry import (
    emf_values,
    event_record,
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
    """A record of an event that has ended or has timed out."""
    outcome = draw(st.sampled_from([*OUTCOMES, None]))
    failed = outcome in {"dead_lettered", "retry"}
    record = event_record(
        cold_start=draw(st.booleans()),
        correlation_replaced=draw(st.booleans()),
        outcome=outcome,
        error_category=draw(st.sampled_from(CATEGORIES)) if failed else None,
        same_event=draw(st.booleans()) if outcome == "duplicate" else None,
        access_denied_by=draw(st.none() | st.just("DynamoDB: AccessDeniedException")),
        operations=draw(st.integers(0, 1)),
        retries=draw(st.integers(0, 6)),
        retry_successes=draw(st.integers(0, 1)),
        latencies_ms=draw(st.lists(_figures, max_size=8)),
        delays_ms=draw(st.lists(_figures, max_size=8)),
    )
    if draw(st.integers(0, 9)) == 0:  # more than EMF allows
        record.latencies_ms = record.delays_ms = [1.5] * 150
    return record


def emit(metrics: Metrics, record: EventRecord | None = None, memory_used_mb: float = 64) -> bool:
    return metrics.emit(record or event_record(outcome="marked"), processing_ms=12.3456, memory_used_mb=memory_used_mb)


def new_metrics(write: Callable[[bytes], None], **changes: Any) -> Metrics:
    return Metrics(write, telemetry_settings(**changes), INSTRUMENTATION, init_duration_ms=321.9876)


def emitted(*sent: EventRecord, **changes: Any) -> list[dict[str, Any]]:
    with output_file() as output:
        metrics = new_metrics(output.write, **changes)
        assert all(emit(metrics, record) for record in sent)
        return output.metrics()


def total(documents: list[dict[str, Any]], metric: str) -> float:
    return sum(emf_values(documents, metric))


class Switch:
    """A file descriptor whose target the test changes, as a disk fills up and is cleared."""

    def __init__(self, good: int) -> None:
        self._good = good
        self.fd = os.dup(good)

    def to(self, fd: int) -> None:
        os.dup2(fd, self.fd)

    def back(self) -> None:
        os.dup2(self._good, self.fd)


@contextmanager
def switchable() -> Iterator[tuple[Switch, Callable[[], list[dict[str, Any]]]]]:
    """A switch with a working target, and a reader of the written metrics."""
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
    """Return the written metrics after this many events on a full disk."""
    with switchable() as (switch, through), full_disk() as bad:
        metrics = new_metrics(fd_writer(switch.fd))
        switch.to(bad)
        for _ in range(count):
            assert not emit(metrics)
        switch.back()
        assert emit(metrics)
        return through()
