"""Exactly once: a second delivery or a second event writes nothing, and is reported as such."""

import copy
from typing import Any

import pytest

from tests.integration.harness import Harness
from tests.support.events import DATE, unique_event
from tests.support.harness import same_json


def stored(harness: Harness, event: dict[str, Any]) -> tuple[Any, Any]:
    """Return the row and the audit entries of an event, in DynamoDB's JSON."""
    tables, symbol = harness.services.tables, event["detail"]["asset_symbol"]
    key = {"asset_symbol": {"S": symbol}, "earnings_date": {"S": DATE}}
    row = tables.client.get_item(TableName=tables.calendar_table, Key=key, ConsistentRead=True).get("Item")
    audit = tables.client.query(
        TableName=tables.audit_table,
        KeyConditionExpression="earnings_key = :key",
        ExpressionAttributeValues={":key": {"S": f"{symbol}#{DATE}"}},
        ConsistentRead=True,
    )["Items"]
    return row, audit


def test_an_event_that_is_delivered_again_changes_nothing(harness: Harness) -> None:
    event = harness.event_for_a_row()
    first = harness(event)
    before = stored(harness, event)

    again = harness(copy.deepcopy(event), request_id=first.request_id)  # an asynchronous retry keeps the ID

    assert again.answer == {
        "outcome": "duplicate",
        "correlation_id": event["detail"]["correlation_id"],
        "same_event": True,
    }
    assert stored(harness, event) == before
    assert len(before[1]) == 1
    assert again.outcome_line["same_event"] is True
    assert "IdempotencyViolations" not in again.metric_line
    assert [span["status"] for span in again.spans] == ["UNSET", "UNSET"], "an expected answer is no error"
    assert len(set(harness.tokens())) == 2, "a new invocation is a new request to DynamoDB"
    assert harness.dead_letters(again) == []


def test_an_event_published_again_is_the_same_event(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness(event)

    again = harness({**event, "id": "another-envelope", "replay-name": "replay-1"})

    assert again.answer is not None
    assert again.answer["same_event"] is True


def test_without_an_event_id_the_envelope_id_counts(harness: Harness) -> None:
    event = harness.event_for_a_row({"event_id": None})
    harness(event)

    same, other = harness(event), harness({**event, "id": "another-envelope"})

    assert [invoked.outcome_line["same_event"] for invoked in (same, other)] == [True, False]


def test_a_second_event_for_the_row_is_a_violation_and_writes_nothing(harness: Harness) -> None:
    event = harness.event_for_a_row()
    harness(event)
    before = stored(harness, event)
    second = copy.deepcopy(event)
    second["detail"] |= {"event_id": "second", "correlation_id": "second", "processed_at": "2030-01-01T00:00:00Z"}

    invoked = harness(second)

    assert invoked.answer == {"outcome": "duplicate", "correlation_id": "second", "same_event": False}
    assert stored(harness, event) == before
    assert invoked.metric_line["IdempotencyViolations"] == 1
    assert "Errors" not in invoked.metric_line
    assert harness.dead_letters(invoked) == []


def test_a_row_that_is_not_there_is_not_made(harness: Harness) -> None:
    event = unique_event()

    invoked = harness(event)

    assert stored(harness, event) == (None, [])
    assert invoked.answer is not None
    assert (invoked.answer["outcome"], invoked.answer["error_category"]) == ("dead_lettered", "not_found")
    assert "violations" not in invoked.answer
    (dead_letter,) = harness.dead_letters(invoked)
    assert same_json(dead_letter.body, event)
    assert dead_letter.attributes == {
        "ERROR_CODE": "not_found",
        "ERROR_MESSAGE": f"no row for {event['detail']['asset_symbol']} on {DATE} in the calendar",
        "CORRELATION_ID": event["detail"]["correlation_id"],
        "REQUEST_ID": invoked.request_id,
        "SOURCE": "handler",
    }
    (call,) = invoked.calls("DynamoDB.TransactWriteItems")
    assert call["status"] == "UNSET", "the call did what it was asked to"


@pytest.mark.parametrize(
    "odd",
    [
        {"S": "true"},
        {"S": "false"},
        {"N": "1"},
        {"NULL": True},
        {"BOOL": False},
        {"L": [{"BOOL": True}]},
        {"M": {"BOOL": {"BOOL": True}}},
        {"BS": [b"true"]},
        None,
    ],
    ids=str,
)
def test_only_true_means_processed(harness: Harness, odd: Any) -> None:
    event = harness.event_for_a_row()
    tables, key = harness.services.tables, stored(harness, event)[0]
    item = {name: value for name, value in key.items() if name != "is_processed"}
    tables.client.put_item(TableName=tables.calendar_table, Item=item | ({"is_processed": odd} if odd else {}))

    first, second = harness(event), harness(event)

    assert [invoked.outcome_line["outcome"] for invoked in (first, second)] == ["marked", "duplicate"]
    row, audit = stored(harness, event)
    assert row["is_processed"] == {"BOOL": True}
    assert len(audit) == 1


@pytest.mark.parametrize(
    "marked_by", [{}, {"processed_by_event": None}, {"processed_by_event": 7}, {"processed_by_event": ["event"]}]
)
def test_a_row_that_somebody_else_marked(harness: Harness, marked_by: dict[str, Any]) -> None:
    event = harness.event_for_a_row(is_processed=True, **marked_by)
    before = stored(harness, event)

    invoked = harness(event)

    assert invoked.answer is not None
    assert (invoked.answer["outcome"], invoked.answer["same_event"]) == ("duplicate", False)
    assert stored(harness, event) == before == (before[0], [])
