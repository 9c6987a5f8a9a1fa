"""Fixtures of the tests of whole runs."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.tables import AUDIT_TABLE, CALENDAR_TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def url(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Iterator[str]:
    """A DynamoDB without the run's tables."""

    def delete_tables() -> None:
        present = dynamodb_client.list_tables()["TableNames"]
        for table in {CALENDAR_TABLE, AUDIT_TABLE} & set(present):
            dynamodb_client.delete_table(TableName=table)

    delete_tables()
    yield dynamodb_endpoint.url
    delete_tables()


@pytest.fixture
def screen() -> Console:
    return Console(file=io.StringIO(), width=200)
