"""Dead letters as each service writes them: bodies and attributes."""

import json
from typing import Any

from tests.support.strategies import eventbridge_event

FUNCTION_ARN = "arn:aws:lambda:us-east-1:111122223333:function:MarkEarningsProcessed"
TRACE_HEADER = "Root=1-68d1f2a3-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1"

type Parts = tuple[str, dict[str, str]]
"""Body and message attributes."""


def event(number: int = 1, **detail: Any) -> dict[str, Any]:
    """An event as EventBridge delivers it, with an envelope ID of its own."""
    members = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", **detail}
    return eventbridge_event(members, id=f"00000000-0000-4000-8000-{number:012d}")


def from_handler(body: Any = None, category: str = "not_found", **attributes: str) -> Parts:
    """Shape 1: what `handler.dead_letters` sends."""
    found = {
        "ERROR_CODE": category,
        "ERROR_MESSAGE": "NoSuchRow",
        "CORRELATION_ID": "from-attribute",
        "REQUEST_ID": "request-1",
        "SOURCE": "handler",
    }
    return json.dumps(event() if body is None else body), found | attributes


def from_on_failure(
    payload: Any = None,
    error: Any = None,
    *,
    condition: str = "RetriesExhausted",
    tries: int = 3,
) -> Parts:
    """Shape 2: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": "2025-07-31T20:09:21.500Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-4880-8a58-9ad22fc4e2ac",
            "functionArn": f"{FUNCTION_ARN}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": tries,
        },
        "requestPayload": event() if payload is None else payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": error
        or {
            "errorType": "EventNotProcessed",
            "errorMessage": "category=throttling correlation_id=told-by-function : ThrottlingException",
            "stackTrace": [],
        },
    }
    if condition == "ZeroReservedConcurrency":
        del record["responseContext"], record["responsePayload"]
    return json.dumps(record), {}


def from_rule(body: Any = None, code: str = "NO_PERMISSIONS", **attributes: str) -> Parts:
    """Shape 3: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html."""
    found = {
        "RULE_ARN": "arn:aws:events:us-east-1:111122223333:rule/earnings/mark",
        "TARGET_ARN": FUNCTION_ARN,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": "User is not authorized to perform: lambda:InvokeFunction",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "7",
    }
    return json.dumps(event() if body is None else body), found | attributes


def from_lambda(body: Any = None, status: str = "200", message: str = "division by zero") -> Parts:
    """Shape 4: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    attributes = {"RequestID": "cdc6e0c2-6d3d-4a3c-b9a9-1ba5d8a3f5c2", "ErrorCode": status, "ErrorMessage": message}
    return json.dumps(event() if body is None else body), attributes


def from_subscriber() -> Parts:
    """The newer buses': https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-retry.html."""
    record = {
        "version": "1.0",
        "busArn": "arn:aws:events:us-east-1:111122223333:event-busv2/earnings/abcdefghijklmnopqrstuvwxy",
        "subscriberArn": "arn:aws:events:us-east-1:111122223333:subscriber/mark/abcdefghijklmnopqrstuvwxy",
        "targetArn": FUNCTION_ARN,
        "errorCode": "ACCESS_DENIED",
        "errorMessage": "The delivery role is not authorized to perform lambda:InvokeFunction on the target.",
        "exhaustedRetryCondition": "MaximumEventAgeInSeconds",
        "retryAttempts": 4,
        "failedMessages": [{"eventId": "a1b2c3d4", "timestamp": "2026-09-16T18:40:12Z", "targetRequestId": "r"}],
    }
    return json.dumps(record), {}
