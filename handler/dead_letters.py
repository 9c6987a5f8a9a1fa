"""The handler's own dead letters: the original event, unchanged, with what an operator needs beside it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from handler.aws import call, exception_code
from handler.classification import INVALID_RESPONSE, ErrorCategory, classify_exception
from handler.errors import AwsCallError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_MESSAGE_LENGTH = 1_000
"""Characters of `ERROR_MESSAGE`; many broken rules make a long text."""

# What SQS takes in a body: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STRING_OR_INFINITY = re.compile(r'"(?:[^"\\]++|\\.)*+"|(-?)Infinity')


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that more tries cannot help.

    Attributes:
        event: the JSON value that arrived.
        category: what is wrong.
        message: what is wrong, for a person; never a value from the event.
        correlation_id: the event's.
        request_id: Lambda's request ID.
        throttling_reasons: why DynamoDB throttled attempts before this failure, where it did.
    """

    event: object
    category: ErrorCategory
    message: str
    correlation_id: str
    request_id: str
    throttling_reasons: tuple[str, ...] = ()


class DeadLetterQueue:
    """Sends dead letters to SQS."""

    def __init__(self, client: Callable[[], "SQSClient"], queue_url: str) -> None:
        """Remember where to send.

        Args:
            client: makes the client; called by the first dead letter, since most sandboxes never have one.
            queue_url: URL of the queue.
        """
        self._make_client = client
        self._client: SQSClient | None = None
        self._queue_url = queue_url

    def send(self, dead_letter: DeadLetter) -> str:
        """One attempt to send.

        Returns:
            SQS's message ID.

        Raises:
            AwsCallError: with its category.
        """
        if self._client is None:
            try:
                self._client = self._make_client()
            except Exception as error:
                category = classify_exception(error)
                if category is ErrorCategory.INTERNAL and not isinstance(error, BotoCoreError):
                    raise
                raise AwsCallError(category, exception_code(error)) from error
        attributes = {
            "ERROR_CODE": dead_letter.category.value,
            "ERROR_MESSAGE": dead_letter.message[:MAX_MESSAGE_LENGTH],
            "CORRELATION_ID": dead_letter.correlation_id,
            "REQUEST_ID": dead_letter.request_id,
            "SOURCE": "handler",
            "THROTTLING_REASONS": "; ".join(dead_letter.throttling_reasons),
        }
        reply = call(
            self._client.send_message,
            QueueUrl=self._queue_url,
            MessageBody=serialize_event(dead_letter.event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
            },
        )
        if "MessageId" not in reply:
            raise AwsCallError(ErrorCategory.DYNAMODB, INVALID_RESPONSE)
        return str(reply["MessageId"])


def serialize_event(event: object) -> str:
    """The event as JSON that SQS takes: equal to what arrived, escaped where SQS refuses the plain character."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if "Infinity" in text:
        # A number beyond a double's range (1e999) arrives as infinity, which JSON cannot name; such a number can.
        text = _STRING_OR_INFINITY.sub(lambda found: found[0] if found[0][0] == '"' else f"{found[1]}1e999", text)
    # Outside of strings JSON has no such character, and inside an escape is the same.
    return _REFUSED.sub(lambda found: json.dumps(found[0])[1:-1], text)
