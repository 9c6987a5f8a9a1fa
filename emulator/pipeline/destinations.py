"""Failure destinations: where the platform sends what it could not deliver, and its messages in AWS's formats."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.model import Condition
from emulator.services.sqs import QueueEndpoint, sqs_client
from handler.validation import format_utc

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_ERROR_MESSAGE_BYTES = 1024
_STATUS_CODES = {"throttled": 429, "system_error": 500}
_NOT_EXECUTED = {
    "throttled": "Rate Exceeded.",
    "system_error": "The service encountered an internal error.",
    None: "The function was not invoked.",
}
_ZERO_CONCURRENCY = "Function not invoked. Function is configured with zero reserved concurrent executions"


class DestinationError(Exception):
    """A failure destination did not accept a message."""


@dataclass(frozen=True, slots=True)
class DestinationMessage:
    """A message for a failure destination.

    Attributes:
        body: JSON, of characters that SQS accepts.
        attributes: The message attributes; an `int` is sent as a Number.
    """

    body: bytes
    attributes: Mapping[str, str | int] = field(default_factory=dict)


type Destination = Callable[[DestinationMessage], None]
"""Accepts a message, or raises `DestinationError`. Called from several threads."""


class SqsDestination:
    """An SQS queue as a failure destination.

    Args:
        client: A client of the queue's region.
        queue_url: The URL of the queue.
    """

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def __call__(self, message: DestinationMessage) -> None:
        """Send the message; see `Destination`."""
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
            for name, value in message.attributes.items()
        }
        try:
            self._client.send_message(
                QueueUrl=self._queue_url, MessageBody=message.body.decode(), MessageAttributes=attributes
            )
        except (BotoCoreError, ClientError) as error:
            raise DestinationError(str(error)) from error


@contextmanager
def sqs_destination(queue: QueueEndpoint) -> Iterator[Destination]:
    """Yield a queue on this machine as a failure destination."""
    with closing(sqs_client(queue.url, queue.region)) as client:
        yield SqsDestination(client, queue.queue_url)


def on_failure_record(
    function_arn: str,
    payload: bytes,
    *,
    request_id: str,
    condition: Condition,
    attempts: int,
    last: InvocationResult | None,
    now: float,
) -> DestinationMessage:
    """Return the record that Lambda sends to an on-failure destination.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html shows it for a function error. A
    record whose last attempt was throttled has a `responseContext` only; one without an attempt has neither it nor a
    `responsePayload`.

    Args:
        function_arn: The function, without a qualifier.
        payload: The event, JSON; copied into the record unchanged.
        request_id: Lambda's request ID.
        condition: Why Lambda discarded the event.
        attempts: Attempts, throttled ones included.
        last: The last attempt.
        now: Unix time in seconds.
    """
    record: dict[str, object] = {
        "version": "1.0",
        "timestamp": format_utc(datetime.fromtimestamp(now, UTC), "milliseconds"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": condition.value,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": orjson.Fragment(payload),
    }
    if last is not None and last.status in _STATUS_CODES:
        record["responseContext"] = {"statusCode": _STATUS_CODES[last.status], "executedVersion": "$LATEST"}
    elif last is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        record["responsePayload"] = _json(last.payload)
    return DestinationMessage(_escape_for_sqs(orjson.dumps(record)))


def lambda_dlq_message(
    payload: bytes, *, request_id: str, condition: Condition, last: InvocationResult | None
) -> DestinationMessage:
    """Return the message that Lambda sends to a function's dead-letter queue: the event, with the error in attributes.

    `RequestID`, `ErrorCode` (the HTTP status, a Number) and `ErrorMessage` (its first kilobyte):
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    status, text = 200, ""
    if condition is Condition.ZERO_RESERVED_CONCURRENCY:
        status, text = 429, _ZERO_CONCURRENCY
    elif last is None or last.status in _STATUS_CODES:
        status = _STATUS_CODES.get(last.status if last else "", 500)
        text = _NOT_EXECUTED[last.status if last else None]
    else:
        response = _json(last.payload)
        text = str(response.get("errorMessage") or last.status) if isinstance(response, dict) else last.status
    text = _escape_for_sqs(text.encode()[:_ERROR_MESSAGE_BYTES]).decode(errors="ignore")
    attributes: dict[str, str | int] = {"RequestID": request_id, "ErrorCode": status, "ErrorMessage": text}
    return DestinationMessage(_escape_for_sqs(payload), attributes)


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
    """Return the message that EventBridge sends to a target's dead-letter queue: the event and error attributes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

    Args:
        payload: The event, JSON.
        rule_arn: The rule.
        target_arn: The rule's target.
        code: EventBridge's error code, such as `NO_PERMISSIONS`.
        text: The target's error.
        exhausted: `MaximumRetryAttempts` or `MaximumEventAgeInSeconds`; None for an error that is not retried.
        retries: Attempts after the first.
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
    return DestinationMessage(_escape_for_sqs(payload), attributes)


def _json(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _escape_for_sqs(text: bytes) -> bytes:
    """Escape the characters that SQS rejects although JSON allows them inside strings."""
    if b"\xef\xbf" not in text:
        return text
    return re.sub("[\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text.decode(errors="ignore")).encode()
