"""The platform's own metrics as CloudWatch has them: one data point per metric and minute."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from handler.validation import format_utc

type Namespace = Literal["AWS/Lambda", "AWS/Events", "AWS/SQS"]
type Unit = Literal["Count", "Milliseconds"]

_PERIOD_S = 60


@dataclass(frozen=True, slots=True)
class DataPoint:
    """A metric's data point for one minute.

    Attributes:
        timestamp: The start of the minute, ISO 8601 in UTC.
        sum: The sum of the values in the minute.
        sample_count: The number of values.
    """

    timestamp: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    unit: str
    sum: float
    sample_count: int
    minimum: float
    maximum: float

    def as_dict(self) -> dict[str, Any]:
        """Return the data point as a JSON object."""
        return asdict(self)


class PlatformMetrics:
    """Aggregates metrics and passes a minute's data points to a sink when the minute is over.

    Memory is constant: the sums of one minute, and the totals since the start.

    Args:
        now: Returns Unix time in seconds.
        sink: Called with each data point; None for totals only.
        dimensions: The dimensions by namespace.

    Attributes:
        totals: The sum of each metric since the start, by namespace and name; without metrics that are 0.
    """

    def __init__(
        self,
        now: Callable[[], float],
        sink: Callable[[DataPoint], None] | None,
        dimensions: Mapping[Namespace, Mapping[str, str]],
    ) -> None:
        self._now = now
        self._sink = sink
        self._dimensions = dimensions
        self._minute = 0
        self._sums: dict[tuple[Namespace, str, Unit], list[float]] = {}
        self.totals: dict[tuple[Namespace, str], float] = {}

    def add(self, namespace: Namespace, name: str, value: float = 1, unit: Unit = "Count") -> None:
        """Add one value."""
        self.totals[namespace, name] = self.totals.get((namespace, name), 0) + value
        if self._sink is None:
            return
        minute = int(self._now() // _PERIOD_S)
        if minute != self._minute:
            self.flush()
            self._minute = minute
        sums = self._sums.get((namespace, name, unit))
        if sums is None:
            self._sums[namespace, name, unit] = [value, 1, value, value]
            return
        sums[0] += value
        sums[1] += 1
        sums[2] = min(sums[2], value)
        sums[3] = max(sums[3], value)

    def total(self, namespace: Namespace, name: str) -> float:
        """Return the sum of a metric since the start."""
        return self.totals.get((namespace, name), 0)

    def flush(self) -> None:
        """Pass the data points of the current minute to the sink."""
        if self._sink is None:
            return
        timestamp = format_utc(datetime.fromtimestamp(self._minute * _PERIOD_S, UTC), "seconds")
        for (namespace, name, unit), (total, number, low, high) in self._sums.items():
            self._sink(
                DataPoint(
                    timestamp,
                    namespace,
                    name,
                    self._dimensions[namespace],
                    unit,
                    sum=total,
                    sample_count=int(number),
                    minimum=low,
                    maximum=high,
                )
            )
        self._sums.clear()


def queue_data_points(queue_url: str, *, sent: int, visible: int, now: float) -> list[DataPoint]:
    """Return the data points of a dead-letter queue after a run.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html

    Args:
        queue_url: The URL of the queue, which ends with its name.
        sent: Messages that the queue accepted.
        visible: Messages that are in the queue.
        now: Unix time in seconds.
    """
    timestamp = format_utc(datetime.fromtimestamp(now // _PERIOD_S * _PERIOD_S, UTC), "seconds")
    dimensions = {"QueueName": queue_url.rpartition("/")[2]}
    counts = {"NumberOfMessagesSent": sent, "ApproximateNumberOfMessagesVisible": visible}
    return [
        DataPoint(timestamp, "AWS/SQS", name, dimensions, "Count", count, 1, count, count)
        for name, count in counts.items()
    ]


def rule_dimensions(rule_arn: str) -> dict[str, str]:
    """Return the dimensions of a rule's metrics, with the name of a custom bus.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    _, *bus, rule = rule_arn.split("/")
    return {**({"EventBusName": bus[0]} if bus else {}), "RuleName": rule}
