"""Spans of AWS calls: a real botocore client, a real HTTP server, and what the daemon's socket receives."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from handler.aws import return_error_responses
from handler.classification import classify_exception, classify_response
from handler.outcome import INSTRUMENTATION
from otel import semconv
from otel.tracing.botocore import instrument, propagate_from_current_span, uninstrument
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER
from otel.tracing.tracing import Tracing
from tests.support.clock import INVOKED_ARN
from tests.support.telemetry import (
    PARENT_ID,
    TRACE_HEADER,
    TRACE_ID,
    attributes,
    botocore_instrumentation,
    event_record,
)
from tests.support.udp import SpanSocket
from tests.unit.otel.loopback import Reply, Request, loopback, refused_url

ACCESS_KEY = "AKIARECOGNISABLEKEY9"
CONTENT = "s3cret-content-of-the-event"
ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"
COMMITTED = Reply(200, {"ConsumedCapacity": [{"TableName": "earningsCalendar", "CapacityUnits": 2.0}]})

MakeClient = Callable[..., Any]


def error(code: str, status: int = 400, **more: Any) -> Reply:
    return Reply(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"about {CONTENT}", **more})


def cancelled(*codes: str) -> Reply:
    reasons = [{"Code": code, "Message": CONTENT, "Item": {"asset_symbol": {"S": CONTENT}}} for code in codes]
    return error("TransactionCanceledException", CancellationReasons=reasons)


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """A session with a recognisable key; one for all tests, since it caches the service models."""
    return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key="s3cret-key", region_name="us-east-1")


@pytest.fixture
def make_client(session: boto3.Session) -> Iterator[MakeClient]:
    with ExitStack() as stack:

        def make(service: Any, url: str, *, raises: bool = False, read_timeout: float = 30) -> Any:
            config = Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}, parameter_validation=False)
            client = session.client(service, endpoint_url=url, config=config)
            stack.callback(client.close)
            if not raises:
                return_error_responses(client)
            return client

        yield make


@contextmanager
def traced_event(tracing: Tracing, **facts: Any) -> Iterator[None]:
    with (
        botocore_instrumentation(lambda: instrument(tracing.provider, classify_response, classify_exception)),
        tracing.event_span(event_record(**facts), None, {LAMBDA_TRACE_HEADER: TRACE_HEADER}),
    ):
        yield
    assert tracing.flush() == 0


def transact(client: Any) -> Any:
    return client.transact_write_items(
        TransactItems=[
            {"Update": {"TableName": "earningsCalendar", "Key": {"asset_symbol": {"S": CONTENT}}}},
            {"Put": {"TableName": "earningsAudit", "Item": {"earnings_key": {"S": CONTENT}}}},
            {"Put": {"TableName": "earningsAudit", "Item": {"earnings_key": {"S": "another"}}}},
        ],
        ClientRequestToken="token",
    )


def client_span(spans: SpanSocket) -> Span:
    """Return the only client span, and check that no span has private content."""
    datagrams = spans.take()
    for datagram in datagrams:
        raw = datagram.data.SerializeToString()
        assert ACCESS_KEY.encode() not in raw
        assert CONTENT.encode() not in raw
        assert b"s3cret" not in raw
    (span,) = [each for datagram in datagrams for each in datagram.spans if each.kind == Span.SPAN_KIND_CLIENT]
    found = attributes(span.attributes)
    assert found[semconv.XRAY_ANNOTATIONS] == [name for name in INSTRUMENTATION.annotations if name in found]
    assert found["correlation_id"] == "follow-me"
    return span


def test_a_committed_transaction_names_its_tables(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    with loopback(lambda _: COMMITTED) as server, traced_event(tracing, correlation_id="follow-me"):
        transact(make_client("dynamodb", server.url))

    span = client_span(spans)
    found = attributes(span.attributes)
    assert span.name == "DynamoDB.TransactWriteItems"
    assert found["aws.dynamodb.table_names"] == ["earningsCalendar", "earningsAudit"]
    assert found["rpc.method"] == "TransactWriteItems"
    assert found["aws.region"] == found["cloud.region"] == "us-east-1"
    assert found["http.status_code"] == 200
    assert found["aws.request_id"] == "REQUEST-ID-OF-AWS"
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert list(span.events) == []
    assert "error.type" not in found


def test_an_existing_instrumentation_is_replaced(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    """A layer's, without our hooks."""
    with (
        loopback(lambda _: COMMITTED) as server,
        botocore_instrumentation(lambda: BotocoreInstrumentor().instrument(tracer_provider=tracing.provider)),  # type: ignore[no-untyped-call]
        tracing.event_span(event_record(correlation_id="follow-me"), None, {}),
    ):
        instrument(tracing.provider, classify_response, classify_exception)
        transact(make_client("dynamodb", server.url))
    tracing.flush()

    assert attributes(client_span(spans).attributes)["aws.dynamodb.table_names"] == [
        "earningsCalendar",
        "earningsAudit",
    ]


