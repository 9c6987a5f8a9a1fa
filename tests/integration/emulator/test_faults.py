"""The fault proxy on real sockets: each fault as a client meets it, and whether the request was carried out."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from emulator.faults import (
    Fault,
    FaultProxy,
    Reply,
    answer,
    aws_error,
    cancelled,
    endless,
    forward,
    garbage_ok,
    hang_up,
    hold,
    http_status,
    lost_reply,
    reset_before,
    slow,
    sqs_error,
    stall,
    throttled,
    throttling_proxy,
    trickle,
    truncated,
)
from otel.tracing.throttling import throttling_reasons
from tests.support.stores import DeadLetters, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HELLO = Reply(200, b"hello from upstream", {"X-Came-From": "upstream"})
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)


@pytest.fixture
def upstream() -> Iterator[FaultProxy]:
    """A service that answers ten requests and records them: a fault proxy that never forwards."""
    with FaultProxy("http://127.0.0.1:1", *[answer(HELLO)] * 10) as proxy:
        yield proxy


def connect(proxy: FaultProxy, timeout: float = 10) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", urlsplit(proxy.url).port, timeout=timeout)


def ask(proxy: FaultProxy) -> tuple[int, bytes]:
    with closing(connect(proxy)) as connection:
        connection.request("POST", "/path?query", body=b"asked")
        response = connection.getresponse()
        return response.status, response.read()


def test_requests_beyond_the_script_are_forwarded(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url) as proxy, closing(connect(proxy)) as connection:
        connection.request("POST", "/path?query", body=b"asked", headers={"X-Mine": "1"})
        response = connection.getresponse()
        assert (response.status, response.read(), response.headers["X-Came-From"]) == (200, HELLO.body, "upstream")
        (recorded,) = proxy.requests
        (arrived,) = upstream.requests
    assert (arrived.request.method, arrived.request.path, arrived.request.body) == ("POST", "/path?query", b"asked")
    assert arrived.request.headers["x-mine"] == "1"
    assert (recorded.request.body, recorded.fault) == (b"asked", "forward")


def test_connection_is_kept_alive_across_faults(upstream: FaultProxy) -> None:
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


def test_faults_are_applied_in_order_per_operation(upstream: FaultProxy) -> None:
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
def test_injected_answer_commits_only_on_request(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        _, body = ask(proxy)
    assert body != HELLO.body
    assert len(upstream.requests) == arrivals


def test_garbage_ok_is_success_without_json(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, garbage_ok()) as proxy:
        status, body = ask(proxy)
    assert status == 200
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(("fault", "arrivals"), [(reset_before(), 0), (lost_reply(), 1)])
def test_reset(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        assert len(upstream.requests) == arrivals
        assert ask(proxy) == (200, HELLO.body)


def test_hang_up(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, hang_up()) as proxy, pytest.raises(RemoteDisconnected):
        ask(proxy)
    assert upstream.requests == ()


@pytest.mark.parametrize(("fault", "arrivals"), [(stall(), 0), (stall(commit=True), 1)])
def test_stall_lasts_until_the_client_leaves(upstream: FaultProxy, fault: Fault, arrivals: int) -> None:
    with FaultProxy(upstream.url, fault) as proxy:
        with closing(connect(proxy, timeout=0.3)) as connection:
            connection.request("POST", "/")
            with pytest.raises(TimeoutError):
                connection.getresponse()
        assert ask(proxy) == (200, HELLO.body)
    assert len(upstream.requests) == arrivals + 1


def test_stall_ends_when_the_proxy_closes(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, stall())
    with closing(connect(proxy, timeout=60)) as connection:
        connection.request("POST", "/")
        proxy.wait_for_requests(1)
        proxy.close()
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()


def test_stall_ends_after_its_time(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, stall(0.05)) as proxy, pytest.raises(RemoteDisconnected):
        ask(proxy)


def test_slow_answer_is_the_real_one(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, slow(0.3)) as proxy:
        with closing(connect(proxy, timeout=0.1)) as impatient:
            impatient.request("POST", "/")
            with pytest.raises(TimeoutError):
                impatient.getresponse()
        assert len(upstream.requests) == 1
        proxy.script(slow(0.05))
        assert ask(proxy) == (200, HELLO.body)


def test_truncated_answer_is_shorter_than_announced(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, truncated()) as proxy, pytest.raises(IncompleteRead) as caught:
        ask(proxy)
    assert HELLO.body.startswith(caught.value.partial)
    assert len(caught.value.partial) < len(HELLO.body)
    assert len(upstream.requests) == 1


def test_trickle_sends_single_bytes_to_the_end(upstream: FaultProxy) -> None:
    with FaultProxy(upstream.url, trickle(0.002)) as proxy, closing(connect(proxy)) as connection:
        connection.request("POST", "/")
        pieces = [connection.sock.recv(65536)]
        while not b"".join(pieces).endswith(HELLO.body):
            pieces.append(connection.sock.recv(65536))
    assert len(pieces) > 5


def test_trickle_ends_when_the_proxy_closes(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, trickle(60))
    with closing(connect(proxy)) as connection:
        connection.request("POST", "/")
        proxy.wait_for_requests(1)
        proxy.close()
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()


def test_hold_runs_callbacks_around_the_request(upstream: FaultProxy) -> None:
    arrivals: list[int] = []

    def record() -> None:
        arrivals.append(len(upstream.requests))

    with FaultProxy(upstream.url, hold(record, record)) as proxy:
        assert ask(proxy) == (200, HELLO.body)
    assert arrivals == [0, 1]


def test_endless_answer_lasts_until_the_proxy_closes(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, endless(0.001))
    with closing(connect(proxy)) as connection:
        connection.request("POST", "/")
        received = b""
        while not received.endswith(b"....."):
            received += connection.sock.recv(1)
        proxy.close()
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert upstream.requests == ()


@pytest.mark.parametrize("fault", [forward(), lost_reply(), truncated(), trickle(0)])
def test_exchange_without_client_is_carried_out_unseen(upstream: FaultProxy, fault: Fault) -> None:
    unseen = Fault("unseen", lambda exchange: fault.act(exchange.without_client()))
    with FaultProxy(upstream.url, unseen) as proxy, closing(connect(proxy, timeout=0.2)) as connection:
        connection.request("POST", "/")
        with pytest.raises(TimeoutError):
            connection.getresponse()
    assert len(upstream.requests) == 1


def test_missing_upstream_is_502() -> None:
    with FaultProxy("http://127.0.0.1:1") as proxy:
        status, body = ask(proxy)
    assert status == 502
    assert b"upstream of the fault proxy" in body


def test_close_ends_every_thread(upstream: FaultProxy) -> None:
    proxy = FaultProxy(upstream.url, forward(), stall(), lost_reply())
    connections = [connect(proxy) for _ in range(4)]
    for connection in connections[:3]:
        connection.request("POST", "/")
    connections[3].connect()  # sends nothing
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

    def exists(self, tables: Tables) -> bool:
        return tables.row("AAPL", "2025-07-31") is not None

    def test_lost_reply_commits(self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables) -> None:
        proxy.script(lost_reply())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert self.exists(tables)
        assert proxy.attempts("PutItem") == 1

    def test_reset_before_does_not_commit(self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables) -> None:
        proxy.script(reset_before())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert not self.exists(tables)

    def test_throttling_raises_the_modelled_exception(
        self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables
    ) -> None:
        proxy.script(throttled())
        with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
            self.put(client, tables)
        self.put(client, tables)
        assert self.exists(tables)

    def test_error_has_code_status_and_message(
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
        assert not self.exists(tables)

    def test_cancelled_transaction_has_its_reasons(
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

    def test_stall_is_a_read_timeout(self, proxy: FaultProxy, tables: Tables) -> None:
        proxy.script(stall())
        config = ONE_ATTEMPT.merge(Config(read_timeout=0.3))
        with (
            closing(boto3.client("dynamodb", endpoint_url=proxy.url, config=config)) as client,
            pytest.raises(ReadTimeoutError),
        ):
            self.put(client, tables)
        assert not self.exists(tables)

    def test_truncated_reply_commits(self, proxy: FaultProxy, client: "DynamoDBClient", tables: Tables) -> None:
        proxy.script(truncated())
        with pytest.raises(ConnectionClosedError):
            self.put(client, tables)
        assert self.exists(tables)


def test_sqs_error_raises_the_modelled_exception(dead_letters: DeadLetters) -> None:
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
    assert [message.body for message in dead_letters.drain()] == ["kept"]


class TestThrottlingProxy:
    """The first transactions are throttled; every other request is forwarded."""

    @pytest.fixture
    def client(self, tables: Tables) -> Iterator["DynamoDBClient"]:
        with (
            throttling_proxy(tables.url, times=3) as url,
            closing(boto3.client("dynamodb", endpoint_url=url, config=ONE_ATTEMPT)) as client,
        ):
            yield client

    def write(self, client: "DynamoDBClient", tables: Tables) -> None:
        item = {"asset_symbol": {"S": "A"}, "earnings_date": {"S": "2025-01-01"}}
        client.transact_write_items(TransactItems=[{"Put": {"TableName": tables.calendar_table, "Item": item}}])

    def test_both_throttling_errors_alternate_and_then_the_write_succeeds(
        self, client: "DynamoDBClient", tables: Tables
    ) -> None:
        codes, reasons = [], []
        for _ in range(3):
            with pytest.raises(ClientError) as caught:
                self.write(client, tables)
            codes.append(caught.value.response["Error"]["Code"])
            reasons.append(throttling_reasons(caught.value.response))
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert codes == [
            "ProvisionedThroughputExceededException",
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
        ]
        table = f"arn:aws:dynamodb:us-east-1:000000000000:table/{tables.calendar_table}"
        expected = [(f"TableWrite{limit}ThroughputExceeded {table}",) for limit in ("Provisioned", "KeyRange")]
        assert reasons == [*expected, expected[0]]
        assert tables.row("A", "2025-01-01") is None

        self.write(client, tables)

        assert tables.row("A", "2025-01-01") is not None

    def test_other_calls_and_their_errors_are_forwarded(self, client: "DynamoDBClient", tables: Tables) -> None:
        assert tables.calendar_table in client.list_tables()["TableNames"]
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName="none")
