"""The function's dead letters: the original event, unchanged, with attributes for the operator."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from handler.aws import call, exception_code
from handler.classification import INVALID_RESPONSE, classify_exception
from handler.errors import ErrorCategory, ProcessingError
from otel.record import EventRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from handler.invocation import Invocation

MAX_MESSAGE_LENGTH = 1_000
"""Characters of `ERROR_MESSAGE`; many violations make a long text."""

# What SQS takes in a body: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STRING_OR_INFINITY = re.compile(r'"(?:[^"\\]++|\\.)*+"|(-?)Infinity')


class DeadLetterQueue:
    """The function's dead-letter queue in SQS.

    Args:
        client: Makes the client. Called by the first dead letter, since most sandboxes never have one.
        queue_url: URL of the queue.
    """

    def __init__(self, client: Callable[[], "SQSClient"], queue_url: str) -> None:
        self._make_client = client
        self._client: SQSClient | None = None
        self._queue_url = queue_url

    def client(self) -> "SQSClient":
        """Return the client; the first call makes it."""
        if self._client is None:
            self._client = self._make_client()
        return self._client

    def send(self, event: object, failure: ProcessingError, invocation: "Invocation") -> None:
        """Send an event that fails permanently; its message ID goes onto the record.

        Args:
            event: The JSON value that Lambda delivered.
            failure: What is wrong with it.
            invocation: Makes the call and has the event's IDs.

        Raises:
            ProcessingError: The queue did not take the message.
        """
        message = invocation.timed("dead_letter", self.message, event, failure, invocation.record)
        invocation.record.dead_letter_id = invocation.call(
            lambda: invocation.timed("dead_letter", self._attempt, message)
        )

    def message(self, event: object, failure: ProcessingError, record: EventRecord) -> dict[str, Any]:
        """Return the parameters of `SendMessage`: the event as the body, what an operator needs as attributes."""
        attributes = {
            "ERROR_CODE": failure.category.value,
            "ERROR_MESSAGE": failure.message[:MAX_MESSAGE_LENGTH],
            "CORRELATION_ID": record.correlation_id,
            "REQUEST_ID": record.request_id,
            "SOURCE": "handler",
            "THROTTLING_REASONS": "; ".join(record.throttling_reasons),
        }
        return {
            "QueueUrl": self._queue_url,
            "MessageBody": serialize_event(event),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
            },
        }

    def _attempt(self, message: dict[str, Any]) -> str:
        try:
            client = self.client()
        except Exception as error:
            category = classify_exception(error)
            if category is ErrorCategory.INTERNAL and not isinstance(error, BotoCoreError):
                raise
            raise ProcessingError(category, exception_code(error), service="SQS") from error
        response = call("SQS", client.send_message, **message)
        if "MessageId" not in response:
            raise ProcessingError(ErrorCategory.DYNAMODB, INVALID_RESPONSE, service="SQS")
        return str(response["MessageId"])


def serialize_event(event: object) -> str:
    """Return the event as JSON that SQS takes: equal to what arrived, escaped where SQS refuses the plain character."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if "Infinity" in text:
        # A number beyond a double's range (1e999) arrives as infinity, which JSON cannot name; such a number can.
        text = _STRING_OR_INFINITY.sub(lambda found: found[0] if found[0][0] == '"' else f"{found[1]}1e999", text)
    # Outside of strings JSON has no such character, and inside an escape is the same.
    return _REFUSED.sub(lambda found: json.dumps(found[0])[1:-1], text)
