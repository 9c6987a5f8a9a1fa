"""`otel` serves any function: it knows nothing of the one in `handler`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from emulator.environment import PROJECT_ROOT
from otel.watchdog import Watchdog
from tests.support.telemetry import FakeClock, Output, attributes, check_emf, eventually
from tests.support.tree import project_files
from tests.support.udp import SpanSocket
from tests.unit.otel.second_function import Context, ParcelScanned

EVENT = {"id": "scan-1", "detail": {"parcel_id": "P-7", "depot": "Kiel"}}
CONTEXT = cast("Context", SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 30_000))
SUBJECT = {"parcel_id": "P-7", "depot": "Kiel"}

WORDS_OF_THIS_FUNCTION = re.compile(
    r"earning|symbol|calendar|\brows?\b|mark(ed|s|ing)?\b|mark.?earnings|signal9|aapl|asset", re.IGNORECASE
)


@contextmanager
def running(function: ParcelScanned) -> Iterator[ParcelScanned]:
    """Close the function's sockets afterwards."""
    try:
        yield function
    finally:
        tracing = function._telemetry._tracing
        assert tracing is not None
        tracing.provider.shutdown()


def read_root_span(spans: SpanSocket) -> tuple[str, Span]:
    """The scope and the root span of the only trace."""
    (datagram,) = spans.take()
    (scope,) = datagram.data.resource_spans[0].scope_spans
    return scope.scope.name, next(span for span in scope.spans if span.name == "parcel-tracking")


@pytest.fixture
def environ(spans: SpanSocket) -> dict[str, str]:
    return {
        "AWS_REGION": "eu-north-1",
        "AWS_XRAY_DAEMON_ADDRESS": spans.endpoint,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240",  # a test process uses more than a sandbox
        "ENVIRONMENT": "test",
    }


def test_spans_metrics_and_logs(environ: dict[str, str], spans: SpanSocket, output: Output) -> None:
    with running(ParcelScanned(environ, output.write, lambda _: None)) as function:
        assert function(EVENT, CONTEXT) == "recorded"

    scope, root = read_root_span(spans)
    assert scope == "parcel-tracking"
    found = attributes(root.attributes)
    assert SUBJECT.items() <= found.items()
    assert (found["correlation_id"], found["outcome"]) == ("scan-1", "recorded")
    assert found["aws.xray.annotations"] == ["correlation_id", "parcel_id", "depot", "outcome", "function_version"]
    (line,) = output.logs()
    assert (line["level"], line["message"], line["outcome"]) == ("INFO", "parcel recorded", "recorded")
    assert SUBJECT.items() <= line.items()
    assert line["trace_id"] == root.trace_id.hex()
    (metrics,) = output.metrics()
    check_emf(metrics)
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Parcels"
    assert (metrics["EventsReceived"], metrics["ParcelsRecorded"], metrics["Environment"]) == (1, 1, "test")


def test_the_deadline(environ: dict[str, str], spans: SpanSocket, output: Output) -> None:
    """The watchdog reports a call that hangs."""
    clock = FakeClock()
    watchdog = Watchdog(clock)

    def hang(_: str) -> None:
        clock.advance(29.5)
        with watchdog._condition:
            watchdog._condition.notify_all()
        eventually(lambda: len(output.lines()) == 2)

    with running(ParcelScanned(environ, output.write, hang, watchdog)) as function:
        function(EVENT, CONTEXT)

    (line,), (metrics,) = output.logs(), output.metrics()
    result: dict[str, Any] = {"outcome": "failed", "error_category": "too_slow", "error_code": "TimedOut"}
    assert (result | SUBJECT | {"level": "ERROR", "message": "parcel not recorded"}).items() <= line.items()
    assert (metrics["ParcelsFailed"], metrics["Errors"], metrics["ErrorCategory"]) == (1, 1, "too_slow")
    _, root = read_root_span(spans)
    assert root.status.message == "too_slow"
    assert attributes(root.attributes)["error_category"] == "too_slow"


def test_an_exception_is_reported(environ: dict[str, str], spans: SpanSocket, output: Output) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("s3cret")

    with (
        running(ParcelScanned(environ, output.write, fail)) as function,
        pytest.raises(RuntimeError),
    ):
        function(EVENT, CONTEXT)

    (line,), (metrics,) = output.logs(), output.metrics()
    result: dict[str, Any] = {"outcome": "failed", "error_category": "internal", "error_code": "RuntimeError"}
    assert (result | SUBJECT | {"exception_type": "RuntimeError"}).items() <= line.items()
    assert line["exception_at"].startswith("test_second_function.py:")
    assert (metrics["ParcelsFailed"], metrics["Errors"], metrics["ErrorCategory"]) == (1, 1, "internal")
    _, root = read_root_span(spans)
    assert (root.status.message, attributes(root.attributes)["error.type"]) == ("internal", "RuntimeError")
    assert b"s3cret" not in output.raw() + root.SerializeToString()


def test_otel_has_no_word_of_the_function_in_handler() -> None:
    paths = project_files(PROJECT_ROOT, "otel/*")
    mentions = [
        f"{path.relative_to(PROJECT_ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS_OF_THIS_FUNCTION.search(line)
    ]
    assert len(paths) > 25
    assert not mentions
