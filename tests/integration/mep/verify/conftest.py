"""The function, deployed in a fake account; the reserved row is of no other test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from emulator.clients import loopback_client
from emulator.faults import FaultProxy
from emulator.services.sqs import create_queue, sqs_client
from mep.verify.account import Account, Target
from mep.verify.engine import verify
from mep.verify.results import CheckName, Report
from monitoring.model import Severity
from monitoring.names import StackNames
from tests.integration.conftest import services
from tests.integration.harness import Harness, Services, make_harness
from tests.integration.mep.verify.deployed import TOPICS, DeployedAccount
from tests.support.aws_account import Call, Reply, serving
from tests.support.clock import Clock
from tests.support.stores import DeadLetters, Tables

__all__ = ["services"]

Verify = Callable[..., Report]
Reads = list[str]
SYMBOL, DATE, EVENT = "MEP-VERIFY", "2000-01-01", "mep-verify"
PRESENT, ABSENT = "2000-01-02", "2000-01-03"
"""The days of the two rows of a round trip."""


def statuses(report: Report) -> dict[str, str]:
    """Return the checks that did not pass."""
    return {check.name.value: check.status.value for check in report.checks if not check.passed}


def text(report: Report, name: CheckName) -> str:
    """Return what a check has found."""
    return next(check.text for check in report.checks if check.name is name)


@dataclass
class Endpoint:
    """One server and its clients for all tests, each of which has an account of its own.

    Attributes:
        harness: The function.
        account: The account of the test that runs.
        url: The URL of the server.
        client: Returns a client of it.
        sqs: A client of the dead-letter queue, which is real.
        sqs_proxy: The proxy before it.
    """

    harness: Harness
    account: DeployedAccount | None = None
    url: str = ""
    client: Callable[..., Any] = loopback_client
    sqs: Any = None
    sqs_proxy: FaultProxy | None = None

    def respond(self, call: Call) -> Reply:
        assert self.account is not None
        return self.account.respond(call)


@pytest.fixture(scope="module")
def endpoint(services: Services) -> Iterator[Endpoint]:
    with ExitStack() as stack:
        # A queue of its own, with the stack's name: a round trip looks at every message.
        queue = DeadLetters(create_queue(services.queue.url, StackNames("prod").dead_letter_queue))
        endpoint = Endpoint(make_harness(stack, replace(services, queue=queue), ENVIRONMENT="prod"))
        url = stack.enter_context(serving(endpoint.respond))
        endpoint.url = url
        endpoint.client = cache(lambda service: loopback_client(service, url))
        endpoint.sqs_proxy = stack.enter_context(FaultProxy(services.queue.url))
        endpoint.sqs = stack.enter_context(closing(sqs_client(endpoint.sqs_proxy.url)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mep.dlq.queue._WAIT_S", 0)  # this queue is one server
            yield endpoint


def delete_reserved(tables: Tables) -> None:
    """Delete the reserved rows and their audit entries."""
    for date in (DATE, PRESENT, ABSENT):
        for entry in tables.audit(SYMBOL, date):
            key = {name: {"S": entry[name]} for name in ("earnings_key", "entry_id")}
            tables.client.delete_item(TableName=tables.audit_table, Key=key)
        key = {"asset_symbol": {"S": SYMBOL}, "earnings_date": {"S": date}}
        tables.client.delete_item(TableName=tables.calendar_table, Key=key)


def topics(environment: str, severity: Severity | None) -> list[str]:
    """Return the topics that an alarm notifies."""
    return [] if severity is None else [f"{TOPICS}:{StackNames(environment).topic(severity)}"]


@pytest.fixture
def environment() -> str:
    return "prod"


@pytest.fixture
def account(endpoint: Endpoint, environment: str) -> DeployedAccount:
    """An account in which everything works, except that the reserved row is missing."""
    delete_reserved(endpoint.harness.services.tables)
    endpoint.harness.services.queue.drain()
    alarms = [
        {"AlarmName": name, "StateValue": "OK", "ActionsEnabled": True, "AlarmActions": topics(environment, severity)}
        for name, severity in StackNames(environment).alarms().items()
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
def clients(endpoint: Endpoint, tables: Tables) -> dict[str, Any]:
    """The clients of the services that are real. Without one, the fake account is called."""
    return {"dynamodb": tables.client, "sqs": endpoint.sqs}


@pytest.fixture
def verified(
    account: DeployedAccount, endpoint: Endpoint, tables: Tables, environment: str, clients: dict[str, Any]
) -> Account:
    """The account as the checks see it; a wait takes no time."""
    clock = Clock()
    queue = account.harness.services.queue
    target = Target(
        StackNames(environment),
        tables.calendar_table,
        tables.audit_table,
        "signal9.advisor",
        "eu-central-1",
        "earnings-prod",
        queue.queue_url.rpartition("/")[2],
    )
    return Account(
        target,
        lambda service, **_: clients.get(service) or endpoint.client(service),
        operator=lambda: "someone",
        wait_s=60,
        monotonic=clock,
        sleep=clock.advance,
    )


@pytest.fixture
def run(verified: Account, tables: Tables) -> Verify:
    """Verify the account; `on_check` is called before each check."""

    def run(
        *,
        full: bool = False,
        calendar_table: str = tables.calendar_table,
        source: str = "signal9.advisor",
        on_check: Callable[[CheckName], None] = lambda _: None,
    ) -> Report:
        target = replace(verified.target, calendar_table=calendar_table, event_source=source)
        wait_s = 10 if full else verified.wait_s  # a full run polls a real queue
        return verify(replace(verified, target=target, wait_s=wait_s), full=full, on_check=on_check)

    return run
