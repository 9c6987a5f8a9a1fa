"""What one round trip has done so far: its steps write it, and the cleaning up reads it, also after an interruption."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from handler.validation import format_utc
from mep.dlq.audit import AuditTrail
from mep.dlq.model import DeadLetter
from mep.dlq.queue import Queue
from mep.verify.account import Account
from monitoring.round_trip import STALE_S, RoundTripEvent, RowWriter

POLL_S = 1.0
"""Seconds between two looks at the tables and the queue, which are up to date."""


@dataclass
class Trip:
    """One round trip.

    Attributes:
        account: What is verified.
        run: The ID of the run.
        operator: Who verifies.
        delivered: The event whose row is there.
        failed: The event that is dead-lettered and redriven.
        opened: Whether the rows may be open.
        sent: IDs of the events that may have been put on the bus.
        marked: IDs of the events that have marked their rows.
        closed: IDs of the events whose rows the cleaning up may have marked.
        discarded: IDs of the events whose dead letters were deleted.
        queue: The dead-letter queue; None before it is read. Its messages stay in flight, so that each is received
            once.
        queue_url: The URL of the queue.
        before: Number of messages in the queue before the event that is dead-lettered.
        dead_letter: The dead letter of `failed`.
    """

    account: Account
    run: str
    operator: str
    delivered: RoundTripEvent
    failed: RoundTripEvent
    opened: bool = False
    sent: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    queue: Queue | None = None
    queue_url: str = ""
    before: int = 0
    dead_letter: DeadLetter | None = None

    @property
    def events(self) -> tuple[RoundTripEvent, RoundTripEvent]:
        """Both events."""
        return self.delivered, self.failed

    @property
    def rows(self) -> RowWriter:
        """Makes the transactions on the reserved rows."""
        target = self.account.target
        return RowWriter(target.calendar_table, target.audit_table, self.run, self.operator)

    @property
    def audit(self) -> AuditTrail:
        """The audit trail of redrives and discards."""
        return AuditTrail(self.account.client("dynamodb"), self.account.target.audit_table, self.operator)

    def now(self) -> str:
        """Return the time of day, as in audit entries."""
        return format_utc(self.account.now())

    def stale(self) -> str:
        """Return the time before which a row that was left open belongs to nobody."""
        return format_utc(self.account.now() - timedelta(seconds=STALE_S))

    def deadline(self) -> float:
        """Return until when something that begins now is waited for."""
        return self.account.monotonic() + self.account.wait_s

    def open_queue(self, client: Any) -> Queue:
        """Return the dead-letter queue.

        Args:
            client: boto3 client of SQS.
        """
        if self.queue is None:
            self.queue_url = client.get_queue_url(QueueName=self.account.target.queue)["QueueUrl"]
            self.queue = Queue(client, self.queue_url, clock=self.account.monotonic)
        return self.queue
