"""A bus with a rule, a queue, an audit table, CloudWatch: everything that `mep dlq` talks to, on loopback."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.clients import loopback_client
from emulator.faults import FaultProxy
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.ministack import ministack
from tests.support.dlq_harness import FUNCTION_ARN, Harness
from tests.support.documented_session import DocumentedSession
from tests.support.stores import DeadLetters, Tables


@pytest.fixture(scope="session")
def events_url(no_account: None) -> Iterator[str]:
    """An EventBridge."""
    with ministack("events") as url:
        yield url


@pytest.fixture
def bus(events_url: str) -> Iterator[str]:
    """A bus with the rule that the function is behind."""
    name = f"earnings-{uuid.uuid4().hex}"
    client = loopback_client("events", events_url)
    client.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]})
    client.put_rule(Name="mark", EventBusName=name, EventPattern=pattern)
    client.put_targets(Rule="mark", EventBusName=name, Targets=[{"Id": "function", "Arn": FUNCTION_ARN}])
    yield name
    client.remove_targets(Rule="mark", EventBusName=name, Ids=["function"])
    client.delete_rule(Name="mark", EventBusName=name)
    client.delete_event_bus(Name=name)
    client.close()


@pytest.fixture
def harness(
    dead_letters: DeadLetters, tables: Tables, events_url: str, bus: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """The command line, pointed at all of it through proxies that see every call."""
    with (
        FaultProxy(dead_letters.url) as sqs,
        FaultProxy(events_url) as events,
        FaultProxy(tables.url) as dynamodb,
        FaultProxy("http://127.0.0.1:9") as function,
        FaultProxy("http://127.0.0.1:9") as cloudwatch,
    ):
        harness = Harness(dead_letters, tables, bus, sqs, events, dynamodb, function, cloudwatch)
        for name, value in harness.environ().items():
            monkeypatch.setenv(name, value)
        yield harness


@pytest.fixture
def documented_session(
    tmp_path: Path,
    dynamodb_endpoint: DynamoDBEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> DocumentedSession:
    """Runs a session of a page."""
    return DocumentedSession(tmp_path, dynamodb_endpoint.url, monkeypatch, capsys)
