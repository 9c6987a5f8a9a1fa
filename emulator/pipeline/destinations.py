"""The nets: queues that take what could not be delivered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef


class DestinationError(Exception):
    """A net did not take a message; the text says why."""


@dataclass(frozen=True, slots=True)
class DestinationMessage:
    """A message for a net.

    Attributes:
        body: JSON, of characters that SQS takes.
        attributes: Its message attributes; an `int` is a Number, as SQS calls it.
    """

    body: bytes
    attributes: Mapping[str, str | int] = field(default_factory=dict)


type Destination = Callable[[DestinationMessage], None]
"""Takes a message for good, or raises `DestinationError`. Several threads may call it."""


class SqsDestination:
    """A queue of SQS.

    Args:
        client: Of the queue's region.
        queue_url: The queue.
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
