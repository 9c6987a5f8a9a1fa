"""Dead letters of the handler's own: the original event, and what an operator needs beside it."""

import json
import re
from typing import Any

import pytest
from botocore.exceptions import NoRegionError, ReadTimeoutError
from hypothesis import given

from handler.dead_letters import MAX_MESSAGE_LENGTH, DeadLetterQueue, serialize_event
from handler.errors import ErrorCategory, ProcessingError
from otel.record import EventRecord
from tests.support.scripted_aws import DEAD_LETTER, SENT, Step, aws_error, raising, reply
from tests.support.strategies import deeply_nested, fuzzed_events, json_values, nested
from tests.support.telemetry import event_record
from tests.unit.handler.harness import QUEUE_URL, HandlerHarness

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
TAKEN_BY_SQS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*\\Z")

EVENT = {"id": "1"}
FAILURE = ProcessingError(ErrorCategory.NOT_FOUND, "NoSuchRow", "no such row")
RECORD = event_record(correlation_id="correlation-1", request_id="request-1")


def send(
    harness: HandlerHarness, event: Any = EVENT, failure: ProcessingError = FAILURE, record: EventRecord = RECORD
) -> str:
    return attempt(DeadLetterQueue(lambda: harness.sqs, QUEUE_URL), event, failure, record)


def attempt(
    queue: DeadLetterQueue, event: Any = EVENT, failure: ProcessingError = FAILURE, record: EventRecord = RECORD
) -> str:
    return queue._attempt(queue.message(event, failure, record))


def test_throttling_reasons_are_one_attribute(harness: HandlerHarness) -> None:
    for reasons, text in [((), None), (("R1 arn",), "R1 arn"), (("R1 arn", "R2"), "R1 arn; R2")]:
        harness.aws.script()
        send(harness, record=event_record(throttling_reasons=reasons))
        (request,) = harness.aws.requests
        attribute = request.parameters["MessageAttributes"].get("THROTTLING_REASONS")
        assert (attribute and attribute["StringValue"]) == text


def canonical(value: Any) -> str:
    """Equal texts for equal JSON; unlike `==`, NaN equals NaN and 1 is not true."""
    return json.dumps(value, sort_keys=True)


class TestBody:
    """The event as text."""

    @given(json_values)
    def test_any_json_arrives_as_it_was_in_characters_that_sqs_takes(self, event: Any) -> None:
        body = serialize_event(event)
        assert canonical(json.loads(body)) == canonical(event)
        assert TAKEN_BY_SQS.match(body)

    @given(fuzzed_events)
    def test_also_events(self, event: Any) -> None:
        body = serialize_event(event)
        assert canonical(json.loads(body)) == canonical(event)
        assert TAKEN_BY_SQS.match(body)

    @given(deeply_nested)
    def test_also_deep_ones(self, event: Any) -> None:
        assert canonical(json.loads(serialize_event(event))) == canonical(event)

    def test_as_deep_as_a_reader_goes(self) -> None:
        assert json.loads(serialize_event(nested(9_000, lists=True))) == nested(9_000, lists=True)

    @pytest.mark.parametrize(
        "text",
        ["\ud800", "x\udfff", "\ufffe", "\uffff", "\x00", "\x1b", "\x7f", "\u2028", "\U0001f4b0", "ü", '"', "\\"],
    )
    def test_characters_that_something_in_between_may_not_like(self, text: str) -> None:
        for event in (text, {text: text}, [text + "ü"]):
            assert json.loads(serialize_event(event)) == event
            assert TAKEN_BY_SQS.match(serialize_event(event))

    @pytest.mark.parametrize(
        ("text", "body"),
        [
            ("[1e999,-1e999]", "[1e999,-1e999]"),
            ('{"Infinity":"-Infinity","a\\"":1e999}', '{"Infinity":"-Infinity","a\\"":1e999}'),
            ('["\\ud800",-1e999]', '["\\ud800",-1e999]'),
            ('["Infinity \\\\",1e400]', '["Infinity \\\\",1e999]'),
        ],
    )
    def test_a_number_beyond_a_double_stays_a_number(self, text: str, body: str) -> None:
        assert serialize_event(json.loads(text)) == body

    @pytest.mark.parametrize("depth", [10, 9_000])
    def test_also_deep_down(self, depth: int) -> None:
        assert serialize_event(nested(depth, lists=True, core=float("inf"))) == "[" * depth + "1e999" + "]" * depth

    def test_what_sqs_takes_is_not_escaped(self) -> None:
        assert serialize_event({"name": "Zürich 💰"}) == '{"name":"Zürich 💰"}'


