"""Every format is parsed, and no message makes the parser raise."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.dead_letters import serialize_event
from handler.errors import ErrorCategory, EventNotProcessed
from handler.event import resolve_correlation_id
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.sources import read_dead_letter, read_message
from tests.support.dead_letters import (
    TRACE_HEADER,
    Parts,
    event,
    from_handler,
    from_lambda,
    from_on_failure,
    from_rule,
    from_subscriber,
)
from tests.support.strategies import fuzzed_events, json_values, valid_events


def read(parts: Parts) -> DeadLetter:
    return read_dead_letter("m-1", *parts)


def test_the_functions_dead_letter() -> None:
    dead_letter = read(from_handler())

    assert (dead_letter.shape, dead_letter.category, dead_letter.code) == (
        DeadLetterSource.HANDLER,
        ErrorCategory.NOT_FOUND,
        "not_found",
    )
    assert (dead_letter.correlation_id, dead_letter.request_id, dead_letter.message) == (
        "from-attribute",
        "request-1",
        "NoSuchRow",
    )
    assert dead_letter.event == event()
    assert dead_letter.event_text == dead_letter.body
    assert dead_letter.group == "not_found"


def test_lambdas_on_failure_record() -> None:
    dead_letter = read(from_on_failure())

    assert (dead_letter.shape, dead_letter.category, dead_letter.code) == (
        DeadLetterSource.ON_FAILURE,
        ErrorCategory.THROTTLING,
        "EventNotProcessed",
    )
    assert (dead_letter.correlation_id, dead_letter.tries) == ("from-function-error", 3)
    assert dead_letter.request_id == "e4b46cbf-b738-4880-8a58-9ad22fc4e2ac"
    assert dead_letter.event == event()
    assert json.loads(dead_letter.event_text or "") == event()


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ({"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out"}, "timeout"),
        ({"errorMessage": "2025-07-31T20:05:00.000Z 1 Task timed out after 30.03 seconds"}, "timeout"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: Runtime exited"}, "internal"),
        ({"errorType": "EventNotProcessed", "errorMessage": "category=new correlation_id=c : x"}, "unknown"),
        ("not an error body", "unknown"),
    ],
)
def test_an_on_failure_record_of_another_error(error: Any, category: str) -> None:
    assert read(from_on_failure(error=error)).group == category


@pytest.mark.parametrize("category", ErrorCategory)
def test_the_functions_exception_is_parsed(category: ErrorCategory) -> None:
    error = EventNotProcessed(category, "an-id:1", "code")
    dead_letter = read(from_on_failure(error={"errorType": type(error).__name__, "errorMessage": str(error)}))
    assert (dead_letter.category, dead_letter.correlation_id) == (category, "an-id:1")


ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
REASONS = (f"TableWriteKeyRangeThroughputExceeded {ARN}", f"IndexWriteAccountLimitExceeded {ARN}/index/by-day", "New")


def raised(*reasons: str) -> str:
    return str(EventNotProcessed(ErrorCategory.THROTTLING, "c-1", "ThrottlingException", reasons))


@pytest.mark.parametrize("reasons", [(), REASONS[:1], REASONS])
def test_throttling_reasons_are_parsed(reasons: tuple[str, ...]) -> None:
    error = {"errorType": "EventNotProcessed", "errorMessage": raised(*reasons)}
    dead_letters = [
        read(from_on_failure(error=error)),
        read(from_lambda(message=raised(*reasons))),
        read(from_handler(**({"THROTTLING_REASONS": "; ".join(reasons)} if reasons else {}))),
    ]
    assert [dead_letter.throttling_reasons for dead_letter in dead_letters] == [reasons] * 3
    assert [dead_letter.category for dead_letter in dead_letters[:2]] == [ErrorCategory.THROTTLING] * 2
    assert [dead_letter.correlation_id for dead_letter in dead_letters[:2]] == ["c-1"] * 2
    assert dead_letters[0].message == raised(*reasons)


def test_a_truncated_reason_is_left_out() -> None:
    """Lambda's dead-letter queue truncates the message to 1 KB."""
    whole = raised(*REASONS)
    for length in range(len(whole)):
        reasons = read(from_lambda(message=whole[:length])).throttling_reasons
        assert reasons == REASONS[: len(reasons)]
        assert len(reasons) < len(REASONS)


