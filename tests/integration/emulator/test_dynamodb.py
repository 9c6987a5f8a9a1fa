"""DynamoDB on this machine: DynamoDB Local, or an emulator with the same atomicity."""

import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.calendar_rows import CalendarRow
from emulator.services.dynamodb import POM, DynamoDBEndpoint, dynamodb, dynamodb_client, dynamodb_local
from emulator.services.loading import load
from emulator.services.managed_service import LOOPBACK, ServiceError
from emulator.services.sqs import QueueEndpoint, sqs_client
from emulator.services.tables import create_tables, dump
from tests.support.dynamodb_local import IMAGE, real_dynamodb
from tests.support.stores import Tables

THREADS = 32


@pytest.fixture(scope="module")
def local() -> Iterator[DynamoDBEndpoint]:
    with dynamodb() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def ministack() -> Iterator[DynamoDBEndpoint]:
    """The fallback of `dynamodb()` on a machine without Java."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "/nonexistent")
            endpoint = stack.enter_context(dynamodb())
        yield endpoint


def marking(tables: Tables, token: str, event: str) -> dict[str, Any]:
    """The transaction: the row exists and is not processed, and an audit entry."""
    key = {"asset_symbol": {"S": "AAPL"}, "earnings_date": {"S": "2025-07-31"}}
    update = {
        "TableName": tables.calendar_table,
        "Key": key,
        "UpdateExpression": "SET is_processed = :true, processed_by_event = :event",
        "ConditionExpression": "attribute_exists(asset_symbol) AND is_processed <> :true",
        "ExpressionAttributeValues": {":true": {"BOOL": True}, ":event": {"S": event}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    entry = {"earnings_key": {"S": "AAPL#2025-07-31"}, "entry_id": {"S": f"now#{event}"}}
    put = {
        "TableName": tables.audit_table,
        "Item": entry,
        "ConditionExpression": "attribute_not_exists(earnings_key)",
    }
    return {"TransactItems": [{"Update": update}, {"Put": put}], "ClientRequestToken": token}


def reasons(refused: ClientError) -> Any:
    """Return why a transaction was cancelled, item by item."""
    return refused.response["CancellationReasons"]


def mark_from_many_threads(tables: Tables) -> list[Any]:
    """Mark one row from every thread, each with a token of its own; return the results."""

    def attempt(number: int) -> Any:
        try:
            tables.client.transact_write_items(**marking(tables, str(uuid.uuid4()), f"event-{number}"))
        except tables.client.exceptions.TransactionCanceledException as refused:
            row, entry = reasons(refused)
            assert (row["Code"], entry["Code"]) == ("ConditionalCheckFailed", "None")
            return row["Item"]["processed_by_event"]["S"]
        return "committed"

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(attempt, range(THREADS)))


def assert_one_committed(tables: Tables, results: list[Any]) -> None:
    (entry,) = tables.audit("AAPL", "2025-07-31")
    row = tables.row("AAPL", "2025-07-31")
    assert row is not None
    assert row["is_processed"] is True
    assert entry["entry_id"] == f"now#{row['processed_by_event']}"
    assert sorted(results) == sorted(["committed"] + [row["processed_by_event"]] * (THREADS - 1))


class TestDynamoDBLocal:
    """DynamoDB Local, as the tests use it."""

    def test_transaction_with_a_known_token_is_idempotent(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31")
        request = marking(tables, str(uuid.uuid4()), "event-1")
        for _ in range(2):
            tables.client.transact_write_items(**request)
        assert len(tables.audit("AAPL", "2025-07-31")) == 1

    def test_known_token_with_another_request_is_rejected(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31")
        token = str(uuid.uuid4())
        tables.client.transact_write_items(**marking(tables, token, "event-1"))
        with pytest.raises(tables.client.exceptions.IdempotentParameterMismatchException):
            tables.client.transact_write_items(**marking(tables, token, "event-2"))

    def test_failed_condition_returns_the_old_row(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31", is_processed=True, report_time="amc")
        with pytest.raises(tables.client.exceptions.TransactionCanceledException) as caught:
            tables.client.transact_write_items(**marking(tables, str(uuid.uuid4()), "event-1"))
        row, entry = reasons(caught.value)
        assert row["Code"] == "ConditionalCheckFailed"
        assert row["Item"]["report_time"] == {"S": "amc"}
        assert entry["Code"] == "None"
        assert tables.audit("AAPL", "2025-07-31") == []

    def test_failed_condition_without_a_row_returns_none(self, tables: Tables) -> None:
        with pytest.raises(tables.client.exceptions.TransactionCanceledException) as caught:
            tables.client.transact_write_items(**marking(tables, str(uuid.uuid4()), "event-1"))
        assert "Item" not in reasons(caught.value)[0]

    def test_many_threads_mark_once(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31")
        assert_one_committed(tables, mark_from_many_threads(tables))


class TestAsAProcess:
    """DynamoDB Local as `mep local` runs it."""

    def test_kind_is_dynamodb_local(self, local: DynamoDBEndpoint) -> None:
        assert (local.kind, local.reason) == ("dynamodb-local", "")

    def test_listens_on_loopback_only(self, local: DynamoDBEndpoint) -> None:
        port = int(local.url.rpartition(":")[2])
        with socket.create_connection((LOOPBACK, port)):
            pass
        # All of 127/8 is this machine, and a server on every interface would answer there.
        with pytest.raises(OSError, match=r"refused|timed out|assign"):
            socket.create_connection(("127.0.0.2", port), timeout=5)

    def test_one_database_for_all_credentials_and_regions(self, local: DynamoDBEndpoint) -> None:
        with (
            closing(local.client()) as client,
            closing(
                boto3.client(
                    "dynamodb",
                    endpoint_url=local.url,
                    region_name="eu-central-1",
                    aws_access_key_id="other",
                    aws_secret_access_key="other",
                )
            ) as other,
        ):
            create_tables(client, "shared-calendar", "shared-audit")
            assert {"shared-calendar", "shared-audit"} <= set(other.list_tables()["TableNames"])


class TestFallback:
    """MiniStack, where DynamoDB Local cannot run."""

    def test_endpoint_has_its_kind_and_the_reason(self, ministack: DynamoDBEndpoint) -> None:
        assert ministack.kind == "ministack"
        assert ministack.reason == "DynamoDB Local cannot run: there is no `java` on the PATH"
        assert ministack.url.startswith("http://127.0.0.1:")

    def test_tables_are_stored(self, ministack: DynamoDBEndpoint) -> None:
        with closing(ministack.client()) as client:
            create_tables(client, "fallback-calendar", "fallback-audit")
            assert load(client, "fallback-calendar", [CalendarRow(("AAPL", "2025-07-31"))]) == 1
            assert load(client, "fallback-calendar", [CalendarRow(("AAPL", "2025-07-31"))]) == 0
            (row,) = dump(client, "fallback-calendar")
            assert list(dump(client, "fallback-audit")) == []
        assert (row["asset_symbol"], row["earnings_date"], row["is_processed"]) == ("AAPL", "2025-07-31", False)

    def test_many_threads_mark_once(self, ministack: DynamoDBEndpoint) -> None:
        with closing(ministack.client()) as client:
            tables = Tables(ministack.url, "threads-calendar", "threads-audit", client)
            create_tables(client, tables.calendar_table, tables.audit_table)
            tables.put_row("AAPL", "2025-07-31")
            assert_one_committed(tables, mark_from_many_threads(tables))


@contextmanager
def no_emulator(_: str) -> Iterator[str]:
    """A fake of MiniStack, which takes a second to start."""
    yield "http://fake"


class TestReasons:
    """What makes `dynamodb()` fall back, and what does not."""

    @pytest.fixture(autouse=True)
    def _no_emulator(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emulator.services.dynamodb.ministack", no_emulator)

    def test_broken_java(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        java = tmp_path / "java"
        java.write_text("#!/bin/sh\necho UnsupportedClassVersionError; exit 1\n")
        java.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        monkeypatch.setattr("emulator.services.dynamodb.dynamodb_jars", lambda *_: tmp_path)
        with dynamodb() as endpoint:
            assert (endpoint.kind, endpoint.url) == ("ministack", "http://fake")
        assert endpoint.reason.startswith("DynamoDB Local exited on start with status 1")
        assert endpoint.reason.endswith("UnsupportedClassVersionError")

    def test_failed_download(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for tool in ("java", "mvn"):
            (tmp_path / tool).symlink_to("/bin/false")
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        with dynamodb(tmp_path / "cache") as endpoint:
            assert endpoint.kind == "ministack"
        assert endpoint.reason == "DynamoDB Local could not be fetched: mvn printed nothing"

    def test_error_inside_the_block_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        entered = []

        def fail() -> None:
            with dynamodb() as endpoint:
                entered.append(endpoint.kind)
                raise ServiceError("of the block")

        with pytest.raises(ServiceError, match=r"^of the block$"):
            fail()
        assert entered == ["ministack"]


def test_dynamodb_local_needs_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ServiceError, match="there is no `java`"), dynamodb_local():
        pytest.fail("it cannot run")


def test_tests_never_use_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    with pytest.raises(ServiceError, match=r"Docker does not answer; .*there is no `java`"), real_dynamodb():
        pytest.fail("it cannot run")


def test_container_and_process_are_the_same_release() -> None:
    release = IMAGE.rpartition(":")[2]
    assert f"<artifactId>DynamoDBLocal</artifactId>\n      <version>{release}</version>" in POM.read_text()


def test_clients_use_neither_proxy_nor_account(
    queue_endpoint: QueueEndpoint, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-account")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY")
    with closing(dynamodb_client(tables.url)) as client, closing(sqs_client(queue_endpoint.url)) as sqs:
        assert tables.calendar_table in client.list_tables()["TableNames"]
        assert queue_endpoint.queue_url in sqs.list_queues()["QueueUrls"]
        clients: list[Any] = [client, sqs]
        assert [client._request_signer._credentials.access_key for client in clients] == ["local", "local"]
