"""One attempt a call; replies as values; whatever comes back, a category."""

import json
from collections.abc import Iterator, Sequence
from copy import replace
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from hypothesis import given
from hypothesis import strategies as st

from deploy.image.trim_botocore import CREDENTIAL_OPERATIONS, OPERATIONS
from handler.aws import call, client_config
from handler.classification import CATEGORY_BY_CODE
from handler.coldstart import botocore_session, credentials
from handler.errors import ErrorCategory, ProcessingError
from tests.support.scripted_aws import Step, aws_error, cancelled, raising, reply
from tests.support.signatures import OF_ITS_TIME, OF_ITSELF, xml_error
from tests.support.strategies import json_values
from tests.unit.handler.harness import QUEUE_URL, HandlerHarness, clients, settings

C = ErrorCategory
ONE_CODE_PER_CATEGORY = {category: code for code, category in CATEGORY_BY_CODE.items()}.values()
"""The unit tests of the classification have every code, and `tests/integration/cases.py` those of the writes."""

TABLE_ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"


def failure(harness: HandlerHarness, step: Step) -> ProcessingError:
    harness.aws.script([step])
    with pytest.raises(ProcessingError) as caught:
        call("DynamoDB", harness.dynamodb.transact_write_items, TransactItems=[])
    assert len(harness.aws.requests) == 1  # nobody tries again underneath
    return caught.value


def test_the_config_is_one_attempt_and_bounded_in_time() -> None:
    config: Any = client_config(settings(AWS_CONNECT_TIMEOUT_SECONDS="0.5", AWS_READ_TIMEOUT_SECONDS="2"))
    assert (config.connect_timeout, config.read_timeout) == (0.5, 2.0)
    assert config.retries == {"total_max_attempts": 1, "mode": "standard"}


def test_the_clients_are_where_the_settings_say() -> None:
    for client in clients():
        assert client.meta.region_name == "us-east-1"
        config: Any = client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (1.0, 3.0)


def test_what_fails_before_anything_is_sent_is_a_defect() -> None:
    def operation() -> None:
        raise TypeError("s3ntinel")

    with pytest.raises(ProcessingError) as caught:
        call("DynamoDB", operation)
    assert (caught.value.category, str(caught.value)) == (C.INTERNAL, "internal: TypeError")


def test_a_reply(harness: HandlerHarness) -> None:
    harness.aws.script([reply({"ConsumedCapacity": [{"TableName": "t"}]})])
    assert call("DynamoDB", harness.dynamodb.transact_write_items, TransactItems=[])["ConsumedCapacity"] == [
        {"TableName": "t"}
    ]


def test_a_condition_that_did_not_hold_is_a_reply(harness: HandlerHarness) -> None:
    harness.aws.script([cancelled("ConditionalCheckFailed", None)])
    found = call("DynamoDB", harness.dynamodb.transact_write_items, TransactItems=[])
    assert found["Error"]["Code"] == "TransactionCanceledException"
    assert [reason["Code"] for reason in found["CancellationReasons"]] == ["ConditionalCheckFailed", "None"]
    assert "HTTPStatusCode" not in found["ResponseMetadata"], "the call's span would look like an error in X-Ray"


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (ReadTimeoutError(endpoint_url="https://x"), C.NETWORK),
        (ConnectTimeoutError(endpoint_url="https://x"), C.NETWORK),
        (EndpointConnectionError(endpoint_url="https://x"), C.NETWORK),
        (ConnectionClosedError(endpoint_url="https://x"), C.NETWORK),
        (SSLError(endpoint_url="https://x", error=OSError()), C.NETWORK),
        (HTTPClientError(error="x"), C.NETWORK),
        (NoCredentialsError(), C.ACCESS_DENIED),
        (ValueError("s3ntinel"), C.DYNAMODB),  # what botocore has no exception for: it stumbled over a reply
    ],
)
def test_no_reply(harness: HandlerHarness, error: Exception, category: ErrorCategory) -> None:
    found = failure(harness, raising(lambda: error))
    assert (found.category, found.code) == (category, type(error).__name__)
    assert found.__cause__ is error
    assert "s3ntinel" not in str(found)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"plain", b"{}", b"\xff\xfe", b"[]", b"5", b"null"])
