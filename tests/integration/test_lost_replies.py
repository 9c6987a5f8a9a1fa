"""A response that is lost after DynamoDB committed: the event is marked once, and the function reports it."""

from typing import Any

import pytest

from emulator.faults import Fault, aws_error, cancelled, garbage_ok, http_status, lost_reply, throttled, truncated
from tests.integration.harness import Harness


def marked_once(harness: Harness, event: dict[str, Any], request_id: str) -> None:
    row, (entry,) = harness.row(event), harness.audit(event)
    assert row is not None
    assert (row["is_processed"], row["processed_by_event"]) == (True, event["detail"]["event_id"])
    assert (entry["request_id"], entry["recorded_at"]) == (request_id, row["updated_at"])


@pytest.mark.parametrize(
    ("lost", "category"),
    [
        (lost_reply(), "network"),
        (truncated(), "network"),
        (garbage_ok(commit=True), "dynamodb"),
        (http_status(502, commit=True), "dynamodb"),
        (aws_error("InternalServerError", 500, commit=True), "dynamodb"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_second_attempt_finds_the_first_ones_success(harness: Harness, lost: Fault, category: str) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(lost)

    invoked = harness(event)

    assert invoked.answer == {"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]}
    first, second = harness.tokens()
    assert first == second
    marked_once(harness, event, invoked.request_id)
    line, metrics = invoked.outcome_line, invoked.metric_line
    assert line["attempts"] == 2
    assert "error_category" not in line
    assert (metrics["Operations"], metrics["Retries"], metrics["RetrySuccesses"]) == (1, 1, 1)
    assert [call["attributes"].get("error_category") for call in invoked.calls("DynamoDB.TransactWriteItems")] == [
        category,
        None,
    ]
    assert invoked.root["status"] == "UNSET"
    assert harness.dead_letters(invoked) == []


def test_lost_twice_then_throttled_then_through(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(lost_reply(), lost_reply(), throttled(), cancelled("TransactionConflict", "None"))

    invoked = harness(event)

    assert invoked.answer is not None
    assert invoked.answer["outcome"] == "marked"
    assert invoked.waits == [0.1, 0.2, 1.0, 0.05]
    assert len(harness.tokens()) == 5
    assert len(set(harness.tokens())) == 1
    marked_once(harness, event, invoked.request_id)


def test_when_every_reply_is_lost_lambdas_retry_finds_the_row_marked(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[lost_reply()] * 3)

    first = harness(event)
    second = harness(event, request_id=first.request_id)

    assert "category=network" in str(first.error)
    assert second.answer == {
        "outcome": "duplicate",
        "correlation_id": event["detail"]["correlation_id"],
        "same_event": True,
    }
    assert "IdempotencyViolations" not in second.metric_line
    *tokens, token = harness.tokens()
    assert len(tokens) == 3
    assert len(set(tokens)) == 1
    assert token not in tokens, "a known token with another request's parameters is an error"
    marked_once(harness, event, first.request_id)


def test_the_same_request_id_with_another_token_is_no_mismatch(harness: Harness) -> None:
    """What a token derived from the request ID or the event would break."""
    event = harness.event_for_a_row()
    harness.dynamodb.script(*[throttled()] * 5)

    first = harness(event)
    second = harness(event, request_id=first.request_id)

    assert "category=throttling" in str(first.error)
    assert second.outcome_line["outcome"] == "marked"
    marked_once(harness, event, first.request_id)
