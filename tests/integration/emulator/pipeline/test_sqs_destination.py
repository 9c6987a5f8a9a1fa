"""A queue as a failure destination."""

import pytest

from emulator.pipeline.destinations import DestinationError, DestinationMessage, SqsDestination
from emulator.services.sqs import drain, sqs_client
from tests.support.pipeline_helpers import PAYLOAD
from tests.support.stores import DeadLetters


def test_queue_is_a_destination(dead_letters: DeadLetters) -> None:
    client = sqs_client(dead_letters.url)
    destination = SqsDestination(client, dead_letters.queue_url)

    destination(DestinationMessage(PAYLOAD, {"RequestID": "r", "ErrorCode": 200}))
    with pytest.raises(DestinationError):
        destination(DestinationMessage(b"x" * 2_000_000))
    with pytest.raises(DestinationError):
        SqsDestination(client, dead_letters.queue_url + "-that-is-not-there")(DestinationMessage(PAYLOAD))

    (dead_letter,) = drain(dead_letters.endpoint)
    assert (dead_letter.body.encode(), dead_letter.attributes) == (PAYLOAD, {"RequestID": "r", "ErrorCode": "200"})
    client.close()
