"""The invariants of the whole system: no event is lost, and everything that reports an event agrees with the stores."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from emulator.pipeline.model import Disposition
from emulator.services.sqs import sqs_client
from emulator.services.tables import plain_item
from mep.dlq.audit import Action
from tests.resilience.observations import Attempt, Observations, event_id
from tests.resilience.simulation import Simulation
from tests.support.events import DATE
from tests.support.invariants import count_outcomes

# Committed transactions and dead letters of an invocation with this outcome.
_EFFECTS = {"marked": (1, 0), "duplicate": (0, 0), "dead_lettered": (0, 1)}
_RETRIED = {"raised", "timed_out"}


@dataclass
class InvariantChecker:
    """Reads the stores, and compares them with the observations.

    Attributes:
        simulation: The system under test.
        events: All events that were published, by event ID.
        audit: The audit table at the last check.
        marked: Symbols whose row was marked at the last check.
        holds: Whether the last check passed.
    """

    simulation: Simulation
    events: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)
    holds: bool = True

    @property
    def observations(self) -> Observations:
        """What was observed so far."""
        return self.simulation.observations

    def check(self) -> None:
        """Read the stores and check every invariant."""
        self.holds = False
        self._check_deliveries()
        for attempt in self.observations.attempts:
            _check_attempt(attempt)
        self.check_rows()
        self._check_dead_letters()
        for identity in self.events:
            assert self.dispositions(identity), f"{identity} is lost"
        self.holds = True

    def valid(self, identity: str) -> bool:
        """Return whether the event can be marked."""
        return bool(self.events[identity]["detail"]["earnings_date"] == DATE)

    def symbol(self, identity: str) -> str:
        """Return the symbol of the event's row."""
        return str(self.events[identity]["detail"]["asset_symbol"])

    def queued_events(self) -> list[str]:
        """Return the events of the messages in the queue."""
        return [
            identity
            for message, identity in self.observations.dead_letters.items()
            if message not in self.observations.deleted
        ]

    def dispositions(self, identity: str) -> set[str]:
        """Return where an event is; more than one place only if it was delivered more than once."""
        results = [result for result in self.observations.results if event_id(json.loads(result.payload)) == identity]
        dispositions: set[str] = set()
        if self.observations.published[identity] > sum(not result.redelivered for result in results):
            dispositions.add("in flight")
        if self.valid(identity) and self.symbol(identity) in self.marked:
            dispositions.add("marked")
        if identity in self.queued_events():
            dispositions.add("in the queue")
        discarded = self._deleted(Action.DISCARD_REQUESTED)
        if any(self.observations.dead_letters[message] == identity for message in discarded):
            dispositions.add("discarded")
        if any(result.disposition is Disposition.DROPPED for result in results):
            dispositions.add("archive only")
        return dispositions

    def check_rows(self) -> None:
        """Check that each row is marked at most once, by one event, with one audit entry, in one transaction."""
        self.audit = self._scan(self.simulation.tables.audit_table)
        calendar = self._scan(self.simulation.tables.calendar_table)
        rows = {row["asset_symbol"]: row for row in calendar if row["is_processed"]}
        marks = [entry for entry in self.audit if entry["action"] == "mark_processed"]
        assert len(marks) == len(rows) == sum(len(attempt.committed) for attempt in self.observations.attempts)
        for mark in marks:
            symbol = mark["earnings_key"].partition("#")[0]
            assert self.symbol(mark["event_id"]) == symbol
            assert mark["event_id"] == rows[symbol]["processed_by_event"]
            assert mark["recorded_at"] == rows[symbol]["updated_at"]
        self.marked = set(rows)

    def _check_deliveries(self) -> None:
        """Check that each delivery has one result, or none yet."""
        counters, results = self.simulation.pipeline.counters, self.observations.results
        assert counters.received == self.observations.published.total()
        assert counters.received + counters.redelivered == len(results) + counters.live
        tags = Counter(result.tag for result in results if result.tag and not result.redelivered)
        assert max(tags.values(), default=1) == 1
        assert not counters.dispositions[Disposition.NO_OUTCOME]
        for result in results:
            dropped = result.disposition is Disposition.DROPPED
            assert bool(result.unsent) == dropped, "dropped only if its failure destination refused it"

    def _check_dead_letters(self) -> None:
        """Check that each message has one cause, and was redriven or discarded with an audit entry if it is deleted."""
        observations = self.observations
        from_platform = sum(
            result.disposition in {Disposition.ON_FAILURE, Disposition.RULE_DLQ} for result in observations.results
        )
        assert len(observations.dead_letters) == from_platform + sum(attempt.sent for attempt in observations.attempts)
        assert self._queue_length() == len(self.queued_events())
        redriven, discarded = self._deleted(Action.REDRIVEN), self._deleted(Action.DISCARD_REQUESTED)
        assert redriven | discarded == observations.deleted
        for identity, count in Counter(observations.dead_letters[message] for message in redriven - discarded).items():
            assert count <= observations.redriven[identity], f"{identity} was deleted, but not sent"

    def _deleted(self, action: Action) -> set[str]:
        """Return the IDs of the deleted messages that have an audit entry with this action."""
        return self.observations.deleted & {entry["message_id"] for entry in self.audit if entry["action"] == action}

    def _queue_length(self) -> int:
        with closing(sqs_client(self.simulation.queue.url)) as client:
            attributes = client.get_queue_attributes(
                QueueUrl=self.simulation.queue.queue_url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
        return sum(map(int, attributes.values()))

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items = self.simulation.tables.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return [plain_item(item) for item in items]


def _check_attempt(attempt: Attempt) -> None:
    """Check what the function reports of one invocation against what DynamoDB and the queue accepted."""
    assert len(attempt.committed) <= 1, "the attempts of an invocation are one transaction"
    if attempt.outcome in _EFFECTS:
        assert (len(attempt.committed), attempt.sent) == _EFFECTS[attempt.outcome]
    elif attempt.outcome == "raised":
        assert attempt.sent == 0
    if attempt.outcome != "crashed":
        assert attempt.metrics is not None
        assert count_outcomes([attempt.metrics]) == {
            "retry" if attempt.outcome in _RETRIED else attempt.outcome: 1,
        }
