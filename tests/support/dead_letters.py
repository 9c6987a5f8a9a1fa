"""Dead letters as each service writes them: bodies and attributes."""

import json
from datetime import UTC, datetime
from typing import Any

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.destinations import DestinationMessage, lambda_dlq_message, on_failure_record, rule_dlq_message
from emulator.pipeline.model import Condition
from tests.support.events import eventbridge_event

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
    """Shape 2: Lambda's record for an on-failure destination."""
    failure = error or {
        "errorType": "EventNotProcessed",
        "errorMessage": "category=throttling correlation_id=from-function-error : ThrottlingException",
        "stackTrace": [],
    }
    message = on_failure_record(
        FUNCTION_ARN,
        _payload(payload),
        request_id="e4b46cbf-b738-4880-8a58-9ad22fc4e2ac",
        condition=Condition(condition),
        attempts=tries,
        last=None if condition == Condition.ZERO_RESERVED_CONCURRENCY else _failed(failure),
        now=datetime(2025, 7, 31, 20, 9, 21, 500_000, UTC).timestamp(),
    )
    return _parts(message)


def from_rule(body: Any = None, code: str = "NO_PERMISSIONS", **attributes: str) -> Parts:
    """Shape 3: EventBridge's message for the dead-letter queue of a rule's target."""
    message = rule_dlq_message(
        _payload(body),
        rule_arn="arn:aws:events:us-east-1:111122223333:rule/earnings/mark",
        target_arn=FUNCTION_ARN,
        code=code,
        text="User is not authorized to perform: lambda:InvokeFunction",
        exhausted="MaximumRetryAttempts",
        retries=7,
    )
    return _parts(message, **attributes)


def from_lambda(body: Any = None, status: str = "200", message: str = "division by zero") -> Parts:
    """Shape 4: Lambda's message for the function's dead-letter queue."""
    sent = lambda_dlq_message(
        _payload(body),
        request_id="cdc6e0c2-6d3d-4a3c-b9a9-1ba5d8a3f5c2",
        condition=Condition.RETRIES_EXHAUSTED,
        last=_failed({"errorMessage": message}),
    )
    return _parts(sent, ErrorCode=status)


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


def _payload(body: Any) -> bytes:
    return json.dumps(event() if body is None else body).encode()


def _failed(error: Any) -> InvocationResult:
    return InvocationResult("error", json.dumps(error).encode(), "", 0.0, cold_start=False)


def _parts(message: DestinationMessage, **attributes: str) -> Parts:
    return message.body.decode(), {name: str(value) for name, value in message.attributes.items()} | attributes
