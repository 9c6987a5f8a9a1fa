"""What the checks work on: the resources of one environment, their clients, the time."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mep.aws import AwsClients
from mep.aws_errors import explain
from mep.errors import AwsUnavailableError, Problem, Reason, UnavailableError
from mep.trace.sources import NotQueriedError, beside_emulator
from mep.verify.results import Check, CheckName, Status
from monitoring.names import StackNames

SERVICES = ("dynamodb", "lambda", "logs", "cloudwatch", "xray", "sns")
ROUND_TRIP_SERVICES = (*SERVICES, "events", "sqs")
POLL_S = 5.0
"""Seconds between two looks for what is not there yet."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is verified.

    Attributes:
        names: The names that the stack gives.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        event_source: The `source` that the function accepts.
        region: The region.
        event_bus: Name of the event bus.
        queue: Name of the dead-letter queue.
    """

    names: StackNames
    calendar_table: str
    audit_table: str
    event_source: str
    region: str
    event_bus: str
    queue: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the checks see it.

    Attributes:
        target: What is verified.
        client: Returns the client of a service; raises `NotQueriedError` for one that must not be called.
        operator: Returns who verifies, for the audit entries.
        wait_s: How long log, metrics and trace are waited for, seconds.
        emulated: Whether it is an emulator.
        now: The time of day, UTC.
        monotonic: A clock in seconds.
        sleep: Waits.
    """

    target: Target
    client: Callable[..., Any]
    operator: Callable[[], str]
    wait_s: float
    emulated: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def ask(self, name: CheckName, service: str, check: Callable[[Any], Check]) -> Check:
        """Return what a check finds, or that it could not be asked.

        Args:
            name: The check.
            service: The service that it calls.
            check: Is given the client.
        """
        client: Any = None
        try:
            client = self.client(service)
            return check(client)
        except NotQueriedError as error:
            return Check.not_available(name, error.problem)
        except AwsUnavailableError as error:
            return Check.not_available(name, replace(error.problem, text=f"{error.what}: {error.problem.text}"))
        except UnavailableError as error:
            return Check.not_available(name, Problem(Reason.SERVICE_ERROR, str(error)))
        except Exception as error:
            problem = explain(error, client)
            if problem is None:
                raise
            return Check.not_available(name, problem)

    def wait(self, check: Callable[[], Check], deadline: float, poll_s: float = POLL_S) -> Check:
        """Repeat a check until it does not fail, or the deadline is over: what it looks for arrives late.

        Args:
            check: The check.
            deadline: When to stop, by `monotonic`.
            poll_s: Seconds between two looks.
        """
        while True:
            result = check()
            if result.status is not Status.FAIL or self.monotonic() + poll_s > deadline:
                return result
            self.sleep(poll_s)


def client_factory(aws: AwsClients, services: Iterable[str] = SERVICES) -> tuple[Callable[..., Any], bool]:
    """Return what makes the clients, and whether an emulator is verified: then AWS is not called beside it.

    Args:
        aws: The clients.
        services: The services that are called.

    Raises:
        UsageError: A boto3 setting is invalid.
    """
    emulated = aws.prefer_emulator(services)

    def client(service: str, **config: Any) -> Any:
        if aws.is_allowed(service):
            return aws.client(service, **config)
        raise NotQueriedError(beside_emulator())

    return client, emulated