class TestSend:
    """One attempt."""

    @staticmethod
    def send(
        harness: HandlerHarness,
        step: Step,
        event: Any = EVENT,
        failure: ProcessingError = FAILURE,
        record: EventRecord = RECORD,
    ) -> tuple[str, dict[str, Any]]:
        harness.aws.script(sqs=[step])
        message_id = send(harness, event, failure, record)
        ((operation, parameters),) = [(request.operation, request.parameters) for request in harness.aws.requests]
        assert operation == DEAD_LETTER
        return message_id, parameters

    def test_the_message(self, harness: HandlerHarness) -> None:
        message_id, parameters = self.send(harness, SENT)
        assert message_id == "message-1"
        assert parameters == {
            "QueueUrl": QUEUE_URL,
            "MessageBody": '{"id":"1"}',
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in {
                    "ERROR_CODE": "not_found",
                    "ERROR_MESSAGE": "no such row",
                    "CORRELATION_ID": "correlation-1",
                    "REQUEST_ID": "request-1",
                    "SOURCE": "handler",
                }.items()
            },
        }

    def test_a_long_message_is_cut(self, harness: HandlerHarness) -> None:
        failure = ProcessingError(ErrorCategory.NOT_FOUND, "NoSuchRow", "x" * (MAX_MESSAGE_LENGTH + 1))
        _, parameters = self.send(harness, SENT, failure=failure)
        assert parameters["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] == "x" * MAX_MESSAGE_LENGTH

    def test_an_empty_attribute_which_sqs_refuses_is_left_out(self, harness: HandlerHarness) -> None:
        failure = ProcessingError(ErrorCategory.NOT_FOUND, "NoSuchRow")
        _, parameters = self.send(harness, SENT, None, failure, event_record(request_id=""))
        assert set(parameters["MessageAttributes"]) == {"ERROR_CODE", "CORRELATION_ID", "SOURCE"}
        assert parameters["MessageBody"] == "null"

    @pytest.mark.parametrize(
        ("step", "category", "code"),
        [
            (
                aws_error("QueueDoesNotExist", service="sqs"),
                ErrorCategory.CONFIGURATION,
                "QueueDoesNotExist",
            ),
            (
                Step(
                    400,
                    aws_error("KmsAccessDenied", service="sqs").body,
                    {"x-amzn-query-error": "KMS.AccessDeniedException;Sender"},
                ),
                ErrorCategory.ACCESS_DENIED,
                "KMS.AccessDeniedException",
            ),
            (
                Step(
                    400,
                    aws_error("KmsThrottled", service="sqs").body,
                    {"x-amzn-query-error": "KMS.ThrottlingException;Sender"},
                ),
                ErrorCategory.THROTTLING,
                "KMS.ThrottlingException",
            ),
            (aws_error("RequestThrottled", 403, service="sqs"), ErrorCategory.THROTTLING, "RequestThrottled"),
            (aws_error("AccessDeniedException", service="sqs"), ErrorCategory.ACCESS_DENIED, "AccessDeniedException"),
            (Step(503, b"<html>busy</html>"), ErrorCategory.DYNAMODB, "Http503"),
            (reply({}), ErrorCategory.DYNAMODB, "UnreadableReply"),
            (reply({"MD5OfMessageBody": "0"}), ErrorCategory.DYNAMODB, "UnreadableReply"),
            (Step(200, b"<html>It works!"), ErrorCategory.DYNAMODB, "UnreadableReply"),
            (Step(200, b"\xff\xfe"), ErrorCategory.DYNAMODB, "UnicodeDecodeError"),
            (
                raising(lambda: ReadTimeoutError(endpoint_url="https://sqs")),
                ErrorCategory.NETWORK,
                "ReadTimeoutError",
            ),
        ],
    )
    def test_failures(self, harness: HandlerHarness, step: Step, category: ErrorCategory, code: str) -> None:
        with pytest.raises(ProcessingError) as caught:
            self.send(harness, step)
        assert (caught.value.category, caught.value.code) == (category, code)
        assert len(harness.aws.requests) == 1

    def test_the_client_is_made_by_the_first_dead_letter_and_once(self, harness: HandlerHarness) -> None:
        harness.aws.script()
        made: list[Any] = []

        def make() -> Any:
            made.append(harness.sqs)
            return harness.sqs

        queue = DeadLetterQueue(make, QUEUE_URL)
        assert made == []
        attempt(queue)
        attempt(queue)
        assert made == [harness.sqs]

    def test_a_client_that_cannot_be_made(self) -> None:
        def make() -> Any:
            raise NoRegionError

        with pytest.raises(ProcessingError) as caught:
            attempt(DeadLetterQueue(make, QUEUE_URL))
        assert (caught.value.category, caught.value.code) == (ErrorCategory.CONFIGURATION, "NoRegionError")
