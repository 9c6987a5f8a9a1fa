"""Fixtures: the telemetry of the real function for each kind of event, recorded once."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from emulator.faults import Fault, hold, sqs_error, throttled
from handler.bootstrap import start_or_exit
from handler.startup import report_without_effect
from otel.json_logs import JsonLogger
from tests.integration.cases import CASES, DELAYS
from tests.integration.conftest import services
from tests.integration.harness import Harness, Services, make_harness
from tests.support.events import unique_event
from tests.support.harness import shortest_delay
from tests.support.invocation import Invoked
from tests.support.telemetry import output_file, telemetry_settings

__all__ = ["services"]

EACH = 5
"""The number of events of each kind."""

SLOW_SECONDS = 26
"""The duration of a slow event, above the alarm's threshold."""

EmfLines = Mapping[str, list[dict[str, Any]]]
"""EMF documents by kind of event."""

Recorded = Mapping[str, list[Invoked]]
"""Invocations by kind of event: the categories, and those that `KINDS` and `TROUBLE` name."""

_FAULTS: Mapping[str, Fault] = {
    category: next(case.fault for case in CASES if case.category == category)
    for category in ("throttling", "network", "conflict", "dynamodb", "access_denied", "configuration", "internal")
}


def marked(harness: Harness) -> Invoked:
    return harness(harness.event_for_a_row())


def not_found(harness: Harness) -> Invoked:
    return harness(unique_event())


def validation(harness: Harness) -> Invoked:
    return harness(unique_event({"earnings_date": "soon"}))