def test_a_server_error_that_no_aws_service_words_is_dynamodb(
    harness: HandlerHarness, status: int, body: bytes
) -> None:
    assert failure(harness, Step(status, body)).category is C.DYNAMODB


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (302, C.CONFIGURATION),
        (400, C.CONFIGURATION),
        (403, C.ACCESS_DENIED),
        (404, C.CONFIGURATION),
        (429, C.THROTTLING),
    ],
)
def test_a_proxys_page_is_classified_by_its_status(
    harness: HandlerHarness, status: int, category: ErrorCategory
) -> None:
    found = failure(harness, Step(status, b"<html>no</html>"))
    assert (found.category, found.code) == (category, f"Http{status}")


@pytest.mark.parametrize(
    ("code", "member"),
    [
        ("ThrottlingException", "throttlingReasons"),
        ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
        ("RequestLimitExceeded", "ThrottlingReasons"),
    ],
)
def test_why_it_is_throttled(harness: HandlerHarness, code: str, member: str) -> None:
    """The function's own, trimmed model of DynamoDB still knows the member of each of the three errors."""
    reasons: Any = [
        {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": TABLE_ARN},
        {"reason": "IndexWriteAccountLimitExceeded", "resource": f"{TABLE_ARN}/index/by-day"},
        {"reason": "s3ntinel <secret>", "resource": "s3ntinel"},
    ]
    found = failure(harness, aws_error(code, **{member: reasons}))
    assert found.throttling_reasons == (
        f"TableWriteKeyRangeThroughputExceeded {TABLE_ARN}",
        f"IndexWriteAccountLimitExceeded {TABLE_ARN}/index/by-day",
    )
    assert str(found) == f"throttling: {code}"


def test_why_a_transaction_is_throttled(harness: HandlerHarness) -> None:
    harness.aws.script([cancelled(None, "ThrottlingError")])
    items = [{"Update": {"TableName": "calendar"}}, {"Put": {"TableName": "audit"}}]
    with pytest.raises(ProcessingError) as caught:
        call("DynamoDB", harness.dynamodb.transact_write_items, TransactItems=items)
    assert caught.value.throttling_reasons == ("ThrottlingError audit",)


@pytest.mark.parametrize(("code", "message"), OF_ITS_TIME)
def test_a_signature_refused_for_its_time_alone(harness: HandlerHarness, code: str, message: str) -> None:
    found = failure(harness, aws_error(code, message=message))
    assert (found.category, found.code, str(found)) == (C.NETWORK, code, f"network: {code}")


@pytest.mark.parametrize(("code", "message"), OF_ITSELF)
def test_a_signature_that_is_wrong(harness: HandlerHarness, code: str, message: str) -> None:
    found = failure(harness, aws_error(code, message=message))
    assert (found.category, found.code, str(found)) == (C.ACCESS_DENIED, code, f"access_denied: {code}")


class TestQueue:
    """SQS's errors, in each of their forms."""

    @staticmethod
    def failure(harness: HandlerHarness, step: Step) -> ProcessingError:
        harness.aws.script(sqs=[step])
        with pytest.raises(ProcessingError) as caught:
            call("SQS", harness.sqs.send_message, QueueUrl=QUEUE_URL, MessageBody="x")
        return caught.value

    @pytest.mark.parametrize(
        ("refusals", "category"), [(OF_ITS_TIME, C.NETWORK), (OF_ITSELF, C.ACCESS_DENIED)], ids=["its time", "itself"]
    )
    def test_a_signature_that_is_refused(
        self, harness: HandlerHarness, refusals: Sequence[tuple[str, str]], category: ErrorCategory
    ) -> None:
        for code, message in refusals:
            modern = aws_error(code, 403, service="sqs", message=message)
            both = replace(modern, headers={"x-amzn-query-error": f"{code};Sender"})
            old = Step(403, xml_error(code, message))
            for step in (modern, both, old):
                found = self.failure(harness, step)
                assert (found.category, found.code) == (category, code)

    @pytest.mark.parametrize("code", sorted(ONE_CODE_PER_CATEGORY))
    def test_a_code_in_xml(self, harness: HandlerHarness, code: str) -> None:
        found = self.failure(harness, Step(400, xml_error(code, "s3ntinel")))
        assert (found.category, found.code) == (CATEGORY_BY_CODE[code], code)
        assert "s3ntinel" not in str(found)

    @pytest.mark.parametrize(
        "page",
        [
            *(b"<ErrorResponse", b"<ErrorResponse><Code>", b"<ErrorResponse><Code></Code></ErrorResponse>"),
            *(b"<ErrorResponse><Code>s3ntinel <b></Code>", b"<html><Code>Throttling</Code></html>"),
        ],
    )
    def test_a_page_that_only_looks_like_it(self, harness: HandlerHarness, page: bytes) -> None:
        found = self.failure(harness, Step(403, page))
        assert (found.category, found.code) == (C.ACCESS_DENIED, "Http403")


@pytest.mark.parametrize("code", ["s3ntinel \ud800", "a\nb", "<b>", "x" * 101, "", "\x1b[31m", "9lives"])
def test_a_code_that_is_none_does_not_get_out(harness: HandlerHarness, code: str) -> None:
    assert failure(harness, aws_error(code, 400)).code == "Http400"


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"null", b"\xff\xfe", b'{"ConsumedCapacity": 5}'])
def test_a_garbled_success_is_the_services_trouble(harness: HandlerHarness, body: bytes) -> None:
    assert failure(harness, Step(200, body)).category is C.DYNAMODB


