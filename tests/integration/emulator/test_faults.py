"""The throttling front: the first writes are refused on the wire, everything else passes."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.faults import throttling_proxy
from otel.tracing.throttling import throttling_reasons
from tests.support.stores import Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def client(tables: Tables) -> Iterator["DynamoDBClient"]:
    with (
        throttling_proxy(tables.url, times=3) as url,
        closing(boto3.client("dynamodb", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))) as client,
    ):
        yield client


def write(client: "DynamoDBClient", tables: Tables) -> None:
    item = {"asset_symbol": {"S": "A"}, "earnings_date": {"S": "2025-01-01"}}
    client.transact_write_items(TransactItems=[{"Put": {"TableName": tables.calendar_table, "Item": item}}])


def test_the_first_transactions_are_throttled_and_the_next_is_written(client: "DynamoDBClient", tables: Tables) -> None:
    codes, reasons = [], []
    for _ in range(3):
        with pytest.raises(ClientError) as caught:
            write(client, tables)
        codes.append(caught.value.response["Error"]["Code"])
        reasons.append(throttling_reasons(caught.value.response))
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert codes == [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
    ]
    table = f"arn:aws:dynamodb:us-east-1:000000000000:table/{tables.calendar_table}"
    why = [(f"TableWrite{limit}ThroughputExceeded {table}",) for limit in ("Provisioned", "KeyRange")]
    assert reasons == [*why, why[0]]
    assert tables.row("A", "2025-01-01") is None

    write(client, tables)

    assert tables.row("A", "2025-01-01") is not None


def test_other_calls_and_their_errors_pass_through(client: "DynamoDBClient", tables: Tables) -> None:
    assert tables.calendar_table in client.list_tables()["TableNames"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(TableName="none")
