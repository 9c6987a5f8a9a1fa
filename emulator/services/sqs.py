"""The dead-letter queue on this machine: an SQS with visibility timeouts and deletions."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from emulator.clients import loopback_client
from emulator.environment import REGION
from emulator.errors import EmulatorError
from emulator.services.ministack import ministack
from handler.contract import FUNCTION_NAME

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

QUEUE_NAME = f"{FUNCTION_NAME}-dead-letters"

_RETENTION_SECONDS = 14 * 24 * 3600
# Far longer than reading and deleting a batch takes: a message is received once per drain.
_VISIBILITY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class QueueEndpoint:
    """A queue of a running SQS.

    Attributes:
        url: The endpoint, for `AWS_ENDPOINT_URL_SQS`.
        queue_url: The URL of the queue, for `DEAD_LETTER_QUEUE_URL`.
        region: The region of the queue; it does not exist in another.
    """

    url: str
    queue_url: str
    region: str = REGION


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message from the queue.

    Attributes:
        attributes: The message attributes as text, by name.
    """

    message_id: str
    body: str
    attributes: Mapping[str, str]


def sqs_client(url: str, region: str = REGION) -> "SQSClient":
    """Return a client for an SQS on this machine; see `emulator.clients`."""
    client: SQSClient = loopback_client("sqs", url, region)
    return client


def create_queue(url: str, name: str = QUEUE_NAME, region: str = REGION) -> QueueEndpoint:
    """Create a queue with the settings of the deployed one: standard, encrypted, 14 days of retention."""
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
        region: The region of the queue.

    Raises:
        ServiceError: SQS did not start.
    """
    with ministack("sqs") as url:
        yield create_queue(url, region=region)


def drain_dead_letters(queue: QueueEndpoint) -> Iterator[DeadLetter]:
    """Receive and delete every message of a queue; see `drain`.

    Raises:
        EmulatorError: SQS failed.
    """
    try:
        yield from _drained(queue)
    except (BotoCoreError, ClientError) as error:
        raise EmulatorError(f"SQS at {queue.url} failed: {error}") from error


def drain(endpoint: QueueEndpoint) -> list[DeadLetter]:
    """Receive and delete every message of a queue, except those that another consumer holds.

    Returns:
        The messages in the order of their arrival, which may differ from the order in which they were sent.
    """
    return list(_drained(endpoint))


def _drained(endpoint: QueueEndpoint) -> Iterator[DeadLetter]:
    with contextlib.closing(sqs_client(endpoint.url, endpoint.region)) as client:
        # A receive may return nothing although the queue has messages, so their number decides.
        while (batch := _receive(client, endpoint.queue_url)) or _visible(client, endpoint.queue_url):
            if batch:
                client.delete_message_batch(
                    QueueUrl=endpoint.queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                        for number, message in enumerate(batch)
                    ],
                )
            yield from map(_dead_letter, batch)


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


def _dead_letter(message: "MessageTypeDef") -> DeadLetter:
    attributes = message.get("MessageAttributes", {})
    return DeadLetter(
        message_id=message["MessageId"],
        body=message["Body"],
        attributes={name: value.get("StringValue", "") for name, value in attributes.items()},
    )