@pytest.mark.parametrize(
    "text",
    [
        "category=throttling correlation_id=c-1 : <b> (\x1b[31m; two words more; -; )",
        "category=throttling correlation_id=c-1 : (",
        "category=throttling correlation_id=c-1 : ()",
        "category=throttling correlation_id=c-1 : Code ((R))",
        "Code (R)",
        "R1; R2",
    ],
)
def test_other_texts_are_not_reasons(text: str) -> None:
    assert read(from_lambda(message=text)).throttling_reasons == ()


def test_invalid_reasons_in_an_attribute_are_dropped() -> None:
    dead_letter = read(from_handler(THROTTLING_REASONS=f"{REASONS[0]}; <b>; ; a b c;{REASONS[2]};\x00"))
    assert dead_letter.throttling_reasons == (REASONS[0], REASONS[2])


def test_a_record_without_an_invocation() -> None:
    dead_letter = read(from_on_failure(condition="ZeroReservedConcurrency", tries=0))
    assert (dead_letter.group, dead_letter.code, dead_letter.tries) == ("throttling", "ZeroReservedConcurrency", 0)
    assert dead_letter.correlation_id == event()["id"]


def test_a_rule_targets_dead_letter() -> None:
    dead_letter = read(from_rule())
    assert (dead_letter.shape, dead_letter.group, dead_letter.code, dead_letter.tries) == (
        DeadLetterSource.RULE,
        "access_denied",
        "NO_PERMISSIONS",
        7,
    )
    assert dead_letter.correlation_id == event()["id"]
    assert dead_letter.event == event()


def test_lambdas_dead_letter() -> None:
    dead_letter = read(from_lambda())
    assert (dead_letter.shape, dead_letter.group, dead_letter.code) == (DeadLetterSource.LAMBDA, "internal", "200")
    assert dead_letter.request_id == "cdc6e0c2-6d3d-4a3c-b9a9-1ba5d8a3f5c2"
    own = read(from_lambda(message="category=network correlation_id=c-1 : ReadTimeoutError"))
    assert (own.group, own.correlation_id) == ("network", "c-1")
    assert read(from_lambda(status="429")).group == "throttling"
    assert read(from_lambda(message="category=network correlation_id=cut-o")).correlation_id == event()["id"]


def test_a_subscriber_record_contains_no_event() -> None:
    dead_letter = read(from_subscriber())
    assert (dead_letter.shape, dead_letter.group, dead_letter.tries) == (
        DeadLetterSource.SUBSCRIBER,
        "access_denied",
        4,
    )
    assert dead_letter.event_text is None
    assert dead_letter.correlation_id is None


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ("", {}),
        ("hello", {}),
        (json.dumps(event()), {}),  # an event without any error attribute
        (json.dumps({"requestContext": {}, "requestPayload": 1}), {}),
        (json.dumps({"failedMessages": {}}), {}),
        ("{}", {"SOURCE": "handler"}),
        ("{}", {"ERROR_CODE": "NO_PERMISSIONS"}),
    ],
)
def test_an_unrecognised_message_is_unchanged(body: str, attributes: dict[str, str]) -> None:
    dead_letter = read_dead_letter("m", body, attributes)
    assert (dead_letter.shape, dead_letter.body, dead_letter.attributes) == (DeadLetterSource.UNKNOWN, body, attributes)
    assert dead_letter.event_text is None
    assert dead_letter.correlation_id is None


@pytest.mark.parametrize("make", [from_handler, from_rule, from_lambda])
def test_a_body_that_is_not_json_keeps_its_attributes(make: Any) -> None:
    body, attributes = make()
    valid = read_dead_letter("m", body, attributes)
    for body in ("", "{", "[" * 100_000):
        dead_letter = read_dead_letter("m", body, attributes)
        assert (dead_letter.shape, dead_letter.event_text, dead_letter.body) == (DeadLetterSource.UNKNOWN, None, body)
        assert (dead_letter.group, dead_letter.code, dead_letter.message) == (valid.group, valid.code, valid.message)
        if "CORRELATION_ID" in attributes:
            assert dead_letter.correlation_id == valid.correlation_id