def _garbled() -> Iterator[st.SearchStrategy[Any]]:
    code = st.sampled_from(["None", "ConditionalCheckFailed", "TransactionConflict"]) | json_values
    item = json_values | st.dictionaries(st.just("processed_by_event"), json_values)
    reason = st.fixed_dictionaries({}, optional={"Code": code, "Item": item}) | json_values
    kind = st.just("x#TransactionCanceledException") | json_values
    yield json_values
    yield st.fixed_dictionaries(
        {},
        optional={
            "__type": kind,
            "message": json_values,
            "CancellationReasons": st.lists(reason, max_size=3) | json_values,
            "ConsumedCapacity": json_values,
        },
    )


GARBLED = st.one_of(*_garbled()).map(json.dumps).map(str.encode) | st.binary(max_size=40)


@given(GARBLED, st.sampled_from([200, 204, 300, 400, 403, 500, 503]))
def test_whatever_comes_back_is_a_reply_or_has_a_category(harness: HandlerHarness, body: bytes, status: int) -> None:
    harness.aws.script([Step(status, body)])
    try:
        call("DynamoDB", harness.dynamodb.transact_write_items, TransactItems=[])
    except ProcessingError as failed:
        assert failed.category is CATEGORY_BY_CODE.get(failed.code, failed.category)  # noqa: PT017 - either way is right
        assert failed.category is not C.INTERNAL or failed.code in CATEGORY_BY_CODE  # noqa: PT017 - as above


CALLED = OPERATIONS | CREDENTIAL_OPERATIONS
PHASES = (
    *("provide-client-params", "before-parameter-build", "before-call", "request-created", "choose-signer"),
    *("before-sign", "before-send", "response-received", "before-parse", "needs-retry", "after-call"),
    "after-call-error",
)


@pytest.mark.parametrize(
    ("service", "operation"), [(service, operation) for service, called in CALLED.items() for operation in called]
)
def test_no_handler_of_botocore_is_missing_for_what_is_called(service: str, operation: str) -> None:
    standard = botocore.session.Session()
    fast = botocore.session.Session(include_builtin_handlers=False)
    botocore_session.register_handlers(fast, botocore_session.SERVICES | credentials.SERVICES)
    events = [f"{phase}.{service}.{operation}" for phase in PHASES]
    events += [f"{phase}.{service}" for phase in ("creating-client-class", "getattr", "choose-service-name")]

    def registered(session: botocore.session.Session, event: str) -> list[str]:
        emitter = session.get_component("event_emitter")._emitter
        return [str(handler) for handler in emitter._handlers.prefix_search(event)]

    for event in events:
        assert registered(fast, event) == registered(standard, event), event
    assert any(registered(fast, event) for event in events)
