"""Fixtures for all tests: an environment without an AWS account, and the real services on loopback."""

import gc
import logging
import os
import signal
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import deploy  # noqa: F401 - points CDK to the locked Node before any test imports CDK
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.managed_service import ServiceError
from emulator.services.sqs import QueueEndpoint, create_queue, queue_service, sqs_client
from otel import library_logs
from tests.support.dynamodb_local import real_dynamodb
from tests.support.stores import DeadLetters, Tables, new_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytest_plugins = [
    "tests.support.botocore_data",
    "tests.support.distribution",
    "tests.support.images",
    "tests.support.measured",
    "tests.support.thorough",
]
pytest.register_assert_rewrite("tests.support.invariants")

_ENDPOINTS = {"dynamodb_endpoint", "queue_endpoint"}
_REMOVED_PREFIXES = ("AWS_", "OTEL_", "_X_AMZN_")
_REMOVED = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "_HANDLER"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites the golden files."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/support/golden with what is made now")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave fixtures out of the timeout of tests that use the real services."""
    for item in items:
        if _ENDPOINTS & set(getattr(item, "fixturenames", ())) and item.get_closest_marker("timeout") is None:
            # The first of them may have to download DynamoDB Local, which has limits of its own.
            item.add_marker(pytest.mark.timeout(func_only=True))


def pytest_collection() -> None:
    """Keep the garbage collector from searching what the collection makes, which stays until the end."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over it from now on. Refuse CDK, which would start Node.js in every worker."""
    gc.enable()
    gc.collect()
    gc.freeze()
    if "aws_cdk" in sys.modules and not any(item.nodeid.startswith("tests/system/") for item in session.items):
        raise pytest.UsageError("a test file imports CDK when it is collected: import it in the test that needs it")


@pytest.fixture(scope="session", autouse=True)
def no_account() -> Iterator[None]:
    """Keep every test away from real accounts, real credentials and proxies, whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_REMOVED_PREFIXES) or name.upper() in _REMOVED:
                patch.delenv(name)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Fail a test that leaves logging or Python's hooks changed, which would make other tests fail in some order."""

    def hooks() -> list[object]:
        # Whether they are this project's: pytest and typer set others.
        replaced = [warnings.showwarning, sys.excepthook, sys.unraisablehook, threading.excepthook]
        ours = [hook.__module__ == library_logs.__name__ for hook in replaced]
        return [logging.getLogRecordFactory(), logging.raiseExceptions, *ours]

    before = hooks()
    yield
    assert hooks() == before


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let the processes that tests start receive Ctrl-C, also where this run was started with `&` in a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def dynamodb_endpoint(no_account: None) -> Iterator[DynamoDBEndpoint]:
    """DynamoDB Local, never a fake: where it cannot run, the tests that need it fail.

    Each worker of a parallel run has its own: some tests make tables with the function's names.
    """
    try:
        with real_dynamodb() as endpoint:
            yield endpoint
    except ServiceError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def queue_endpoint(no_account: None) -> Iterator[QueueEndpoint]:
    """An SQS with one queue."""
    with queue_service() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def dynamodb_client(dynamodb_endpoint: DynamoDBEndpoint) -> Iterator["DynamoDBClient"]:
    """A client for DynamoDB Local with botocore's usual retries, for preparation and assertions."""
    with closing(dynamodb_endpoint.client()) as client:
        yield client


@pytest.fixture
def tables(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Iterator[Tables]:
    """Two empty tables."""
    name = uuid.uuid4().hex
    tables = new_tables(dynamodb_endpoint.url, dynamodb_client, name)
    yield tables
    for table in (tables.calendar_table, tables.audit_table):
        dynamodb_client.delete_table(TableName=table)


@pytest.fixture
def dead_letters(queue_endpoint: QueueEndpoint) -> Iterator[DeadLetters]:
    """An empty queue."""
    dead_letters = DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{uuid.uuid4().hex}"))
    yield dead_letters
    with closing(sqs_client(dead_letters.url)) as client:
        client.delete_queue(QueueUrl=dead_letters.queue_url)
