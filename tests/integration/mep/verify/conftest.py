"""The function, deployed in a fake account; the reserved row is of no other test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from emulator.clients import loopback_client
from mep.verify.account import Account, Target
from mep.verify.engine import verify
from mep.verify.results import Report
from monitoring.names import StackNames
from tests.integration.conftest import services
from tests.integration.harness import Harness, Services, make_harness
from tests.integration.mep.verify.deployed import TOPIC, DeployedAccount
from tests.support.aws_account import Call, Reply, serving
from tests.support.clock import Clock
from tests.support.stores import Tables

__all__ = ["services"]

Verify = Callable[..., Report]
Reads = list[str]
SYMBOL, DATE, EVENT = "MEP-VERIFY", "2000-01-01", "mep-verify"


@dataclass
class Endpoint:
    """One server and its clients for all tests, each of which has an account of its own.

    Attributes:
        harness: The function.
        account: The account of the test that runs.
        client: Returns a client of it.
    """

    harness: Harness
    account: DeployedAccount | None = None
    client: Callable[..., Any] = loopback_client

    def respond(self, call: Call) -> Reply:
        assert self.account is not None
        return self.account.respond(call)


@pytest.fixture(scope="module")
def endpoint(services: Services) -> Iterator[Endpoint]:
    with ExitStack() as stack:
        endpoint = Endpoint(make_harness(stack, services, ENVIRONMENT="prod"))
        url = stack.enter_context(serving(endpoint.respond))
        endpoint.client = cache(lambda service: loopback_client(service, url))
        yield endpoint


def delete_reserved(tables: Tables) -> None:
    """Delete the reserved row and its audit entries."""
    for entry in tables.audit(SYMBOL, DATE):
        key = {name: {"S": entry[name]} for name in ("earnings_key", "entry_id")}
        tables.client.delete_item(TableName=tables.audit_table, Key=key)
    key = {"asset_symbol": {"S": SYMBOL}, "earnings_date": {"S": DATE}}
    tables.client.delete_item(TableName=tables.calendar_table, Key=key)


@pytest.fixture
def environment() -> str:
    return "prod"


@pytest.fixture
def account(endpoint: Endpoint, environment: str) -> DeployedAccount:
    """An account in which everything is as it should be, but for the reserved row, which is missing."""
    delete_reserved(endpoint.harness.services.tables)
    alarms = [
        {"AlarmName": name, "StateValue": "OK", "ActionsEnabled": True, "AlarmActions": [TOPIC] * notifies}
        for name, notifies in StackNames(environment).alarms.items()
    ]
    endpoint.account = DeployedAccount(endpoint.harness, environment, alarms)
    return endpoint.account


@pytest.fixture
def tables(account: DeployedAccount) -> Tables:
    return account.harness.services.tables


@pytest.fixture
def reads(tables: Tables) -> Iterator[Reads]:
    """The reads of the two tables, as they are made."""
    made: Reads = []

    def record(model: Any, **_: object) -> None:
        if model.name in {"GetItem", "Query"}:
            made.append(model.name)

    events: Any = tables.client.meta.events
    events.register("before-call.dynamodb", record)
    yield made
    events.unregister("before-call.dynamodb", record)


@pytest.fixture
def run(account: DeployedAccount, endpoint: Endpoint, tables: Tables, environment: str) -> Verify:
    """Verify the account; a wait takes no time."""
    clock = Clock()

    def run(*, calendar_table: str = tables.calendar_table, source: str = "signal9.advisor") -> Report:
        target = Target(StackNames(environment), calendar_table, tables.audit_table, source, "eu-central-1")
        verified = Account(
            target,
            lambda service, **_: tables.client if service == "dynamodb" else endpoint.client(service),
            operator=lambda: "someone",
            wait_s=60,
            monotonic=clock,
            sleep=clock.advance,
        )
        return verify(verified)

    return run
