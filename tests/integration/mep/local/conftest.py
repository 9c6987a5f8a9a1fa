"""Fixtures of the tests of whole runs."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from emulator.services.dynamodb import DynamoDBEndpoint
from tests.support.stores import delete_run_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def url(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Iterator[str]:
    """A DynamoDB without the run's tables."""
    delete_run_tables(dynamodb_client)
    yield dynamodb_endpoint.url
    delete_run_tables(dynamodb_client)


@pytest.fixture
def screen() -> Console:
    return Console(file=io.StringIO(), width=200)