def test_each_attempt_is_a_span(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    replies = iter([error("ThrottlingException"), COMMITTED])
    with loopback(lambda _: next(replies)) as server, traced_event(tracing, correlation_id="follow-me"):
        client = make_client("dynamodb", server.url)
        transact(client)
        transact(client)

    sent = [span for span in spans.take_spans() if span.kind == Span.SPAN_KIND_CLIENT]
    assert [span.status.code for span in sent] == [Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET]
    assert {span.trace_id.hex() for span in sent} == {TRACE_ID}


def test_a_failed_condition_is_not_an_error(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    answer = cancelled("ConditionalCheckFailed", "None")
    with loopback(lambda _: answer) as server, traced_event(tracing, correlation_id="follow-me"):
        client = make_client("dynamodb", server.url)
        reply = transact(client)
        assert reply["Error"]["Code"] == "TransactionCanceledException"

    span = client_span(spans)
    found = attributes(span.attributes)
    assert span.status == Status()
    assert list(span.events) == []
    # X-Ray shows any 4xx as an error, whatever the span's status.
    assert not {"error.type", "error_category", "http.status_code"} & found.keys()


@pytest.mark.parametrize(
    ("answer", "code", "category"),
    [
        (error("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException", "throttling"),
        (error("InternalServerError", 500), "InternalServerError", "dynamodb"),
        (error("AccessDeniedException"), "AccessDeniedException", "access_denied"),
        (error("ResourceNotFoundException"), "ResourceNotFoundException", "configuration"),
        (cancelled("TransactionConflict", "None"), "TransactionCanceledException", "conflict"),
        (cancelled("ThrottlingError", "None"), "TransactionCanceledException", "throttling"),
        (cancelled("TransactionConflict", "ConditionalCheckFailed"), "TransactionCanceledException", "conflict"),
        (cancelled("ConditionalCheckFailed", "TransactionConflict"), "TransactionCanceledException", "conflict"),
    ],
)
@pytest.mark.parametrize("raises", [False, True], ids=["as replies", "as exceptions"])
def test_an_aws_error_has_code_and_category(
    answer: Reply,
    code: str,
    category: str,
    raises: bool,
    make_client: MakeClient,
    tracing: Tracing,
    spans: SpanSocket,
) -> None:
    with loopback(lambda _: answer) as server, traced_event(tracing, correlation_id="follow-me"):
        client = make_client("dynamodb", server.url, raises=raises)
        if raises:
            with pytest.raises(ClientError):
                transact(client)
        else:
            transact(client)

    span = client_span(spans)
    found = attributes(span.attributes)
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message=category)
    assert (found["error.type"], found["error_category"]) == (code, category)
    assert found["aws.dynamodb.table_names"] == ["earningsCalendar", "earningsAudit"]
    assert found["error_code"] == code
    (event,) = span.events
    assert attributes(event.attributes) == {"exception.type": code, "exception.message": category}


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (
            error("ThrottlingException", throttlingReasons=[{"reason": "R", "resource": ARN}, {"reason": CONTENT}]),
            [f"R {ARN}"],
        ),
        (
            error("RequestLimitExceeded", ThrottlingReasons=[{"reason": "R", "resource": f"{ARN} {CONTENT}"}]),
            ["R"],
        ),
        (error("ThrottlingException"), None),
        (cancelled("None", "ThrottlingError"), ["ThrottlingError earningsAudit"]),
        (cancelled("None", "ThrottlingError", "None"), ["ThrottlingError"]),  # three items, two tables: whose is it?
        (cancelled("TransactionConflict", "None"), None),
        (error("InternalServerError", 500), None),
    ],
)
def test_throttling_reasons(
    answer: Reply, reasons: list[str] | None, make_client: MakeClient, tracing: Tracing, spans: SpanSocket
) -> None:
    with loopback(lambda _: answer) as server, traced_event(tracing, correlation_id="follow-me"):
        transact(make_client("dynamodb", server.url))

    assert attributes(client_span(spans).attributes).get(semconv.DYNAMODB_THROTTLING_REASONS) == reasons


@pytest.mark.parametrize(("ailment", "kind"), [("refused", "EndpointConnectionError"), ("stalled", "ReadTimeoutError")])
def test_a_network_error_has_its_class(
    ailment: str, kind: str, make_client: MakeClient, tracing: Tracing, spans: SpanSocket
) -> None:
    with loopback(lambda _: Reply(stalls=True)) as server, traced_event(tracing, correlation_id="follow-me"):
        url = refused_url() if ailment == "refused" else server.url
        client = make_client("dynamodb", url, read_timeout=0.2)
        with pytest.raises(Exception, match=r"connect|[Tt]imed? ?out"):
            transact(client)

    span = client_span(spans)
    found = attributes(span.attributes)
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message="network")
    assert (found["error.type"], found["error_category"]) == (kind, "network")
    (event,) = span.events
    assert event.name == "exception"
    recorded = {"exception.type": f"botocore.exceptions.{kind}", "exception.message": "network"}
    assert attributes(event.attributes) == recorded


