"""The whole function in this process, between a loopback server for AWS's services and a socket for spans."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from handler.bootstrap import create_processor
from handler.processor import Processor
from tests.support.telemetry import Output, botocore_instrumentation
from tests.support.udp import SpanSocket
from tests.unit.otel.loopback import Reply, Request, loopback

if TYPE_CHECKING:
    from handler.invocation import LambdaContext

COMMITTED = Reply(200, {"ConsumedCapacity": [{"TableName": "earningsCalendar", "CapacityUnits": 2.0}]})
CONFLICT = Reply(
    400,
    {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "cancelled",
        "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
    },
)
DENIED = Reply(400, {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"})
SENT = Reply(200, {"MessageId": "message-1", "MD5OfMessageBody": "0" * 32})

_numbers = itertools.count(1)


def event(**detail: Any) -> dict[str, Any]:
    """An event that is valid as it stands."""
    return {
        "version": "0",
        "id": f"envelope-{next(_numbers)}",
        "source": "signal9.advisor",
        "detail-type": "earningsProcessed",
        "detail": {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", **detail},
    }


def invoke(function: Processor, payload: object) -> dict[str, Any]:
    """What Lambda does for one event."""
    context = SimpleNamespace(aws_request_id=f"request-{next(_numbers)}", get_remaining_time_in_millis=lambda: 30_000)
    return function(payload, cast("LambdaContext", context))


@contextmanager
def wired(
    monkeypatch: pytest.MonkeyPatch,
    output: Output,
    spans: SpanSocket,
    *,
    writes: Iterator[Reply] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Processor]:
    """The function.

    Args:
        monkeypatch: sets the environment.
        output: takes its lines.
        spans: takes its spans.
        writes: replies of DynamoDB, one after the other; without them all writes commit.
        variables: on top of the environment.
    """

    def answer(request: Request) -> Reply:
        if request.headers["x-amz-target"].startswith("AmazonSQS"):
            return SENT
        return next(writes) if writes is not None else COMMITTED

    with loopback(answer) as server:
        environ = {
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240",  # the tests themselves take more than the function
            "AWS_ACCESS_KEY_ID": "AKIARECOGNISABLEKEY9",
            "AWS_SECRET_ACCESS_KEY": "s3cret-key",
            "AWS_ENDPOINT_URL_DYNAMODB": server.url,
            "AWS_ENDPOINT_URL_SQS": server.url,
            "AWS_XRAY_DAEMON_ADDRESS": spans.endpoint,
            "DEAD_LETTER_QUEUE_URL": f"{server.url}/123456789012/dead-letters",
            **(variables or {}),
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        made: list[Processor] = []
        with botocore_instrumentation(lambda: made.append(create_processor(environ, output.write))):
            try:
                yield made[0]
            finally:
                _let_go(made[0])


def _let_go(function: Processor) -> None:
    """Close what a sandbox never closes: it is killed."""
    tracing = function._telemetry._tracing
    if tracing is not None:
        tracing.provider.shutdown()
    for client in (function._calendar._client, function._dead_letters._client):
        if client is not None:
            client.close()
