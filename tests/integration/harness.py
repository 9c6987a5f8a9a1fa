"""The harness on the real services: a fault proxy before each, and tables and a queue that the tests share."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from emulator.faults import FaultProxy
from emulator.services.sqs import DeadLetter
from tests.support.events import DATE, unique_event
from tests.support.harness import FunctionHarness, function_environ, function_harness, shortest_delay
from tests.support.invariants import check_invocation
from tests.support.invocation import Invoked
from tests.support.stores import DeadLetters, Tables

OTHERS_ATTRIBUTES: Mapping[str, Any] = {
    "report_time": "after-close",
    "surprise": None,
    "last_sync_timestamp": "2025-07-30T00:00:00Z",
    "created_at": "2025-07-01T00:00:00Z",
}
"""Attributes of the calendar sync, which the function never changes."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a test run. Each test has rows and correlation IDs of its own.

    Attributes:
        tables: The tables.
        queue: The dead-letter queue.
        dead_letters: The messages that were received from it so far.
    """

    tables: Tables
    queue: DeadLetters
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Harness:
    """The function under test.

    Attributes:
        function: The harness that invokes it.
        services: The services behind the proxies.
        dynamodb: The proxy before DynamoDB.
        sqs: The proxy before SQS.
    """

    function: FunctionHarness
    services: Services
    dynamodb: FaultProxy
    sqs: FaultProxy

    def __call__(self, event: object, **how: Any) -> Invoked:
        """Invoke the function, and check the invariants of the invocation."""
        invoked = self.function(event, **how)
        check_invocation(invoked)
        return invoked

    def tokens(self) -> list[str]:
        """Return the `ClientRequestToken` of each attempt that reached the proxy."""
        requests = [recorded.request for recorded in self.dynamodb.requests]
        return [request.json["ClientRequestToken"] for request in requests if request.operation == "TransactWriteItems"]

    def dead_letters(self, invoked: Invoked) -> list[DeadLetter]:
        """Return the dead letters with the invocation's correlation ID."""
        received = {dead_letter.message_id for dead_letter in self.services.dead_letters}
        if invoked.outcome_line.get("dead_letter_id") not in received:
            self.services.dead_letters.extend(self.services.queue.drain())
        correlation_id = invoked.outcome_line["correlation_id"]
        return [
            dead_letter
            for dead_letter in self.services.dead_letters
            if dead_letter.attributes.get("CORRELATION_ID") == correlation_id
        ]

    def row(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the calendar row of an event in snake case."""
        return self.services.tables.row(event["detail"]["asset_symbol"], event["detail"]["earnings_date"])

    def audit(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the audit entries of that row."""
        return self.services.tables.audit(event["detail"]["asset_symbol"], event["detail"]["earnings_date"])

    def event_for_a_row(self, detail: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
        """Put a row that is not processed into the calendar, and return an event for it.

        Args:
            detail: Members of the event's detail that are added or replaced.
            attributes: Attributes of the row that are added or replaced.
        """
        event = unique_event(detail)
        self.services.tables.put_row(event["detail"]["asset_symbol"], DATE, **{**OTHERS_ATTRIBUTES, **attributes})
        return event


def make_harness(
    stack: ExitStack,
    services: Services,
    jitter: Callable[[float, float], float] | None = shortest_delay,
    **environ: str,
) -> Harness:
    """Start the function behind fault proxies.

    Args:
        stack: Closes it.
        services: The services behind the proxies.
        jitter: Draws a delay between two bounds, seconds; None for the function's own.
        environ: Environment variables that are added or replaced.
    """
    dynamodb = stack.enter_context(FaultProxy(services.tables.url))
    sqs = stack.enter_context(FaultProxy(services.queue.url))
    proxies = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url, "AWS_ENDPOINT_URL_SQS": sqs.url}
    variables = function_environ(services.tables, services.queue, **(proxies | environ))
    return Harness(stack.enter_context(function_harness(variables, jitter=jitter)), services, dynamodb, sqs)
