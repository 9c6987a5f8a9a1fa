"""How long and how often a write is retried: the deadline decides, and each category has its own limit."""

import pytest

from emulator.faults import aws_error, cancelled, reset_before, throttled
from tests.integration.conftest import NewHarness
from tests.integration.harness import Harness
from tests.support.events import unique_event


def test_delays_stop_growing_at_15_to_30_seconds(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[throttled()] * 50)

    invoked = harness(event, timeout=140)

    assert invoked.waits == [1, 2, 4, 8, *[15] * 7], "the jitter draws its least here: 15 s of 15 s to 30 s"


def test_jitter_only_lengthens_a_delay_and_at_most_doubles_it(new_harness: NewHarness) -> None:
    harness = new_harness(jitter=None)
    harness.dynamodb.script(*[throttled()] * 1000)

    seen = [harness(harness.event_for_a_row(), timeout=20).waits for _ in range(10)]

    for waits in seen:
        assert all(step <= wait <= 2 * step for step, wait in zip((1, 2, 4, 8), waits, strict=False))
    assert len({wait for waits in seen for wait in waits}) > 10, "no two callers wait in step"


@pytest.mark.parametrize(
    ("timeout", "attempts", "category"),
    [
        (6.0, 0, "timeout"),  # an attempt may take 4 s, the end of the invocation 2 s
        (6.1, 1, "throttling"),
        (7.0, 1, "throttling"),
        (7.1, 2, "throttling"),
        (9.1, 3, "throttling"),
    ],
)
def test_the_deadline_decides_how_often(harness: Harness, timeout: float, attempts: int, category: str) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[throttled()] * 10)

    invoked = harness(event, timeout=timeout)

    assert len(harness.tokens()) == attempts
    line = invoked.outcome_line
    assert (line["outcome"], line["error_category"], line["attempts"]) == ("retry", category, attempts)
    assert harness.dead_letters(invoked) == []


def test_categories_take_turns_each_with_attempts_of_its_own(harness: Harness) -> None:
    event = harness.event_for_a_row()
    server, conflict = aws_error("InternalServerError", 500), cancelled("TransactionConflict", "None")
    harness.dynamodb.script(server, reset_before(), throttled(), conflict, server, reset_before(), conflict)

    invoked = harness(event)

    assert invoked.outcome_line["outcome"] == "marked"
    assert invoked.waits == [0.1, 0.1, 1, 0.05, 0.2, 0.2, 0.1]
    categories = [event["attributes"]["error_category"] for event in invoked.root["events"]]
    assert categories == ["dynamodb", "network", "throttling", "conflict", "dynamodb", "network", "conflict"]


def test_a_permanent_error_after_transient_ones_ends_it(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(throttled(), reset_before(), aws_error("AccessDeniedException"))

    invoked = harness(event)

    assert len(harness.tokens()) == 3
    assert invoked.waits == [1, 0.1]
    line = invoked.outcome_line
    assert (line["outcome"], line["error_code"], line["attempts"]) == ("dead_lettered", "AccessDeniedException", 3)
    assert len(harness.dead_letters(invoked)) == 1
    assert invoked.metric_line["SecurityErrors"] == 1


def test_the_row_may_vanish_between_attempts(harness: Harness) -> None:
    event = unique_event()
    harness.dynamodb.script(throttled())

    invoked = harness(event)

    assert len(harness.tokens()) == 2
    assert invoked.outcome_line["error_category"] == "not_found"
    assert len(harness.dead_letters(invoked)) == 1
