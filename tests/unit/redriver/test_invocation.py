"""The synchronous invocation of the function."""

import io
import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from handler.outcome import OutcomeKind
from mep.aws import AwsClients
from mep.dlq.destinations import CannotSendError, NoAnswerError, RejectedError
from redriver.invocation import FINAL, MARKED, MAX_BYTES, Invocation, lambda_client
from redriver.stores import Rows

ANSWER = {"outcome": "dead_lettered"}


class Raw(io.BytesIO):
    """A body as urllib3 has it."""

    def stream(self, *_: object, **__: object) -> Any:
        yield self.read()


class Lambda:
    """Answers each request, and keeps it."""

    def __init__(self, body: bytes, headers: Any, status: int = 200) -> None:
        self.client = lambda_client(AwsClients("us-east-1"))
        self.requests: list[Any] = []
        self._answer = (status, headers, body)
        self.client.meta.events.register_first("before-send.lambda", self._send)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        status, headers, body = self._answer
        return AWSResponse(request.url, status, headers, Raw(body))

    def invocation(self, rows: Any = None) -> Invocation:
        return Invocation(self.client, "arn:aws:lambda:us-east-1:1:function:f:live", rows or Rows(None, "calendar"))


class SomeRows(Rows):
    """Rows that are all marked, or none."""

    def is_marked(self, event: object) -> bool:
        del event
        return self.table == "marked"


def answered(answer: Any = ANSWER, *, failed: bool = False, status: int = 200) -> Lambda:
    headers = {"x-amzn-RequestId": "request", **({"X-Amz-Function-Error": "Unhandled"} if failed else {})}
    return Lambda(json.dumps(answer).encode(), headers, status)


def test_outcomes_are_those_of_the_function() -> None:
    assert {kind.value for kind in OutcomeKind} - FINAL == {OutcomeKind.RETRY}
    assert {OutcomeKind.DEAD_LETTERED} == FINAL - MARKED


def test_each_event_has_a_trace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 would send the trace of this function with each invocation."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "redriver")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-68d1f2a3-0123456789abcdef01234567")
    aws = answered()

    assert aws.invocation().send({}) == "request"

    (request,) = aws.requests
    assert "X-Amzn-Trace-Id" not in request.headers
    assert request.headers["X-Amz-Invocation-Type"] == b"RequestResponse"
    assert request.url.endswith("%3Alive/invocations")


@pytest.mark.parametrize("outcome", sorted(MARKED))
def test_the_row_decides(outcome: str) -> None:
    marked = answered({"outcome": outcome}).invocation(SomeRows(None, "marked"))
    marked.send({})
    assert (marked.outcome, marked.marked) == (outcome, True)

    with pytest.raises(RejectedError, match="not marked"):
        answered({"outcome": outcome}).invocation(SomeRows(None, "other")).send({})


@pytest.mark.parametrize("answer", [{"outcome": "retry"}, {}, [], "text", {"outcome": "done"}])
def test_no_final_outcome(answer: Any) -> None:
    with pytest.raises(RejectedError, match="without a final outcome"):
        answered(answer).invocation().send({})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"errorType": "EventNotProcessed", "errorMessage": "category=network correlation_id=c : X"}, "network"),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}, "timeout"),
        ({"errorType": "secret", "errorMessage": "secret"}, "internal"),
        ({}, "without an error"),
    ],
)
def test_a_function_error_is_named_by_its_category(error: Any, reason: str) -> None:
    with pytest.raises(RejectedError) as raised:
        answered(error, failed=True).invocation().send({})
    assert str(raised.value) == f"the function failed: {reason}"


def test_one_attempt_each() -> None:
    aws = answered({"message": "m"}, status=503)
    with pytest.raises(NoAnswerError):
        aws.invocation().send({})
    assert len(aws.requests) == 1


def test_an_event_that_is_too_large() -> None:
    aws = answered()
    with pytest.raises(CannotSendError):
        aws.invocation().check({"detail": "x" * MAX_BYTES})
    aws.invocation().check({})
    assert aws.requests == []
