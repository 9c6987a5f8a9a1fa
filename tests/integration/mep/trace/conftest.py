"""A run of the real function whose folder the tests look into."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from emulator.environment import SAMPLES
from emulator.faults import throttling_proxy
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from mep.local.options import RunOptions
from mep.local.run import run


@pytest.fixture(scope="session")
def folder(
    dynamodb_endpoint: DynamoDBEndpoint, queue_endpoint: QueueEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample events, the first write throttled once."""
    out = tmp_path_factory.mktemp("run")
    with throttling_proxy(dynamodb_endpoint.url, 1) as url:
        chosen = RunOptions(
            calendar=SAMPLES / "calendar.csv",
            events=SAMPLES / "events.jsonl",
            out=out,
            endpoint_url=url,
            workers=1,
            # DynamoDB Local keeps the data of each region apart: this run has tables of its own.
            region="eu-west-3",
        )
        run(chosen, Console(file=io.StringIO()), queue=create_queue(queue_endpoint.url, "traced", "eu-west-3"))
    return out
