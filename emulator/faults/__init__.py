"""Faults on the wire: a proxy between a client and an AWS endpoint that applies a scripted fault to each request.

    with FaultProxy(endpoint.url, throttled(), lost_reply(), operation="TransactWriteItems") as proxy:
        client = boto3.client("dynamodb", endpoint_url=proxy.url)
        ...
        assert proxy.attempts("TransactWriteItems") == 3

Requests beyond the script are forwarded.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import orjson

from emulator.environment import ACCOUNT_ID, REGION
from emulator.faults.exchange import Exchange, Reply, Request
from emulator.faults.proxy import PASS, Fault, FaultProxy, Recorded
from handler.contract import CALENDAR

__all__ = ["Exchange", "Fault", "FaultProxy", "Recorded", "Reply", "Request"]

DYNAMODB_NAMESPACE = "com.amazonaws.dynamodb.v20120810"
USED_UP = f"TableWriteProvisionedThroughputExceeded arn:aws:dynamodb:us-east-1:111122223333:table/{CALENDAR.default}"
"""A throttling reason and its resource."""

_JSON = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "INJECTED0FAULT"}
_THROUGHPUT_EXCEEDED = "The level of configured provisioned throughput for the table was exceeded."
# Namespace, code, message, the member with the reasons (spelled as in each error's model), and the reason.
_THROTTLING_ERRORS = (
    (
        DYNAMODB_NAMESPACE,
        "ProvisionedThroughputExceededException",
        _THROUGHPUT_EXCEEDED,
        "ThrottlingReasons",
        "TableWriteProvisionedThroughputExceeded",
    ),
    (
        "com.amazon.coral.availability",
        "ThrottlingException",
        "Rate exceeded",
        "throttlingReasons",
        "TableWriteKeyRangeThroughputExceeded",
    ),
)


def error_reply(
    code: str,
    status: int = 400,
    message: str = "injected",
    *,
    extra_body: Mapping[str, Any] | None = None,
    namespace: str = DYNAMODB_NAMESPACE,
) -> Reply:
    """Return an error response of DynamoDB's JSON protocol.

    Args:
        code: The error code.
        status: The HTTP status.
        message: The error message.
        extra_body: Further members of the body.
        namespace: The prefix of the code in `__type`.
    """
    body = {"__type": f"{namespace}#{code}", "message": message, **(extra_body or {})}
    return Reply(status, orjson.dumps(body), _JSON)


def forward() -> Fault:
    """Forward the request and its response: no fault."""
    return PASS


def answer(reply: Reply, *, commit: bool = False, name: str = "answer") -> Fault:
    """Answer with `reply`.

    Args:
        reply: The response.
        commit: Whether the request is carried out first, so that the response is wrong.
        name: The fault's name.
    """

    def act(exchange: Exchange) -> None:
        if commit:
            exchange.forward()
        exchange.reply(reply)

    return Fault(name, act)


def aws_error(
    code: str,
    status: int = 400,
    message: str = "injected",
    *,
    extra_body: Mapping[str, Any] | None = None,
    namespace: str = DYNAMODB_NAMESPACE,
    commit: bool = False,
) -> Fault:
    """Answer with an error of DynamoDB; see `error_reply`, and `answer` for `commit`."""
    reply = error_reply(code, status, message, extra_body=extra_body, namespace=namespace)
    return answer(reply, commit=commit, name=code)


def throttled(*reasons: str) -> Fault:
    """Answer with the error of a table whose capacity is used up.

    Args:
        reasons: The throttling reasons, each as `REASON ARN`; without, `USED_UP`.
    """
    entries = [dict(zip(("reason", "resource"), text.split(" "), strict=True)) for text in reasons or (USED_UP,)]
    return aws_error(
        "ProvisionedThroughputExceededException",
        message=_THROUGHPUT_EXCEEDED,
        extra_body={"ThrottlingReasons": entries},
    )


def cancelled(*reasons: str | Mapping[str, Any]) -> Fault:
    """Answer with `TransactionCanceledException`.

    Args:
        reasons: One for each item of the transaction: a code (`None` for an item without an error) or a whole reason.
    """
    details = [{"Code": reason} if isinstance(reason, str) else reason for reason in reasons]
    codes = ", ".join(str(detail["Code"]) for detail in details)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    extra = {"CancellationReasons": details, "Message": message}
    return aws_error("TransactionCanceledException", message=message, extra_body=extra)


def sqs_error(code: str, status: int = 400, message: str = "injected", *, query_code: str | None = None) -> Fault:
    """Answer with an error of SQS's JSON protocol.

    Args:
        code: The error's shape.
        status: The HTTP status; from 500 on, the error is the receiver's.
        message: The error message.
        query_code: The code of the query protocol, which botocore reports where the header has it.
    """
    reply = error_reply(code, status, message, namespace="com.amazonaws.sqs")
    fault_of = "Receiver" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Sender"
    headers = {**reply.headers, "x-amzn-query-error": f"{query_code or code};{fault_of}"}
    return answer(Reply(status, reply.body, headers), name=code)


def http_status(status: int, body: bytes = b"garbage", *, commit: bool = False) -> Fault:
    """Answer with a status and a body that no AWS service sends, as a gateway or a login page does."""
    return answer(Reply(status, body, {"Content-Type": "text/html"}), commit=commit, name=f"http_{status}")


def garbage_ok(*, commit: bool = False) -> Fault:
    """Answer with status 200 and a body that is not JSON."""
    return answer(Reply(200, b"<html>It works!", _JSON), commit=commit, name="garbage_ok")


def reset_before() -> Fault:
    """Reset the connection; the request does not arrive."""
    return Fault("reset_before", Exchange.reset)


def hang_up() -> Fault:
    """Close the connection without a response; the request does not arrive."""
    return Fault("hang_up", Exchange.hang_up)


def lost_reply() -> Fault:
    """Carry the request out, then reset the connection instead of a response."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        exchange.reset()

    return Fault("lost_reply", act)


