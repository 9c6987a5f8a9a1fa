"""The account of a world: every event is in a place, and all that is told of it agrees with what is there."""

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
from tests.resilience.observations import Observations, Try, event_id
from tests.resilience.simulation import Simulation
from tests.support.events import DATE

_COUNTED = {
    "marked": "EventsMarked",
    "duplicate": "EventsDuplicate",
    "dead_lettered": "EventsDeadLettered",
    "retry": "EventsRetried",
}
_RAISED = {"raised": "retry", "struck": "retry"}


@dataclass
class Ledger:
    """Looks at the stores, and holds them against the books.

    Attributes:
        simulation: it.
        events: all that were published, by event ID.
        audit: the audit table, when it was looked at last.
        marked: symbols whose row was marked then.
        sound: whether the account balanced when it was looked at last.
    """

    simulation: Simulation
    events: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)
    sound: bool = True

    @property
    def observations(self) -> Observations:
        """The world's."""
        return self.simulation.observations

    def balance(self) -> None:
        """Look, and check everything."""
        self.sound = False
        self.audit = self._scan(self.simulation.tables.audit_table)
        self._deliveries()
        for each in self.observations.tries:
            _check_try(each)
        self._rows()
        self._letters()
        for identity in self.events:
            assert self.dispositions(identity), f"{identity} is lost"
        self.sound = True

    def valid(self, identity: str) -> bool:
        """Whether the event can be marked."""
        return bool(self.events[identity]["detail"]["earnings_date"] == DATE)

    def symbol(self, identity: str) -> str:
        """Whose row it is about."""
        return str(self.events[identity]["detail"]["asset_symbol"])

    def in_the_queue(self) -> list[str]:
        """The events that the queue's messages hold."""
        return [
            identity
            for message, identity in self.observations.dead_letters.items()
            if message not in self.observations.deleted
        ]

    def dispositions(self, identity: str) -> set[str]:
        """Where an event is. In more than one place it is only if it was delivered more than once."""
        endings = [each for each in self.observations.endings if event_id(json.loads(each.payload)) == identity]
        dispositions: set[str] = set()
        if self.observations.put[identity] > sum(not each.redelivered for each in endings):
            dispositions.add("in flight")
        if self.valid(identity) and self.symbol(identity) in self.marked:
            dispositions.add("marked")
        if identity in self.in_the_queue():
            dispositions.add("in the queue")
        if any(
            self.observations.dead_letters[message] == identity for message in self._deleted(Action.DISCARD_REQUESTED)
        ):
            dispositions.add("discarded")
        if any(each.disposition is Disposition.DROPPED for each in endings):
            dispositions.add("archive only")
        return dispositions

    def _deliveries(self) -> None:
        """Each has one ending, or none yet."""
        account, endings = self.simulation.pipeline.counters, self.observations.endings
        assert account.received == self.observations.put.total()
        assert account.received + account.redelivered == len(endings) + account.live
        tags = Counter(
            delivery_result.tag
            for delivery_result in endings
            if delivery_result.tag and not delivery_result.redelivered
        )
        assert max(tags.values(), default=1) == 1
        assert not account.dispositions[Disposition.NO_OUTCOME]
        for delivery_result in endings:
            assert bool(delivery_result.unsent) == (delivery_result.disposition is Disposition.DROPPED), (
                "dropped, because its net refused it"
            )

    def _rows(self) -> None:
        """Each row is marked at most once, by one event, with one entry, in one transaction."""
        rows = {
            row["asset_symbol"]: row for row in self._scan(self.simulation.tables.calendar_table) if row["is_processed"]
        }
        marks = [entry for entry in self.audit if entry["action"] == "mark_processed"]
        assert len(marks) == len(rows) == sum(len(each.committed) for each in self.observations.tries)
        for mark in marks:
            symbol = mark["earnings_key"].partition("#")[0]
            assert self.symbol(mark["event_id"]) == symbol
            assert mark["event_id"] == rows[symbol]["processed_by_event"]
            assert mark["recorded_at"] == rows[symbol]["updated_at"]
        self.marked = set(rows)

    def _letters(self) -> None:
        """Each message came from one giving up, and is in the queue, or sent again, or discarded: and that is told."""
        observations = self.observations
        caught = sum(
            delivery_result.disposition in {Disposition.ON_FAILURE, Disposition.RULE_DLQ}
            for delivery_result in observations.endings
        )
        assert len(observations.dead_letters) == caught + sum(each.sent for each in observations.tries)
        assert self._queue_length() == len(self.in_the_queue())
        redriven, discarded = self._deleted(Action.REDRIVEN), self._deleted(Action.DISCARD_REQUESTED)
        assert redriven | discarded == observations.deleted
        for identity, count in Counter(observations.dead_letters[message] for message in redriven - discarded).items():
            assert count <= observations.sent_again[identity], f"{identity} was deleted, but not sent"

    def _deleted(self, action: Action) -> set[str]:
        """IDs of the messages that were deleted, and of which the audit table tells this."""
        return self.observations.deleted & {entry["message_id"] for entry in self.audit if entry["action"] == action}

    def _queue_length(self) -> int:
        with closing(sqs_client(self.simulation.queue.url)) as client:
            found = client.get_queue_attributes(
                QueueUrl=self.simulation.queue.queue_url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
        return sum(map(int, found.values()))

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items = self.simulation.tables.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return [plain_item(item) for item in items]


def _check_try(each: Try) -> None:
    """What the function said of one invocation agrees with what DynamoDB and the queue took."""
    assert len(each.committed) <= 1, "the attempts of an invocation are one transaction"
    match each.outcome:
        case "marked":
            assert (len(each.committed), each.sent) == (1, 0)
        case "duplicate":
            assert (len(each.committed), each.sent) == (0, 0), "whoever marked it is told so"
        case "dead_lettered":
            assert (len(each.committed), each.sent) == (0, 1)
        case "raised":
            assert each.sent == 0
    if each.outcome != "crashed":
        assert each.metrics is not None
        told = _RAISED.get(each.outcome, each.outcome)
        counted = {outcome: each.metrics.get(metric, 0) for outcome, metric in _COUNTED.items()}
        assert counted == {outcome: int(outcome == told) for outcome in _COUNTED}
        assert each.metrics["EventsReceived"] == 1
