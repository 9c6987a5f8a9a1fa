"""The dead-letter queue on this machine: an SQS that really hides, shows and deletes messages."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.clients import loopback_client
from emulator.environment import REGION
from emulator.services.ministack import ministack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

QUEUE_NAME = "mark-earnings-processed-dead-letters"

_RETENTION_SECONDS = 14 * 24 * 3600
# Far longer than it takes to read a batch and to delete it: no message shows twice in one reading.
_VISIBILITY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class QueueEndpoint:
    """A queue that answers.

    Attributes:
        url: of the SQS API, for `AWS_ENDPOINT_URL_SQS`.
        queue_url: of the queue, for `DEAD_LETTER_QUEUE_URL`.
        region: the queue's; in another it is not known.
    """

    url: str
    queue_url: str
    region: str = REGION


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message from the queue.

    Attributes:
        message_id: SQS's ID of it.
        body: as it was sent.
        attributes: the text of its message attributes by name.
    """

    message_id: str
    body: str
    attributes: Mapping[str, str]


def sqs_client(url: str, region: str = REGION) -> "SQSClient":
    """Return a client for an SQS on this machine: never an account's credentials, never a proxy."""
    client: SQSClient = loopback_client("sqs", url, region)
    return client


def create_queue(url: str, name: str = QUEUE_NAME, region: str = REGION) -> QueueEndpoint:
    """Make a queue as the deployed one is: standard, encrypted, 14 days.

    Args:
        url: of the SQS API.
        name: of the queue.
        region: a queue is known in its own only.
    """
    with contextlib.closing(sqs_client(url, region)) as client:
        reply = client.create_queue(
            QueueName=name,
            Attributes={"MessageRetentionPeriod": str(_RETENTION_SECONDS), "SqsManagedSseEnabled": "true"},
        )
    return QueueEndpoint(url, reply["QueueUrl"], region)


@contextlib.contextmanager
def queue_service(region: str = REGION) -> Iterator[QueueEndpoint]:
    """Run an SQS with an empty dead-letter queue for the length of a `with` block.

    Args:
        region: where the function looks for its queue.

    Raises:
        ServiceError: it did not start.
    """
    with ministack("sqs") as url:
        yield create_queue(url, region=region)


def drain(endpoint: QueueEndpoint) -> list[DeadLetter]:
    """Take every message out of a queue.

    Each is deleted once it has been read, as a consumer does. Messages that another consumer is working on are not
    seen.

    Returns:
        The messages in the order they came, which SQS does not promise to be the order they were sent.
    """
    dead_letters: list[DeadLetter] = []
    with contextlib.closing(sqs_client(endpoint.url, endpoint.region)) as client:
        # A receive may come back empty-handed from a queue that is not empty, so the queue is asked, too.
        while (batch := _receive(client, endpoint.queue_url)) or _visible(client, endpoint.queue_url):
            dead_letters += [_letter(message) for message in batch]
            for message in batch:
                client.delete_message(QueueUrl=endpoint.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return dead_letters


def _receive(client: "SQSClient", queue_url: str) -> "list[MessageTypeDef]":
    reply = client.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        VisibilityTimeout=_VISIBILITY_SECONDS,
        WaitTimeSeconds=0,
    )
    return reply.get("Messages", [])


def _visible(client: "SQSClient", queue_url: str) -> bool:
    reply = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"])
    return reply["Attributes"]["ApproximateNumberOfMessages"] != "0"


def _letter(message: "MessageTypeDef") -> DeadLetter:
    attributes = message.get("MessageAttributes", {})
    return DeadLetter(
        message_id=message["MessageId"],
        body=message["Body"],
        attributes={name: value.get("StringValue", "") for name, value in attributes.items()},
    )
