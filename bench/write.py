"""The write that all measured functions make, and the line that those log which have no logger of their own.

Imports next to nothing: what a variant does not load must not come in through here.
"""

import os
from typing import Any

CALENDAR_TABLE = os.environ.get("EARNINGS_CALENDAR_TABLE", "earningsCalendar")
AUDIT_TABLE = os.environ.get("EARNINGS_AUDIT_TABLE", "earningsAudit")


def correlation_id(event: dict[str, Any]) -> str:
    """The ID under which everything about this event is found."""
    found: str = event["detail"].get("correlation_id") or event["id"]
    return found


def transaction(event: dict[str, Any], context: Any, now: str) -> list[dict[str, Any]]:
    """Mark the calendar row that the event names and add its audit record, both or neither.

    Args:
        event: EventBridge's, valid.
        context: Lambda's.
        now: the time, ISO 8601.

    Returns:
        The `TransactItems` of `TransactWriteItems`.
    """
    detail = event["detail"]
    symbol, date = detail["asset_symbol"], detail["earnings_date"]
    correlation = correlation_id(event)
    return [
        {
            "Update": {
                "TableName": CALENDAR_TABLE,
                "Key": {"asset_symbol": {"S": symbol}, "earnings_date": {"S": date}},
                "UpdateExpression": "SET is_processed = :yes, processed_at = :now, updated_at = :now, "
                "processed_by_event = :event, correlation_id = :correlation",
                "ConditionExpression": "attribute_exists(asset_symbol) AND "
                "(attribute_not_exists(is_processed) OR is_processed <> :yes)",
                "ExpressionAttributeValues": {
                    ":yes": {"BOOL": True},
                    ":now": {"S": now},
                    ":event": {"S": event["id"]},
                    ":correlation": {"S": correlation},
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "Put": {
                "TableName": AUDIT_TABLE,
                "Item": {
                    "earnings_key": {"S": f"{symbol}#{date}"},
                    "entry_id": {"S": f"{now}#{event['id']}"},
                    "event_id": {"S": event["id"]},
                    "action": {"S": "marked"},
                    "previous_state": {"S": "unprocessed"},
                    "correlation_id": {"S": correlation},
                    "request_id": {"S": context.aws_request_id},
                    "trace_id": {"S": os.environ.get("_X_AMZN_TRACE_ID", "")},
                    "function_version": {"S": context.function_version},
                    "recorded_at": {"S": now},
                },
                "ConditionExpression": "attribute_not_exists(earnings_key)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
    ]


def is_duplicate(reply: dict[str, Any]) -> bool:
    """Whether an error reply says that the row was processed before."""
    return any(reason.get("Code") == "ConditionalCheckFailed" for reason in reply.get("CancellationReasons", []))


def facts(event: dict[str, Any], context: Any, outcome: str) -> dict[str, str]:
    """What a log line tells of an event that is over."""
    return {
        "outcome": outcome,
        "asset_symbol": event["detail"]["asset_symbol"],
        "earnings_date": event["detail"]["earnings_date"],
        "correlation_id": correlation_id(event),
        "event_id": event["id"],
        "request_id": context.aws_request_id,
    }
