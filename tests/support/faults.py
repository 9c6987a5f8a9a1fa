"""Faults on the wire: a proxy between boto3 and an endpoint that does to each request what a script says.

    with FaultProxy(endpoint.url, throttled(), lost_reply(), operation="TransactWriteItems") as proxy:
        client = boto3.client("dynamodb", endpoint_url=proxy.url)
        ...
        assert proxy.attempts("TransactWriteItems") == 3

What follows the script's end passes through untouched.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from tests.support.http_socket import Exchange, Reply, Request
from tests.support.proxy import PASS, Fault, FaultProxy, Recorded

__all__ = ["Exchange", "Fault", "FaultProxy", "Recorded", "Reply", "Request"]

_DYNAMODB = "com.amazonaws.dynamodb.v20120810"
USED_UP = "TableWriteProvisionedThroughputExceeded arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
"""Why a table throttles: the reason and the resource."""
_JSON = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "INJECTED0FAULT"}


def forward() -> Fault:
    """Nothing: the request and its reply pass."""
    return PASS


def answer(reply: Reply, *, commit: bool = False, name: str = "answer") -> Fault:
    """Answer with this.

    Args:
        reply: the answer.
        commit: whether the request is carried out first: what the client is told is then wrong.
        name: for the record.
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
    namespace: str = _DYNAMODB,
    commit: bool = False,
) -> Fault:
    """An error reply as DynamoDB's JSON protocol has it."""
    body = {"__type": f"{namespace}#{code}", "message": message, **(extra_body or {})}
    return answer(Reply(status, orjson.dumps(body), _JSON), commit=commit, name=code)


def throttled(*reasons: str) -> Fault:
    """The error of a table whose capacity is used up.

    Args:
        reasons: that it names, each as `REASON ARN`; if none, that of the calendar.
    """
    named = [dict(zip(("reason", "resource"), text.split(" "), strict=True)) for text in reasons or (USED_UP,)]
    return aws_error(
        "ProvisionedThroughputExceededException",
        message="The level of configured throughput is exceeded",
        extra_body={"ThrottlingReasons": named},
    )


def cancelled(*reasons: str | Mapping[str, Any]) -> Fault:
    """`TransactionCanceledException`.

    Args:
        reasons: one for each item of the transaction: a code (`None` where nothing was wrong), or the whole reason.
    """
    details = [{"Code": reason} if isinstance(reason, str) else reason for reason in reasons]
    codes = ", ".join(str(detail["Code"]) for detail in details)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    extra = {"CancellationReasons": details, "Message": message}
    return aws_error("TransactionCanceledException", message=message, extra_body=extra)


def sqs_error(code: str, status: int = 400, message: str = "injected", *, query_code: str | None = None) -> Fault:
    """An error reply as SQS's JSON protocol has it.

    Args:
        code: the error's shape.
        status: of HTTP; from 500 on it is the receiver's fault.
        message: for people.
        query_code: the code of the older protocol, which botocore reports where the header has it.
    """
    body = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
    whose = "Receiver" if status >= 500 else "Sender"
    headers = {**_JSON, "x-amzn-query-error": f"{query_code or code};{whose}"}
    return answer(Reply(status, orjson.dumps(body), headers), name=code)


def http_status(status: int, body: bytes = b"garbage", *, commit: bool = False) -> Fault:
    """A status with a body that no AWS service sends, as from something in between."""
    return answer(Reply(status, body, {"Content-Type": "text/html"}), commit=commit, name=f"http_{status}")


def garbage_ok(*, commit: bool = False) -> Fault:
    """200, but the body is no JSON."""
    return answer(Reply(200, b"<html>It works!", _JSON), commit=commit, name="garbage_ok")


def reset_before() -> Fault:
    """The connection is reset; the request does not arrive."""
    return Fault("reset_before", Exchange.reset)


def hang_up() -> Fault:
    """The connection is closed without an answer; the request does not arrive."""
    return Fault("hang_up", Exchange.hang_up)


def lost_reply() -> Fault:
    """The request is carried out, then the connection is reset instead of an answer."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        exchange.reset()

    return Fault("lost_reply", act)


def stall(seconds: float | None = None, *, commit: bool = False) -> Fault:
    """No answer, until the client goes away or the proxy closes.

    Args:
        seconds: the proxy hangs up after that.
        commit: whether the request is carried out first.
    """

    def act(exchange: Exchange) -> None:
        if commit:
            exchange.forward()
        exchange.wait_for_client_to_leave(seconds)

    return Fault("stall", act)


def slow(seconds: float) -> Fault:
    """The request is carried out at once; the answer takes this long."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        if exchange.pause(seconds):
            exchange.reply(reply)

    return Fault("slow", act)


def truncated() -> Fault:
    """The request is carried out; the answer ends in its middle."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        exchange.write(reply.head + reply.body[: len(reply.body) // 2])
        exchange.hang_up()

    return Fault("truncated", act)


def trickle(seconds: float) -> Fault:
    """The request is carried out; the answer comes a byte at a time, this many seconds apart."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        for byte in reply.head + reply.body:
            if not exchange.pause(seconds):
                return
            exchange.write(bytes((byte,)))

    return Fault("trickle", act)
