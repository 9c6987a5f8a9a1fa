"""Exporters and outputs that fail: no event fails with them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from otel.stdout import fd_writer
from otel.tracing.tracing import Tracing
from tests.support.telemetry import Output, event_record
from tests.support.udp import SpanSocket
from tests.unit.otel.conftest import NewTelemetry
from tests.unit.otel.events import run
from tests.unit.otel.tracing_harness import make_child, tracing_to


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
    assert output.metrics()[0]["SpansLost"] == 1


class Explodes:
    """A span exporter with a defect."""

    def export(self, spans: object, seconds: float, all_sampled: bool) -> int:
        """Fail."""
        del seconds, all_sampled
        raise RuntimeError(f"s3cret {spans}")

    def close(self) -> None:
        """Do nothing."""


def test_an_exception_of_the_exporter_is_a_warning(output: Output, new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(tracing_to(Explodes()))
    run(telemetry)

    warning, outcome = output.logs()
    assert (warning["level"], warning["exception_type"]) == ("WARN", "RuntimeError")
    assert outcome["outcome"] == "marked"
    assert b"s3cret" not in output.raw()


def test_spans_of_an_exporter_that_always_raises_are_counted_once(output: Output, new_telemetry: NewTelemetry) -> None:
    telemetry = new_telemetry(tracing_to(Explodes()))
    for _ in range(3):
        run(telemetry)
    assert [line["SpansLost"] for line in output.metrics()] == [1, 1, 1]


def test_a_flush_counts_what_the_flushes_before_it_have_lost() -> None:
    """Nobody but the telemetry takes the number of a flush that raises."""
    exporter = Explodes()
    tracing = tracing_to(exporter)
    for _ in range(2):
        make_child(tracing)()
        with pytest.raises(RuntimeError):
            tracing.flush()
    exporter.export = lambda *_: 0  # type: ignore[method-assign]
    make_child(tracing)()
    assert [tracing.flush(), tracing.flush()] == [2, 0]


@contextmanager
def metrics_on_a_full_disk(output: Output) -> Iterator[Callable[[bytes], None]]:
    """Return a writer that fails for metric lines only."""
    fd = os.open("/dev/full", os.O_WRONLY)
    full = fd_writer(fd)

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
    assert [line["outcome"] for line in output.logs() if line.get("event_type") == "event_outcome"] == [
        "marked",
        "marked",
    ]
    assert output.metrics() == []


def test_no_output_at_all_changes_no_outcome(tracing: Tracing, spans: SpanSocket, new_telemetry: NewTelemetry) -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        record = run(new_telemetry(tracing, write=fd_writer(fd)))
    finally:
        os.close(fd)

    assert not record.timed_out
    assert len(spans.take_spans()) == 1
