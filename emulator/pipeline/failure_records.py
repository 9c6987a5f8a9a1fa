"""What the platform puts into its nets, in AWS's own shapes."""

import re
from datetime import UTC, datetime

import orjson

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.destinations import DestinationMessage
from emulator.pipeline.dispositions import Condition

_DLQ_TEXT_BYTES = 1024
_STATUS_OF = {"throttled": 429, "system_error": 500}
_UNEXECUTED = {
    "throttled": "Rate Exceeded.",
    "system_error": "The service encountered an internal error.",
    None: "The function was not invoked.",
}
_ZERO_CONCURRENCY = "Function not invoked. Function is configured with zero reserved concurrent executions"


def on_failure_record(
    function_arn: str,
    payload: bytes,
    *,
    request_id: str,
    condition: Condition,
    tries: int,
    last: InvocationResult | None,
    now: float,
) -> DestinationMessage:
    """Return the record that Lambda sends to an on-failure destination.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html shows it for a function error. For
    an event whose last try was throttled it has the status and no answer; for one that was never tried, neither.

    Args:
        function_arn: The function, without a qualifier.
        payload: The event, JSON; it stands in the record as it is.
        request_id: Lambda's.
        condition: Why the event was given up.
        tries: How often it was tried, throttled tries included.
        last: The last try.
        now: Unix time in seconds.
    """
    record: dict[str, object] = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": condition.value,
            "approximateInvokeCount": tries,
        },
        "requestPayload": orjson.Fragment(payload),
    }
    if last is not None and last.status in _STATUS_OF:
        record["responseContext"] = {"statusCode": _STATUS_OF[last.status], "executedVersion": "$LATEST"}
    elif last is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        record["responsePayload"] = _json(last.payload)
    return DestinationMessage(_sendable(orjson.dumps(record)))


def lambda_dlq_message(
    payload: bytes, *, request_id: str, condition: Condition, last: InvocationResult | None
) -> DestinationMessage:
    """Return what Lambda sends to a function's dead-letter queue: the event, and the last error in attributes.

    `RequestID`, `ErrorCode` (the HTTP status, a Number) and `ErrorMessage` (its first kilobyte):
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    status, text = 200, ""
    if condition is Condition.ZERO_RESERVED_CONCURRENCY:
        status, text = 429, _ZERO_CONCURRENCY
    elif last is None or last.status in _STATUS_OF:
        status = _STATUS_OF.get(last.status if last else "", 500)
        text = _UNEXECUTED[last.status if last else None]
    else:
        answer = _json(last.payload)
        text = str(answer.get("errorMessage") or last.status) if isinstance(answer, dict) else last.status
    text = _sendable(text.encode()[:_DLQ_TEXT_BYTES]).decode(errors="ignore")
    return DestinationMessage(_sendable(payload), {"RequestID": request_id, "ErrorCode": status, "ErrorMessage": text})


def rule_dlq_message(
    payload: bytes,
    *,
    rule_arn: str,
    target_arn: str,
    code: str,
    text: str,
    exhausted: str | None,
    retries: int,
) -> DestinationMessage:
    """Return what EventBridge sends to a target's dead-letter queue: the event, and why in attributes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

    Args:
        payload: The event, JSON.
        rule_arn: The rule.
        target_arn: Its target.
        code: EventBridge's error code, such as `NO_PERMISSIONS`.
        text: The target's error.
        exhausted: `MaximumRetryAttempts` or `MaximumEventAgeInSeconds`; None where it was not retried.
        retries: Attempts beyond the first.
    """
    attributes: dict[str, str | int] = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": text,
        "RETRY_ATTEMPTS": retries,
    }
    if exhausted is not None:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    return DestinationMessage(_sendable(payload), attributes)


def _json(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _sendable(text: bytes) -> bytes:
    """Escape what SQS refuses in a body although JSON has it as plain characters inside strings."""
    if b"\xef\xbf" not in text:
        return text
    return re.sub("[\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text.decode(errors="ignore")).encode()