def duplicate(harness: Harness) -> Invoked:
    event = harness.event_for_a_row({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    harness(event)
    return harness(event)


def second(harness: Harness) -> Invoked:
    """Send a different event for a row that is already processed."""
    event = harness.event_for_a_row()
    harness(event)
    event["detail"]["event_id"] += "-again"
    return harness(event)


def helped(harness: Harness) -> Invoked:
    """Send an event that is throttled twice, then marked."""
    harness.dynamodb.script(throttled(), throttled())
    return harness(harness.event_for_a_row())


def slow_reply(harness: Harness) -> Invoked:
    """Delay a response by 26 s on both fake clocks: that of the deadline and that of durations."""
    real, slept = time.perf_counter, 0.0

    def sleep() -> None:
        nonlocal slept
        slept = SLOW_SECONDS
        harness.function.clock.advance(SLOW_SECONDS)

    harness.dynamodb.script(hold(after=sleep))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter", lambda: real() + slept)
        return harness(harness.event_for_a_row())


def timeout(harness: Harness) -> Invoked:
    """Delay a response beyond the deadline, so that the watchdog reports the event."""
    harness.dynamodb.script(hold(after=partial(harness.function.clock.advance, 60)))
    return harness.function(harness.event_for_a_row())


def keeps_failing(category: str) -> Callable[[Harness], Invoked]:
    def run(harness: Harness) -> Invoked:
        harness.dynamodb.script(*[_FAULTS[category]] * (len(DELAYS[category]) + 1), operation="TransactWriteItems")
        return harness(harness.event_for_a_row())

    return run


KINDS: Mapping[str, Callable[[Harness], Invoked]] = {
    "marked": marked,
    "not_found": not_found,
    "validation": validation,
    "duplicate": duplicate,
    "second": second,
    "helped": helped,
    "slow": slow_reply,
    "timeout": timeout,
    **{category: keeps_failing(category) for category in _FAULTS},
}
"""The kinds of events that alarms need."""


def replaced(harness: Harness) -> Invoked:
    """Send an invalid correlation ID."""
    return harness(harness.event_for_a_row({"correlation_id": "two words"}))


def queue_down(harness: Harness) -> Invoked:
    harness.sqs.script(*[sqs_error("InternalError", 500)] * 3)
    return harness(unique_event())


def defect(harness: Harness) -> Invoked:
    """Simulate a defect of the function."""

    def broken() -> Any:
        raise KeyError

    calendar = harness.function.processor._calendar
    calendar._now, whole = broken, calendar._now
    invoked = harness(harness.event_for_a_row())
    calendar._now = whole
    return invoked


def library(harness: Harness) -> Invoked:
    """Let a library log a text that is not a constant of its source during an event."""

    def warns(low: float, high: float) -> float:
        logging.getLogger("a.library").warning(str(["put together"]), exc_info=ValueError())
        return shortest_delay(low, high)

    harness.function.processor._jitter = warns
    harness.dynamodb.script(throttled())
    invoked = harness.function(harness.event_for_a_row())
    harness.function.processor._jitter = shortest_delay
    return invoked


def unwritten(harness: Harness) -> Invoked:
    """Let standard output reject the metrics once."""

    def broken(_: bytes) -> None:
        raise BrokenPipeError

    metrics = harness.function.processor._telemetry._metrics
    metrics._write, whole = broken, metrics._write
    invoked = harness.function(harness.event_for_a_row())
    metrics._write = whole
    return invoked


def rewritten(harness: Harness) -> Invoked:
    """Let standard output accept the metrics again."""
    return harness.function(harness.event_for_a_row())


def unexported(harness: Harness) -> Invoked:
    """Let the span exporter raise an exception."""

    def broken() -> int:
        raise RuntimeError

    tracing = harness.function.processor._telemetry._tracing
    assert tracing is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "flush", broken)
        return harness.function(harness.event_for_a_row())


TROUBLE = (replaced, queue_down, defect, library, unwritten, rewritten, unexported)
"""Further cases of log lines, in this order."""


@pytest.fixture(scope="session")
def recorded(services: Services) -> Recorded:
    """Run every kind of event on DynamoDB Local, behind a proxy that injects the faults."""
    found: dict[str, list[Invoked]] = {}
    with ExitStack() as stack:
        harness = make_harness(stack, services, ENVIRONMENT="test", AWS_LAMBDA_LOG_LEVEL="DEBUG")
        found["cold"] = [harness.function(harness.event_for_a_row())]
        found |= {run.__name__: [run(harness)] for run in TROUBLE}
    with ExitStack() as stack:
        harness = make_harness(stack, services, ENVIRONMENT="test")
        marked(harness)  # the cold start, which has metrics of its own
        for kind, run in KINDS.items():
            found[kind] = [run(harness) for _ in range(EACH)]
    with ExitStack() as stack:
        small = make_harness(
            stack, services, ENVIRONMENT="test", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="16"
        )  # far less than this process has
        found["full"] = [marked(small) if number else small.function(unique_event()) for number in range(EACH)]
    with ExitStack() as stack:
        unheard = make_harness(stack, services, ENVIRONMENT="test", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
        found["unheard"] = [unheard.function(unheard.event_for_a_row()) for _ in range(EACH)]
    return found


@pytest.fixture(scope="session")
def emf_lines(recorded: Recorded) -> EmfLines:
    """Return the metric lines of every kind of event."""
    return {kind: [line for each in invoked for line in each.metrics] for kind, invoked in recorded.items()}


@pytest.fixture(scope="session")
def log_lines(recorded: Recorded) -> list[dict[str, Any]]:
    """Return all log lines, with those of a start and of one that fails."""
    with output_file() as output:
        with pytest.raises(SystemExit):
            start_or_exit({}, output.write, 0)
        settings = telemetry_settings()
        report_without_effect(settings, {"OTEL_METRICS_EXPORTER": "otlp"}, JsonLogger(output.write, settings))
        unstarted = output.logs()
    return [line for kind in recorded.values() for each in kind for line in each.logs] + unstarted


def flattened(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    """Yield names and values of a log line as Logs Insights discovers them: `timings_ms.total`, `violations.0.rule`."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from flattened(inner, f"{name}.{key}" if name else str(key))
        case list():
            for number, inner in enumerate(value):
                yield from flattened(inner, f"{name}.{number}")
        case _:
            yield name, value
