"""Fixtures: the services once for a run, the function anew for every test."""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from emulator.faults import FaultProxy
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from emulator.services.tables import create_tables
from tests.integration.harness import Harness, Services
from tests.support.harness import function_environ, function_harness, shortest_delay
from tests.support.stores import DeadLetters, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NewHarness = Callable[..., Harness]


@pytest.fixture(scope="session")
def services(
    dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient", queue_endpoint: QueueEndpoint
) -> Services:
    """Two tables and a queue for all tests of this directory."""
    name = uuid.uuid4().hex
    tables = Tables(dynamodb_endpoint.url, f"calendar-{name}", f"audit-{name}", dynamodb_client)
    create_tables(dynamodb_client, tables.calendar_table, tables.audit_table)
    return Services(tables, DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{name}")))


@pytest.fixture
def new_harness(services: Services) -> Iterator[NewHarness]:
    """Makes a harness; its arguments are environment variables, and `jitter`."""
    with ExitStack() as stack:

        def make(jitter: Any = shortest_delay, **environ: str) -> Harness:
            dynamodb = stack.enter_context(FaultProxy(services.tables.url))
            sqs = stack.enter_context(FaultProxy(services.queue.url))
            between = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url, "AWS_ENDPOINT_URL_SQS": sqs.url}
            given = function_environ(services.tables, services.queue, **(between | environ))
            return Harness(stack.enter_context(function_harness(given, jitter=jitter)), services, dynamodb, sqs)

        yield make


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