def stall(seconds: float | None = None, *, commit: bool = False) -> Fault:
    """Send no response until the client leaves or the proxy closes.

    Args:
        seconds: The time after which the proxy hangs up; None for never.
        commit: Whether the request is carried out first.
    """

    def act(exchange: Exchange) -> None:
        if commit:
            exchange.forward()
        exchange.wait_for_client_to_leave(seconds)

    return Fault("stall", act)


def slow(seconds: float) -> Fault:
    """Carry the request out at once and send the response after a delay."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        if exchange.pause(seconds):
            exchange.reply(reply)

    return Fault("slow", act)


def hold(
    before: Callable[[], object] = lambda: None, after: Callable[[], object] = lambda: None, *, name: str = "hold"
) -> Fault:
    """Hold the request while `before` runs, carry it out, and hold the response while `after` runs.

    A barrier's `wait` makes requests concurrent; a fake clock's `advance` makes them slow.
    """

    def act(exchange: Exchange) -> None:
        before()
        reply = exchange.forward()
        after()
        exchange.reply(reply)

    return Fault(name, act)


def truncated() -> Fault:
    """Carry the request out and send half of the response's body."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.write(reply.head + reply.body[: len(reply.body) // 2])
        exchange.hang_up()

    return Fault("truncated", act)


def trickle(seconds: float) -> Fault:
    """Carry the request out and send the response one byte at a time, that many seconds apart."""

    def act(exchange: Exchange) -> None:
        for byte in bytes(exchange.forward()):
            if not exchange.pause(seconds):
                return
            exchange.write(bytes((byte,)))

    return Fault("trickle", act)


def endless(seconds: float) -> Fault:
    """Send a header that never ends, one byte at a time: no read timeout of a socket is ever reached."""

    def act(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        while exchange.pause(seconds):
            exchange.write(b".")

    return Fault("endless", act)


@contextmanager
def throttling_proxy(url: str, times: int) -> Iterator[str]:
    """Run a proxy in front of the DynamoDB at `url` that throttles the first `times` transactions.

    DynamoDB's two throttling errors alternate.

    Yields:
        The proxy's URL.
    """
    with FaultProxy(url, *map(throttled_write, range(times)), operation="TransactWriteItems") as proxy:
        yield proxy.url


def throttled_write(number: int) -> Fault:
    """Answer with one of DynamoDB's two throttling errors, which names the table of the transaction's first item.

    Args:
        number: The errors alternate with it.
    """
    namespace, code, message, member, reason = _THROTTLING_ERRORS[number % len(_THROTTLING_ERRORS)]

    def act(exchange: Exchange) -> None:
        (action,) = exchange.request.json["TransactItems"][0].values()
        resource = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{action['TableName']}"
        reasons = {member: [{"reason": reason, "resource": resource}]}
        exchange.reply(error_reply(code, message=message, extra_body=reasons, namespace=namespace))

    return Fault(code, act)
