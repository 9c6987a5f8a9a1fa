"""What the commands share: the queue read once, and shown again however the command ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mep.dlq.audit import AuditTrail
from mep.dlq.metrics import OperatorMetrics
from mep.dlq.sqs_queue import Queue, QueueSnapshot
from mep.settings import Settings


@dataclass(frozen=True, slots=True)
class Session:
    """A command at work on a queue.

    Attributes:
        settings: where everything is.
        queue: holds what was read.
        reading: what was read.
        metrics: sent when the session ends.
    """

    settings: Settings
    queue: Queue
    reading: QueueSnapshot
    metrics: OperatorMetrics

    def audit(self, operator: str) -> AuditTrail:
        """The audit trail of one person."""
        return AuditTrail(self.settings.aws.client("dynamodb"), self.settings.audit_table, operator)


@contextmanager
def session(
    settings: Settings, *, visibility_timeout_s: int, limit: int, warn: Callable[[str], None]
) -> Iterator[Session]:
    """Read the queue; at the end show every message again that was not deleted, and send the metrics.

    Args:
        settings: where everything is.
        visibility_timeout_s: seconds for which messages are hidden at a time.
        limit: how many messages to look at.
        warn: told what did not work and is no error.

    Raises:
        LocalError: the queue cannot be used.
    """
    queue = Queue(settings.aws.client("sqs"), settings.queue_url, visibility_timeout_s=visibility_timeout_s)
    metrics = OperatorMetrics(settings.aws, settings.environment, warn)
    try:
        reading = queue.read(limit)
        metrics.count("DeadLettersSeen", len(reading.dead_letters))
        yield Session(settings, queue, reading, metrics)
    finally:
        queue.release()
        metrics.send()
        if queue.not_released:
            warn(
                f"{queue.not_released} messages could not be shown again: they are back within {visibility_timeout_s} s"
            )
