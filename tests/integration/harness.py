"""The function with a fault proxy before each service, and tables and a queue that many tests share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.faults import FaultProxy
from emulator.services.sqs import DeadLetter
from tests.support.events import DATE, unique_event
from tests.support.harness import FunctionHarness
from tests.support.invariants import check_invocation
from tests.support.invocation import Invoked
from tests.support.stores import DeadLetters, Tables

OTHERS_ATTRIBUTES: Mapping[str, Any] = {
    "report_time": "after-close",
    "surprise": None,
    "last_sync_timestamp": "2025-07-30T00:00:00Z",
    "created_at": "2025-07-01T00:00:00Z",
}
"""Of the calendar sync: the function never touches them."""


@dataclass(frozen=True, slots=True)
class Services:
    """What is started once for all tests. Each test has rows and correlation IDs of its own.

    Attributes:
        tables: the tables.
        queue: the dead-letter queue.
        dead_letters: what was taken out of it so far.
    """

    tables: Tables
    queue: DeadLetters
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Harness:
    """The function under test.

    Attributes:
        function: it.
        services: behind the proxies.
        dynamodb: the proxy before DynamoDB.
        sqs: the proxy before SQS.
    """

    function: FunctionHarness
    services: Services
    dynamodb: FaultProxy
    sqs: FaultProxy

    def __call__(self, event: object, **how: Any) -> Invoked:
        """Invoke the function, and check that all it tells of the event agrees with itself."""
        invoked = self.function(event, **how)
        check_invocation(invoked)
        return invoked

    def tokens(self) -> list[str]:
        """`ClientRequestToken` of each attempt at the transaction that reached the wire."""
        requests = [recorded.request for recorded in self.dynamodb.requests]
        return [request.json["ClientRequestToken"] for request in requests if request.operation == "TransactWriteItems"]

    def dead_letters(self, invoked: Invoked) -> list[DeadLetter]:
        """The dead letters with the invocation's correlation ID."""
        collected = {each.message_id for each in self.services.dead_letters}
        if invoked.outcome_line.get("dead_letter_id") not in collected:  # else all that it sent came with it
            self.services.dead_letters.extend(self.services.queue.drain())
        correlation_id = invoked.outcome_line["correlation_id"]
        return [each for each in self.services.dead_letters if each.attributes.get("CORRELATION_ID") == correlation_id]

    def row(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The calendar row that an event names in the usual spelling."""
        return self.services.tables.row(event["detail"]["asset_symbol"], event["detail"]["earnings_date"])

    def audit(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """That row's audit entries."""
        return self.services.tables.audit(event["detail"]["asset_symbol"], event["detail"]["earnings_date"])

    def event_for_a_row(self, detail: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
        """Put a row that is not processed yet into the calendar.

        Args:
            detail: more of the event's detail.
            attributes: of the row, on top of others' and `is_processed`, or instead.

        Returns:
            An event for it.
        """
        event = unique_event(detail)
        self.services.tables.put_row(event["detail"]["asset_symbol"], DATE, **{**OTHERS_ATTRIBUTES, **attributes})
        return event
