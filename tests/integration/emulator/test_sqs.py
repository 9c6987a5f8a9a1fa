"""The local queue: messages have a visibility timeout and are deleted; `drain` returns every one."""

from contextlib import closing

from emulator.faults import FaultProxy, Reply, answer
from emulator.services.sqs import DeadLetter, QueueEndpoint, create_queue, drain, sqs_client
from tests.support.stores import DeadLetters


def send(dead_letters: DeadLetters, body: str, **attributes: str) -> str:
    with closing(sqs_client(dead_letters.url)) as client:
        reply = client.send_message(
            QueueUrl=dead_letters.queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
    return reply["MessageId"]


def test_message_has_body_and_attributes(dead_letters: DeadLetters) -> None:
    body = '{"detail": {"note": "é \\u2028 <b>"}}'
    message_id = send(dead_letters, body, ERROR_CODE="validation", SOURCE="handler")
    assert dead_letters.drain() == [DeadLetter(message_id, body, {"ERROR_CODE": "validation", "SOURCE": "handler"})]


def test_message_without_attributes(dead_letters: DeadLetters) -> None:
    send(dead_letters, "plain")
    (dead_letter,) = dead_letters.drain()
    assert dead_letter.attributes == {}


def test_more_than_a_batch_is_drained(dead_letters: DeadLetters) -> None:
    for number in range(23):
        send(dead_letters, str(number))
    assert sorted(int(dead_letter.body) for dead_letter in dead_letters.drain()) == list(range(23))
    assert dead_letters.drain() == []


def test_empty_receive_does_not_end_the_drain(dead_letters: DeadLetters) -> None:
    send(dead_letters, "late")
    nothing = answer(Reply(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"}))
    with FaultProxy(dead_letters.url, nothing, operation="ReceiveMessage") as proxy:
        assert [dead_letter.body for dead_letter in drain(QueueEndpoint(proxy.url, dead_letters.queue_url))] == ["late"]
        assert not proxy.unused


def test_messages_in_flight_are_not_drained(dead_letters: DeadLetters) -> None:
    send(dead_letters, "busy")
    with closing(sqs_client(dead_letters.url)) as client:
        client.receive_message(QueueUrl=dead_letters.queue_url, VisibilityTimeout=60)
        assert dead_letters.drain() == []


def test_undeleted_message_becomes_visible_again(dead_letters: DeadLetters) -> None:
    send(dead_letters, "again")
    with closing(sqs_client(dead_letters.url)) as client:
        client.receive_message(QueueUrl=dead_letters.queue_url, VisibilityTimeout=1)
        reply = client.receive_message(QueueUrl=dead_letters.queue_url, WaitTimeSeconds=20)
    assert [message["Body"] for message in reply["Messages"]] == ["again"]


def test_queue_has_the_deployed_settings(dead_letters: DeadLetters) -> None:
    with closing(sqs_client(dead_letters.url)) as client:
        attributes = client.get_queue_attributes(QueueUrl=dead_letters.queue_url, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert attributes["SqsManagedSseEnabled"] == "true"


def test_urls_are_on_loopback(queue_endpoint: QueueEndpoint) -> None:
    assert queue_endpoint.url.startswith("http://127.0.0.1:")
    assert queue_endpoint.queue_url.startswith(f"{queue_endpoint.url}/")


def test_tests_have_queues_of_their_own(dead_letters: DeadLetters) -> None:
    other = DeadLetters(create_queue(dead_letters.url, "another"))
    send(other, "theirs")
    assert dead_letters.drain() == []
    assert [dead_letter.body for dead_letter in other.drain()] == ["theirs"]


def test_queue_exists_in_its_region_only(queue_endpoint: QueueEndpoint) -> None:
    queue = create_queue(queue_endpoint.url, "in-another-region", "eu-west-1")
    with closing(sqs_client(queue.url, queue.region)) as client:
        client.send_message(QueueUrl=queue.queue_url, MessageBody="{}")
    assert [dead_letter.body for dead_letter in drain(queue)] == ["{}"]
