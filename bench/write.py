"""The write of all measured functions, and the log line of those without a logger of their own.

The module imports almost nothing, so that it loads nothing that a variant does not load itself.
"""

import os
from typing import Any

CALENDAR_TABLE = os.environ.get("EARNINGS_CALENDAR_TABLE", "earningsCalendar")
AUDIT_TABLE = os.environ.get("EARNINGS_AUDIT_TABLE", "earningsAudit")


def correlation_id(event: dict[str, Any]) -> str:
    """Return the correlation ID of an event."""
    value: str = event["detail"].get("correlation_id") or event["id"]
    return value


def transaction(event: dict[str, Any], context: Any, now: str) -> list[dict[str, Any]]:
    """Return the transaction that marks the event's calendar row and adds an audit entry.

    Args:
        event: A valid EventBridge event.
        context: Lambda's context object.
        now: The time, ISO 8601.

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
    """Return whether an error response means that the row is already processed."""
    return any(reason.get("Code") == "ConditionalCheckFailed" for reason in reply.get("CancellationReasons", []))


def facts(event: dict[str, Any], context: Any, outcome: str) -> dict[str, str]:
    """Return the log fields of a processed event."""
    return {
        "outcome": outcome,
        "asset_symbol": event["detail"]["asset_symbol"],
        "earnings_date": event["detail"]["earnings_date"],
        "correlation_id": correlation_id(event),
        "event_id": event["id"],
        "request_id": context.aws_request_id,
    }