def test_the_id_is_resolved_as_in_the_function() -> None:
    assert read(from_rule(event(correlation_id="c-1", event_id="e-1"))).correlation_id == "c-1"
    assert read(from_rule(event(eventId="e-1"))).correlation_id == "e-1"
    # Without a valid one the function replaces it with the request ID, which a rule's message does not have.
    assert read(from_rule(event(correlation_id="<b>"))).correlation_id is None
    assert read(from_lambda(event(correlation_id="<b>"))).correlation_id == "cdc6e0c2-6d3d-4a3c-b9a9-1ba5d8a3f5c2"
    assert read(from_handler(CORRELATION_ID="<b>")).correlation_id == event()["id"]


def test_system_attributes_are_parsed() -> None:
    body, attributes = from_rule(event(redrive_count=2) | {"replay-name": "monday"})
    message = {
        "MessageId": "m-9",
        "ReceiptHandle": "handle",
        "Body": body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
        "Attributes": {
            "SentTimestamp": "1753992300123",
            "ApproximateReceiveCount": "4",
            "AWSTraceHeader": TRACE_HEADER,
        },
    }
    dead_letter = read_message(message)
    assert dead_letter.sent_at == datetime(2025, 7, 31, 20, 5, 0, 123000, tzinfo=UTC)
    assert (dead_letter.receive_count, dead_letter.trace_header, dead_letter.receipt_handle) == (
        4,
        TRACE_HEADER,
        "handle",
    )
    assert (dead_letter.redrives, dead_letter.replay_name) == (2, "monday")


names = st.sampled_from(
    [
        "SOURCE",
        "ERROR_CODE",
        "ERROR_MESSAGE",
        "CORRELATION_ID",
        "REQUEST_ID",
        "THROTTLING_REASONS",
        "RULE_ARN",
        "TARGET_ARN",
        "RETRY_ATTEMPTS",
        "EXHAUSTED_RETRY_CONDITION",
        "RequestID",
        "ErrorCode",
        "ErrorMessage",
        "other",
    ]
)
texts = st.one_of(st.just("handler"), st.sampled_from([*ErrorCategory]), st.text(max_size=40), st.integers().map(str))
records = st.fixed_dictionaries(
    {},
    optional={
        "requestContext": json_values
        | st.fixed_dictionaries(
            {"condition": json_values}, optional={"requestId": json_values, "approximateInvokeCount": json_values}
        ),
        "requestPayload": fuzzed_events,
        "responsePayload": json_values | st.fixed_dictionaries({"errorType": json_values, "errorMessage": json_values}),
        "failedMessages": json_values,
        "subscriberArn": json_values,
        "errorCode": json_values,
        "retryAttempts": json_values,
    },
)


def written(value: object) -> str:
    try:
        return serialize_event(value)
    except (RecursionError, ValueError):
        return repr(type(value))


@given(
    body=st.one_of(st.text(), fuzzed_events.map(written), records.map(written)),
    attributes=st.dictionaries(names, texts),
    system=st.dictionaries(st.sampled_from(["SentTimestamp", "ApproximateReceiveCount", "AWSTraceHeader"]), texts),
)
def test_no_message_makes_the_parser_raise(body: str, attributes: dict[str, str], system: dict[str, str]) -> None:
    dead_letter = read_dead_letter("m", body, attributes, system)

    assert dead_letter.body == body
    assert dead_letter.attributes == attributes
    if dead_letter.event_text is not None:
        assert serialize_event(json.loads(dead_letter.event_text)) == serialize_event(dead_letter.event)
    if dead_letter.shape in {DeadLetterSource.UNKNOWN, DeadLetterSource.SUBSCRIBER}:
        assert dead_letter.event_text is None


@given(valid_events, st.sampled_from([from_rule, from_on_failure, from_lambda]))
def test_a_valid_event_is_unchanged_in_every_format(sent: dict[str, Any], make: Any) -> None:
    dead_letter = read(
        make(sent) if make is not from_on_failure else make(sent, error={"errorType": "Runtime.ExitError"})
    )

    # As text: an unknown field may be NaN, which does not equal itself.
    assert json.dumps(dead_letter.event) == json.dumps(sent)
    assert json.dumps(json.loads(dead_letter.event_text or "")) == json.dumps(sent)
    resolved = resolve_correlation_id(sent, dead_letter.request_id)
    if not resolved.replaced or dead_letter.request_id:
        assert dead_letter.correlation_id == resolved.id
    again = read_dead_letter("m-1", dead_letter.body, dead_letter.attributes)
    assert replace(dead_letter, event=None) == replace(again, event=None)
    assert json.dumps(dead_letter.event) == json.dumps(again.event)
