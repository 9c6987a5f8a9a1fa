"""The platform's own metrics as CloudWatch would have them: one data point a minute for each."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

type Namespace = Literal["AWS/Lambda", "AWS/Events"]
type Unit = Literal["Count", "Milliseconds"]

_PERIOD_S = 60


@dataclass(frozen=True, slots=True)
class DataPoint:
    """What CloudWatch keeps of a metric for one minute.

    Attributes:
        timestamp: The minute's beginning, ISO 8601 in UTC.
        namespace: CloudWatch's namespace.
        metric: The metric's name.
        dimensions: Its dimensions.
        unit: Its unit.
        sum: Of the values.
        sample_count: How many there were.
        minimum: The smallest.
        maximum: The greatest.
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
        """Return it as JSON would have it."""
        return asdict(self)


class PlatformMetrics:
    """Adds up what happens, and gives a minute's data points to a sink when the minute is over.

    Memory does not grow with time: a minute's sums, and the totals since the start.

    Attributes:
        totals: The sum of each metric since the start, by namespace and name; 0 is not there.

    Args:
        now: Unix time in seconds.
        sink: Called with each data point; None for totals only.
        dimensions: By namespace.
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
        """Return a metric's sum since the start."""
        return self.totals.get((namespace, name), 0)

    def flush(self) -> None:
        """Give what has been added since the last minute to the sink."""
        timestamp = datetime.fromtimestamp(self._minute * _PERIOD_S, UTC).isoformat().replace("+00:00", "Z")
        for (namespace, name, unit), (total, number, low, high) in self._sums.items():
            assert self._sink is not None  # noqa: S101 - else there are no sums
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


def rule_dimensions(rule_arn: str) -> dict[str, str]:
    """Return the dimensions of a rule's metrics: of one on a bus of one's own, the bus's name, too.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    _, *bus, rule = rule_arn.split("/")
    return {**({"EventBusName": bus[0]} if bus else {}), "RuleName": rule}
