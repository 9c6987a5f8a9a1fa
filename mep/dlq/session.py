"""What the commands share: the queue, read once and released however the command ends; metrics; who the operator is."""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from handler.contract import DISPLAY_NAME
from mep.aws import AwsClients
from mep.aws_errors import aws_errors
from mep.dlq.audit import AuditTrail
from mep.dlq.model import DeadLetter
from mep.dlq.queue import Queue, QueueSnapshot
from mep.dlq.selection import Selection
from mep.errors import MepError
from mep.settings import Settings
from monitoring.operator_metrics import METRICS
from otel.semconv import ENVIRONMENT_DIMENSION


class OperatorMetrics:
    """Counts what a command does, and sends the counts with PutMetricData. A failure is a warning, never an error.

    Nothing is sent beside an emulator, unless the endpoint of CloudWatch is set.

    Args:
        aws: The boto3 clients; None where metrics are not sent.
        environment: The value of the metrics' dimension.
        warn: Called with the warning that metrics were not sent, once.
    """

    def __init__(self, aws: AwsClients | None, environment: str, warn: Callable[[str], None]) -> None:
        self._aws = aws
        self._environment = environment
        self._warn = warn
        self._warned = False
        self._counts: dict[str, int] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add to a metric of `monitoring.operator_metrics.METRICS`."""
        self._counts[name] = self._counts.get(name, 0) + by

    def send(self) -> None:
        """Send the counts since the last call; what cannot be sent is retained for the next call."""
        counts = {name: count for name, count in self._counts.items() if count}
        if not counts:
            return
        try:
            if self._aws is None or (self._aws.emulated and not self._aws.is_allowed("cloudwatch")):
                self._counts.clear()
                return
            client = self._aws.client("cloudwatch")
            with aws_errors("metrics were not sent", client):
                client.put_metric_data(
                    Namespace=DISPLAY_NAME,
                    MetricData=[
                        {
                            "MetricName": name,
                            "Dimensions": [{"Name": ENVIRONMENT_DIMENSION, "Value": self._environment}],
                            "Unit": METRICS[name],
                            "Value": count,
                        }
                        for name, count in counts.items()
                    ],
                )
        except MepError as error:
            if not self._warned:
                self._warned = True
                self._warn(str(error))
        else:
            self._counts.clear()


@dataclass(frozen=True, slots=True)
class Session:
    """One command that uses a queue.

    Attributes:
        settings: The resources of the stack.
        queue: The queue, with the messages of `snapshot` in flight.
        snapshot: What was read.
        metrics: Sent when the session ends.
    """

    settings: Settings
    queue: Queue
    snapshot: QueueSnapshot
    metrics: OperatorMetrics

    def select(self, selection: Selection) -> list[DeadLetter]:
        """Return the messages that match, and release all others at once."""
        selected = selection.pick(self.snapshot.dead_letters)
        ids = {dead_letter.message_id for dead_letter in selected}
        self.queue.release(message for message in self.snapshot.dead_letters if message.message_id not in ids)
        return selected

    def audit(self, operator: str | None) -> AuditTrail:
        """Return the audit trail of an operator; see `operator_name`."""
        aws = self.settings.aws
        name = operator_name(aws, operator)
        return AuditTrail(aws.client("dynamodb"), self.settings.audit_table, name)


@contextmanager
def session(
    settings: Settings,
    *,
    visibility_timeout_s: int,
    limit: int,
    warn: Callable[[str], None],
    with_content: bool = True,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[Session]:
    """Read the queue; at the end release every message that was not deleted, and send the metrics.

    Args:
        settings: The resources of the stack.
        visibility_timeout_s: Visibility timeout of received messages in seconds.
        limit: The maximum number of messages to read.
        warn: Called with each failure that is not an error.
        with_content: Whether the messages are kept with body, event and attributes.
        on_progress: As for `Queue`.

    Raises:
        MepError: The queue cannot be used.
    """
    queue = Queue(
        settings.aws.client("sqs"),
        settings.queue_url,
        visibility_timeout_s=visibility_timeout_s,
        with_content=with_content,
        on_progress=on_progress,
    )
    metrics = OperatorMetrics(settings.aws, settings.environment, warn)
    try:
        snapshot = queue.read(limit)
        metrics.count("DeadLettersSeen", len(snapshot.dead_letters))
        yield Session(settings, queue, snapshot, metrics)
    finally:
        try:
            queue.release()
        finally:
            metrics.send()
            if queue.not_released:
                warn(
                    f"{queue.not_released} messages could not be released: "
                    f"they become visible again within {visibility_timeout_s} s"
                )


def operator_name(aws: AwsClients, option: str | None) -> str:
    """Return the operator for audit entries: the option, else the caller's ARN, else `user@host`.

    Args:
        aws: The boto3 clients.
        option: `--operator` or `MEP_OPERATOR`.
    """
    if option and option.strip():
        return option.strip()
    if aws.is_allowed("sts"):
        client = aws.client("sts")
        # The command's own calls report what is wrong with the credentials.
        with suppress(MepError), aws_errors("STS cannot be called", client):
            return str(client.get_caller_identity()["Arn"])
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
