"""Every event is counted once, under one outcome, whatever happens to it and to the output."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from emulator.faults import aws_error, lost_reply, sqs_error, throttled
from tests.integration.harness import Harness
from tests.support.events import unique_event
from tests.support.invariants import count_outcomes
from tests.support.invocation import Invoked
from tests.support.telemetry import check_emf, emf_values


def marked(harness: Harness) -> Invoked:
    return harness(harness.event_for_a_row())


def marked_after_a_retry(harness: Harness) -> Invoked:
    harness.dynamodb.script(throttled(), lost_reply())
    return harness(harness.event_for_a_row())


def duplicate(harness: Harness) -> Invoked:
    return harness(harness.event_for_a_row(is_processed=True))


def unknown_row(harness: Harness) -> Invoked:
    return harness(unique_event())


def malformed(harness: Harness) -> Invoked:
    return harness(unique_event({"asset_symbol": None}))


def denied(harness: Harness) -> Invoked:
    harness.dynamodb.script(aws_error("AccessDeniedException"))
    return harness(harness.event_for_a_row())


def failed(harness: Harness) -> Invoked:
    harness.dynamodb.script(*[aws_error("InternalServerError", 500)] * 3)
    return harness(harness.event_for_a_row())


def queue_failed(harness: Harness) -> Invoked:
    harness.sqs.script(*[sqs_error("InternalError", 500)] * 3)
    return harness(unique_event())


def out_of_time(harness: Harness) -> Invoked:
    return harness(harness.event_for_a_row(), timeout=3)


KINDS: dict[Callable[[Harness], Invoked], str] = {
    marked: "marked",
    marked_after_a_retry: "marked",
    duplicate: "duplicate",
    unknown_row: "dead_lettered",
    malformed: "dead_lettered",
    denied: "dead_lettered",
    failed: "retry",
    queue_failed: "retry",
    out_of_time: "retry",
}


def test_received_is_the_sum_of_the_outcomes(harness: Harness) -> None:
    kinds = [kind for kind in KINDS for _ in range(3)]
    random.shuffle(kinds)

    invocations = [kind(harness) for kind in kinds]

    lines = [invoked.metric_line for invoked in invocations]
    assert count_outcomes(lines) == Counter(KINDS[kind] for kind in kinds)
    failed_lines = [invoked.outcome_line for invoked in invocations if "error_category" in invoked.outcome_line]
    by_category = Counter(line["ErrorCategory"] for line in lines if "ErrorCategory" in line)
    assert by_category == Counter(line["error_category"] for line in failed_lines)
    assert by_category == {"not_found": 6, "validation": 3, "access_denied": 3, "dynamodb": 3, "timeout": 3}
    assert sum(emf_values(lines, "Errors")) == len(failed_lines)
    assert sum(emf_values(lines, "ColdStarts")) == 1
    assert sum(emf_values(lines, "SecurityErrors")) == 3
    assert sum(emf_values(lines, "IdempotencyViolations")) == 3
    # Writes: of all events but the malformed ones and those without time for an attempt.
    assert sum(emf_values(lines, "Operations")) == 3 * (len(KINDS) - 2)
    assert sum(emf_values(lines, "Retries")) == 3 * 2 + 3 * 2
    assert sum(emf_values(lines, "RetrySuccesses")) == 3
    assert len(emf_values(lines, "DynamoDBLatency")) == harness.dynamodb.attempts("TransactWriteItems")


def test_no_id_is_a_dimension(harness: Harness) -> None:
    for kind in KINDS:
        for directive in kind(harness).metric_line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "MarkEarningsProcessed"
            assert directive["Dimensions"] in ([["Environment"]], [["Environment", "ErrorCategory"]])


@pytest.mark.parametrize("broken_for", [1, 5])
def test_the_next_event_writes_what_could_not_be_written(harness: Harness, broken_for: int) -> None:
    telemetry, written = harness.function.processor._telemetry, list[bytes]()

    def broken(_: bytes) -> None:
        raise BrokenPipeError

    write = telemetry._metrics._write
    for _ in range(broken_for):
        telemetry._metrics._write = broken
        invoked = harness.function(harness.event_for_a_row())
        assert invoked.answer is not None
        assert invoked.answer["outcome"] == "marked"
        assert invoked.metrics == []
        written.append(invoked.output)
    telemetry._metrics._write = write

    after = harness.function(harness.event_for_a_row())

    for line in after.metrics:
        check_emf(line)
    assert count_outcomes(after.metrics) == {"marked": broken_for + 1}
    assert sum(emf_values(after.metrics, "MetricsFailures")) == broken_for
    assert b'"event_type":"metrics_not_written"' in written[0]
