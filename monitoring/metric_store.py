"""Data points by metric, and their statistics by period."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Series = list[float | None]
"""Values of consecutive periods, the newest last; None where a period has no data."""

Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Points:
    """Of one metric, by time."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)

    def add(self, at: float, value: float, arrived: float) -> None:
        disposition = bisect_right(self.times, at)
        self.times.insert(disposition, at)
        self.values.insert(disposition, value)
        self.arrivals.insert(disposition, arrived)

    def between(self, start: float, end: float, seen_at: float) -> list[float]:
        inside = range(bisect_left(self.times, start), bisect_left(self.times, end))
        return [self.values[disposition] for disposition in inside if self.arrivals[disposition] <= seen_at]


@dataclass(frozen=True, slots=True)
class Grid:
    """Consecutive periods that end together.

    Attributes:
        end: seconds since the epoch, where the newest period ends (it does not contain this moment).
        period: seconds.
        count: how many.
        seen_at: what arrived later is not there yet.
    """

    end: float
    period: float
    count: int
    seen_at: float = math.inf


@dataclass
class MetricStore:
    """All data points that were put."""

    _points: dict[Key, _Points] = field(default_factory=dict)

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Iterable[float],
        *,
        at: float,
        arrived: float | None = None,
    ) -> None:
        """Add data points.

        Args:
            namespace: of the metric.
            name: of the metric.
            dimensions: of the metric; a metric with other dimensions is another one.
            values: what was measured.
            at: seconds since the epoch.
            arrived: when CloudWatch had it; None for at once.
        """
        points = self._points.setdefault((namespace, name, tuple(sorted(dimensions.items()))), _Points())
        for value in values:
            points.add(at, float(value), at if arrived is None else arrived)

    def put_emf(self, document: Mapping[str, Any], *, at: float | None = None, arrived: float | None = None) -> None:
        """Add what an EMF document says.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

        Args:
            document: one line, parsed.
            at: another time than its own, seconds since the epoch.
            arrived: as for `put`.
        """
        moment = document["_aws"]["Timestamp"] / 1000 if at is None else at
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for dimension_set in directive["Dimensions"]:
                dimensions = {name: str(document[name]) for name in dimension_set}
                for metric in directive["Metrics"]:
                    found = document[metric["Name"]]
                    values = found if isinstance(found, list) else [found]
                    self.put(directive["Namespace"], metric["Name"], dimensions, values, at=moment, arrived=arrived)

    def put_platform(
        self,
        point: Mapping[str, Any],
        *,
        dimensions: Mapping[str, str] | None = None,
        between: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        """Add a minute of a metric that the platform counts, as `platform.jsonl` has it.

        Args:
            point: `emulator.pipeline.platform_metrics.DataPoint` as JSON: a statistic set.
            dimensions: other ones than its own.
            between: bounds of its time, seconds since the epoch.
        """
        values, number = [point["minimum"], point["maximum"]], point["sample_count"]
        if number == 1:
            values = [point["sum"]]
        elif number > len(values):
            others = number - len(values)
            values += [(point["sum"] - point["minimum"] - point["maximum"]) / others] * others
        at = min(max(datetime.fromisoformat(point["timestamp"]).timestamp(), between[0]), between[1])
        self.put(point["namespace"], point["metric"], dimensions or point["dimensions"], values, at=at)

    def metrics(self) -> list[Key]:
        """Every metric there is: namespace, name, dimensions."""
        return list(self._points)

    def span(self) -> tuple[float, float] | None:
        """Times of the first and of the last point; None without any."""
        ends = [at for points in self._points.values() for at in (points.times[0], points.times[-1])]
        return (min(ends), max(ends)) if ends else None

    def series(self, key: Key, statistic: str, grid: Grid) -> Series:
        """A statistic by period."""
        points = self._points.get(key, _Points())
        start = grid.end - grid.count * grid.period
        found: Series = []
        for number in range(grid.count):
            left = start + number * grid.period
            values = points.between(left, left + grid.period, grid.seen_at)
            found.append(statistic_of(values, statistic) if values else None)
        return found


def statistic_of(values: Sequence[float], statistic: str) -> float:
    """One of CloudWatch's statistics of some values, at least one.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    match statistic:
        case "Sum":
            return math.fsum(values)
        case "Average":
            return math.fsum(values) / len(values)
        case "Maximum":
            return max(values)
        case "Minimum":
            return min(values)
        case "SampleCount":
            return float(len(values))
    if statistic.startswith("p"):
        # The nearest rank: CloudWatch estimates, and does not say how.
        ordered = sorted(values)
        return ordered[max(0, math.ceil(float(statistic[1:]) / 100 * len(ordered)) - 1)]
    raise ValueError(f"statistic {statistic!r} is not known here")
