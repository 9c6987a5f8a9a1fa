"""A run of the real function whose folder the tests look into."""

import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from emulator.environment import SAMPLES
from emulator.faults import throttling_proxy
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from handler.contract import AUDIT, CALENDAR
from mep.local.options import RunOptions
from mep.local.run import run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def folder(
    dynamodb_endpoint: DynamoDBEndpoint,
    dynamodb_client: "DynamoDBClient",
    queue_endpoint: QueueEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The sample events, the first write throttled once, and nothing of other runs in their tables."""
    out = tmp_path_factory.mktemp("run")
    for table in (CALENDAR.default, AUDIT.default):
        with suppress(dynamodb_client.exceptions.ResourceNotFoundException):
            dynamodb_client.delete_table(TableName=table)
    with throttling_proxy(dynamodb_endpoint.url, 1) as url:
        chosen = RunOptions(
            calendar=SAMPLES / "calendar.csv",
            events=SAMPLES / "events.jsonl",
            out=out,
            endpoint_url=url,
            workers=1,
            region="eu-west-3",
        )
        run(chosen, Console(file=io.StringIO()), queue=create_queue(queue_endpoint.url, "traced", "eu-west-3"))
    return out
