"""Fixtures: the services once for a run, a new function for every test."""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from tests.integration.harness import Harness, Services, make_harness
from tests.support.stores import DeadLetters, new_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NewHarness = Callable[..., Harness]


@pytest.fixture(scope="session")
def services(
    dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient", queue_endpoint: QueueEndpoint
) -> Services:
    """Two tables and a queue for all tests of this directory."""
    name = uuid.uuid4().hex
    tables = new_tables(dynamodb_endpoint.url, dynamodb_client, name)
    return Services(tables, DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{name}")))


@pytest.fixture
def new_harness(services: Services) -> Iterator[NewHarness]:
    """Makes a harness; its arguments are environment variables, and `jitter`."""
    with ExitStack() as stack:
        yield partial(make_harness, stack, services)


@pytest.fixture
def harness(new_harness: NewHarness) -> Harness:
    """The function with its default settings."""
    return new_harness()


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server knows a name that ends in `.invalid`; none is asked."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
