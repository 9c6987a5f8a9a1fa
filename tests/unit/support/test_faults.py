"""The fault proxy does what it says, on real sockets."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.support.faults import (
    Fault,
    FaultProxy,
    Reply,
    answer,
    aws_error,
    cancelled,
    forward,
    garbage_ok,
    hang_up,
    http_status,
    lost_reply,
    reset_before,
    slow,
    sqs_error,
    stall,
    throttled,
    trickle,
    truncated,
)
from tests.support.stores import DeadLetters, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HELLO = Reply(200, b"hello from upstream", {"X-Came-From": "upstream"})
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)


@pytest.fixture
def upstream() -> Iterator[FaultProxy]:
    """A server that says hello ten times, and knows what it was asked: a fault proxy that never forwards."""
    with FaultProxy("http://127.0.0.1:1", *[answer(HELLO)] * 10) as proxy:
        yield proxy


def connect(proxy: FaultProxy, timeout: float = 10) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", urlsplit(proxy.url).port, timeout=timeout)


def ask(proxy: FaultProxy) -> tuple[int, bytes]:
    with closing(connect(proxy)) as connection:
        connection.request("POST", "/path?query", body=b"asked")
        response = connection.getresponse()
        return response.status, response.read()


def test_what_is_not_in_the_script_passes_untouched(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url) as proxy, closing(connect(proxy)) as connection:
        connection.request("POST", "/path?query", body=b"asked", headers={"X-Mine": "1"})
        response = connection.getresponse()
        assert (response.status, response.read(), response.headers["X-Came-From"]) == (200, HELLO.body, "upstream")
        (recorded,) = proxy.requests
        (arrived,) = upstream.requests
    assert (arrived.request.method, arrived.request.path, arrived.request.body) == ("POST", "/path?query", b"asked")
    assert arrived.request.headers["x-mine"] == "1"
    assert (recorded.request.body, recorded.fault) == (b"asked", "forward")


def test_a_connection_is_kept_alive_across_faults(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, forward(), http_status(500)) as proxy, closing(connect(proxy)) as connection:
        connection.connect()
        client_socket = connection.sock
        statuses = []
        for _ in range(3):
            connection.request("POST", "/")
            response = connection.getresponse()
            statuses.append(response.status)
            response.read()
        assert connection.sock is client_socket
    assert statuses == [200, 500, 200]


def test_faults_come_in_order_and_only_for_their_operation(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, http_status(501), http_status(502), operation="PutItem") as proxy:
        proxy.script(http_status(503))

        def status(operation: str) -> int:
            with closing(connect(proxy)) as connection:
                connection.request("POST", "/", headers={"X-Amz-Target": f"DynamoDB_20120810.{operation}"})
                return connection.getresponse().status

        assert [status("PutItem"), status("Query"), status("GetItem")] == [501, 503, 200]
        assert list(proxy.unused) == ["http_502"]
        assert [status("PutItem"), status("PutItem")] == [502, 200]
        assert proxy.attempts("PutItem") == 3
        assert not proxy.unused
        assert [recorded.fault for recorded in proxy.requests] == [
            "http_501",
            "http_503",
            "forward",
            "http_502",
            "forward",
        ]


@pytest.mark.parametrize(
    ("fault", "arrivals"),
    [
        (http_status(503), 0),
        (http_status(503, commit=True), 1),
        (garbage_ok(), 0),
        (garbage_ok(commit=True), 1),
        (aws_error("InternalServerError", 500), 0),
        (aws_error("InternalServerError", 500, commit=True), 1),
    ],
)
def test_an_answer_of_our_own_commits_only_when_asked_to(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        _, body = ask(proxy)
    assert body != HELLO.body
    assert len(upstream.requests) == arrivals


def test_garbage_is_a_success_that_is_no_json(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, garbage_ok()) as proxy:
        status, body = ask(proxy)
    assert status == 200
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(("fault", "arrivals"), [(reset_before(), 0), (lost_reply(), 1)])
def test_a_reset_is_seen_as_one(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        assert len(upstream.requests) == arrivals
        assert ask(proxy) == (200, HELLO.body)


def test_hanging_up_is_an_end_without_an_answer(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, hang_up()) as proxy, pytest.raises(RemoteDisconnected):
        ask(proxy)
    assert upstream.requests == ()


@pytest.mark.parametrize(("fault", "arrivals"), [(stall(), 0), (stall(commit=True), 1)])
def test_a_stall_lasts_until_the_client_gives_up(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        with closing(connect(proxy, timeout=0.3)) as connection:
            connection.request("POST", "/")
            with pytest.raises(TimeoutError):
                connection.getresponse()
        assert ask(proxy) == (200, HELLO.body)
    assert len(upstream.requests) == arrivals + 1


def test_a_stall_ends_when_the_proxy_closes(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, stall())
    with closing(connect(proxy, timeout=60)) as connection:
        connection.request("POST", "/")
        proxy.wait_for_requests(1)
        proxy.close()
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()


def test_a_stall_can_end_by_itself(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, stall(0.05)) as proxy, pytest.raises(RemoteDisconnected):
        ask(proxy)


def test_a_slow_answer_is_the_real_one(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, slow(0.3)) as proxy:
        with closing(connect(proxy, timeout=0.1)) as impatient:
            impatient.request("POST", "/")
            with pytest.raises(TimeoutError):
                impatient.getresponse()
        assert len(upstream.requests) == 1
        proxy.script(slow(0.05))
        assert ask(proxy) == (200, HELLO.body)


def test_a_truncated_answer_promises_more_than_comes(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, truncated()) as proxy, pytest.raises(IncompleteRead) as caught:
        ask(proxy)
    assert HELLO.body.startswith(caught.value.partial)
    assert len(caught.value.partial) < len(HELLO.body)
    assert len(upstream.requests) == 1


def test_a_trickle_comes_byte_by_byte_and_complete(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, trickle(0.002)) as proxy, closing(connect(proxy)) as connection:
        connection.request("POST", "/")
        pieces = [connection.sock.recv(65536)]
        while not b"".join(pieces).endswith(HELLO.body):
            pieces.append(connection.sock.recv(65536))
    assert len(pieces) > 5


def test_a_trickle_ends_when_the_proxy_closes(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, trickle(60))
    with closing(connect(proxy)) as connection:
        connection.request("POST", "/")
        proxy.wait_for_requests(1)
        proxy.close()
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()


def test_an_upstream_that_is_gone_is_told_apart() -> None:
    with FaultProxy("http://127.0.0.1:1") as proxy:
        status, body = ask(proxy)
    assert status == 502
    assert b"upstream of the fault proxy" in body


def test_nothing_is_left_behind(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, forward(), stall(), lost_reply())
    connections = [connect(proxy) for _ in range(4)]
    for connection in connections[:3]:
        connection.request("POST", "/")
    connections[3].connect()  # says nothing
    proxy.wait_for_requests(3)
    proxy.close()
    for connection in connections:
        connection.close()
    assert len(proxy._threads) >= 4
    assert not any(thread.is_alive() for thread in proxy._threads)
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)


class TestWithDynamoDB:
    """What boto3 makes of the faults, and DynamoDB Local behind them."""

    @pytest.fixture
    def proxy(self, tables: Tables) -> Iterator[FaultProxy]:
        with FaultProxy(tables.url, operation="PutItem") as proxy:
            yield proxy

    @pytest.fixture
    def client(self, proxy: FaultProxy) -> Iterator["DynamoDBClient"]:
        with closing(boto3.client("dynamodb", endpoint_url=proxy.url, config=ONE_ATTEMPT)) as client:
            yield client

    def put(self, client: "DynamoDBClient", tables: Tables) -> None:
        key = {"asset_symbol": {"S": "AAPL"}, "earnings_date": {"S": "2025-07-31"}}
        client.put_item(TableName=tables.calendar_table, Item=key)

    def is_there(self, tables: Tables) -> bool:
        return tables.row("AAPL", "2025-07-31") is not None

    def test_a_lost_reply_is_a_write_that_happened(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(lost_reply())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert self.is_there(tables)
        assert proxy.attempts("PutItem") == 1

    def test_a_reset_is_a_write_that_did_not(self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables) -> None:
        proxy.script(reset_before())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert not self.is_there(tables)

    def test_throttling_is_an_exception_of_the_model(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(throttled())
        with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
            self.put(client, tables)
        self.put(client, tables)
        assert self.is_there(tables)

    def test_an_error_has_its_code_status_and_message(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(aws_error("AccessDeniedException", 400, "User: x is not authorized"))
        with pytest.raises(ClientError) as caught:
            self.put(client, tables)
        assert caught.value.response["Error"] == {
            "Code": "AccessDeniedException",
            "Message": "User: x is not authorized",
        }
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert not self.is_there(tables)

    def test_a_cancelled_transaction_has_its_reasons(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(
            cancelled({"Code": "ConditionalCheckFailed", "Item": {"a": {"S": "b"}}}, "None"),
            operation="TransactWriteItems",
        )
        item = {"Put": {"TableName": tables.calendar_table, "Item": {}}}
        with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
            client.transact_write_items(TransactItems=[item, item])  # type: ignore[list-item]
        assert caught.value.response["CancellationReasons"] == [
            {"Code": "ConditionalCheckFailed", "Item": {"a": {"S": "b"}}},
            {"Code": "None"},
        ]
        assert "[ConditionalCheckFailed, None]" in caught.value.response["Error"]["Message"]

    def test_a_stall_is_a_read_timeout(self, proxy: FaultProxy, tables: Tables) -> None:
        proxy.script(stall())
        config = ONE_ATTEMPT.merge(Config(read_timeout=0.3))
        with (
            closing(boto3.client("dynamodb", endpoint_url=proxy.url, config=config)) as client,
            pytest.raises(ReadTimeoutError),
        ):
            self.put(client, tables)
        assert not self.is_there(tables)

    def test_a_truncated_reply_is_a_write_that_happened(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(truncated())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert self.is_there(tables)


def test_an_error_of_sqs_is_an_exception_of_the_model(dead_letters: DeadLetters) -> None:
    fault = sqs_error("QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue")
    with (
        FaultProxy(dead_letters.url, fault, operation="SendMessage") as proxy,
        closing(boto3.client("sqs", endpoint_url=proxy.url, config=ONE_ATTEMPT)) as client,
    ):
        with pytest.raises(client.exceptions.QueueDoesNotExist) as caught:
            client.send_message(QueueUrl=dead_letters.queue_url, MessageBody="lost")
        assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        client.send_message(QueueUrl=dead_letters.queue_url, MessageBody="kept")
        assert proxy.attempts("SendMessage") == 2
    assert [letter.body for letter in dead_letters.drain()] == ["kept"]
