"""V0: the plain function a developer writes first, the yardstick of `bench/run.py`.

The same transaction as the real function, a JSON log line through the standard library, no telemetry, botocore as it
comes but for the number of attempts (one, as in the real function). It is not slowed down on purpose and not tuned.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CALENDAR_TABLE = os.environ.get("EARNINGS_CALENDAR_TABLE", "earningsCalendar")
AUDIT_TABLE = os.environ.get("EARNINGS_AUDIT_TABLE", "earningsAudit")

dynamodb = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the calendar row that the event names and add its audit record, both or neither."""
    detail = event["detail"]
    symbol = detail["asset_symbol"]
    date = detail["earnings_date"]
    correlation_id = detail.get("correlation_id") or event["id"]
    now = datetime.now(UTC).isoformat()
    outcome = "marked"
    try:
        dynamodb.transact_write_items(
            TransactItems=[
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
                            ":correlation": {"S": correlation_id},
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
                            "correlation_id": {"S": correlation_id},
                            "request_id": {"S": context.aws_request_id},
                            "trace_id": {"S": os.environ.get("_X_AMZN_TRACE_ID", "")},
                            "function_version": {"S": context.function_version},
                            "recorded_at": {"S": now},
                        },
                        "ConditionExpression": "attribute_not_exists(earnings_key)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ],
        )
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
            raise
        outcome = "duplicate"
    print(
        json.dumps(
            {
                "timestamp": now,
                "level": "INFO",
                "message": "event processed",
                "outcome": outcome,
                "asset_symbol": symbol,
                "earnings_date": date,
                "correlation_id": correlation_id,
                "event_id": event["id"],
                "request_id": context.aws_request_id,
            }
        )
    )
    return {"outcome": outcome, "correlation_id": correlation_id}