def test_an_invalid_response_is_an_error(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    page = Reply(503, f"<html>{CONTENT}</html>".encode())
    with loopback(lambda _: page) as server, traced_event(tracing, correlation_id="follow-me"):
        transact(make_client("dynamodb", server.url))

    span = client_span(spans)
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message="dynamodb")
    assert attributes(span.attributes)["http.status_code"] == 503


def send(client: Any) -> Any:
    return client.send_message(
        QueueUrl=QUEUE,
        MessageBody=CONTENT,
        MessageAttributes={"ERROR_MESSAGE": {"DataType": "String", "StringValue": CONTENT}},
    )


def sent_to_sqs(_: Request) -> Reply:
    return Reply(200, {"MessageId": "message-1", "MD5OfMessageBody": "0" * 32})


def test_the_trace_header_names_the_span_of_the_call(
    make_client: MakeClient, tracing: Tracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On Lambda, botocore sets the header that Lambda gave.
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "mark-earnings-processed")
    monkeypatch.setenv(LAMBDA_TRACE_HEADER, TRACE_HEADER)
    with loopback(sent_to_sqs) as server, traced_event(tracing, correlation_id="follow-me"):
        client = make_client("sqs", server.url)
        propagate_from_current_span(client)
        send(client)

        (request,) = server.requests
    span = client_span(spans)
    root, parent, sampled = request.headers["x-amzn-trace-id"].split(";")
    assert root == f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]}"
    assert parent == f"Parent={span.span_id.hex()}"
    assert parent != f"Parent={PARENT_ID}"
    assert sampled == "Sampled=1"


def test_an_sqs_span_has_no_content(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    with loopback(sent_to_sqs) as server, traced_event(tracing, correlation_id="follow-me"):
        send(make_client("sqs", server.url))

    span = client_span(spans)
    found = attributes(span.attributes)
    assert found["rpc.method"] == "SendMessage"
    assert found["messaging.message.id"] == "message-1"
    assert found["url.full"] == QUEUE
    assert "aws.dynamodb.table_names" not in found
    assert span.status.code == Status.STATUS_CODE_UNSET


def test_xrays_exporter_finds_account_region_and_url(
    make_client: MakeClient, tracing: Tracing, spans: SpanSocket
) -> None:
    facts = {"correlation_id": "follow-me", "invoked_arn": INVOKED_ARN}
    with loopback(sent_to_sqs) as server, traced_event(tracing, **facts):
        send(make_client("sqs", server.url))

    sent = spans.take_spans()
    found = [attributes(span.attributes) for span in sorted(sent, key=lambda span: span.kind)]
    names = ("aws.account_id", "aws.region", "url.full")
    assert [[each.get(name) for name in names] for each in found] == [
        ["111122223333", None, None],  # the root span
        ["111122223333", "us-east-1", QUEUE],
    ]
    assert not {"aws.account_id", "aws.region"} & {name for each in found for name in each[semconv.XRAY_ANNOTATIONS]}


def test_an_sqs_error(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    answer = Reply(400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": CONTENT})
    with loopback(lambda _: answer) as server, traced_event(tracing, correlation_id="follow-me"):
        send(make_client("sqs", server.url))

    span = client_span(spans)
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message="configuration")


def test_an_unsampled_call_is_sent_as_unsampled(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    header = TRACE_HEADER.replace("Sampled=1", "Sampled=0")
    with (
        loopback(lambda _: COMMITTED) as server,
        botocore_instrumentation(lambda: instrument(tracing.provider, classify_response, classify_exception)),
    ):
        with tracing.event_span(event_record(), None, {LAMBDA_TRACE_HEADER: header}):
            transact(make_client("dynamodb", server.url))
        tracing.flush()

        (datagram,) = spans.take()
        assert datagram.kind == "T1U"
        assert server.requests[0].headers["x-amzn-trace-id"].endswith("Sampled=0")


def test_after_uninstrument_there_are_no_spans(make_client: MakeClient, tracing: Tracing, spans: SpanSocket) -> None:
    with loopback(lambda _: COMMITTED) as server:
        client = make_client("dynamodb", server.url)
        with traced_event(tracing):
            uninstrument()
            transact(client)

    assert [span.kind for span in spans.take_spans()] == [Span.SPAN_KIND_SERVER]
