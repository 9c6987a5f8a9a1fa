"""An in-memory store of metric data points, with CloudWatch's statistics by period."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Series = list[float | None]
"""Values of consecutive periods, the newest last. None is a period without data."""

Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Points:
    """The data points of one metric, in order of time.

    Attributes:
        in_order: Whether they arrived in that order, too.
    """

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    in_order: bool = True

    def add(self, at: float, value: float, arrived: float) -> None:
        index = bisect_right(self.times, at)
        self.times.insert(index, at)
        self.values.insert(index, value)
        self.arrivals.insert(index, arrived)
        around = self.arrivals[max(0, index - 1) : index + 2]
        self.in_order = self.in_order and around == sorted(around)

    def none_between(self, start: float, end: float) -> bool:
        return bisect_left(self.times, start) == bisect_left(self.times, end)

    def between(self, start: float, end: float, as_of: float) -> list[float]:
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        if self.in_order:
            return self.values[first : min(last, bisect_right(self.arrivals, as_of))]
        return [self.values[index] for index in range(first, last) if self.arrivals[index] <= as_of]


@dataclass(frozen=True, slots=True)
class Grid:
    """Consecutive periods that end together.

    Attributes:
        end: Where the newest period ends (exclusive), in seconds since the epoch.
        period: Seconds.
        count: The number of periods.
        as_of: Points that arrived later are left out, in seconds since the epoch.
    """

    end: float
    period: float
    count: int
    as_of: float = math.inf


@dataclass
class MetricStore:
    """A store of data points."""

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
            namespace: The metric's namespace.
            name: The metric's name.
            dimensions: Part of the metric's identity.
            values: One data point each.
            at: Seconds since the epoch.
            arrived: When CloudWatch received them; None if at once.
        """
        points = self._points.setdefault((namespace, name, tuple(sorted(dimensions.items()))), _Points())
        for value in values:
            points.add(at, float(value), at if arrived is None else arrived)

    def put_emf(self, document: Mapping[str, Any], *, at: float | None = None, arrived: float | None = None) -> None:
        """Add the metrics of an EMF document.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

        Args:
            document: A parsed log line.
            at: Overrides the document's timestamp, in seconds since the epoch.
            arrived: As for `put`.
        """
        moment = document["_aws"]["Timestamp"] / 1000 if at is None else at
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for dimension_set in directive["Dimensions"]:
                dimensions = {name: str(document[name]) for name in dimension_set}
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    self.put(directive["Namespace"], metric["Name"], dimensions, values, at=moment, arrived=arrived)

    def put_platform(
        self,
        point: Mapping[str, Any],
        *,
        dimensions: Mapping[str, str] | None = None,
        between: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        """Add one minute of a metric that the platform counts, as in `platform.jsonl`.

        Args:
            point: A statistic set: `emulator.pipeline.platform_metrics.DataPoint` as JSON.
            dimensions: Override those of the point.
            between: Limits of its timestamp, in seconds since the epoch.
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
        """Return the namespace, name and dimensions of every metric."""
        return list(self._points)

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and of the last point; None if the store is empty."""
        ends = [at for points in self._points.values() for at in (points.times[0], points.times[-1])]
        return (min(ends), max(ends)) if ends else None

    def series(self, key: Key, statistic: str, grid: Grid) -> Series:
        """Return a statistic by period."""
        points = self._points.get(key)
        start = grid.end - grid.count * grid.period
        if points is None or points.none_between(start, grid.end):
            return [None] * grid.count
        series: Series = []
        for number in range(grid.count):
            left = start + number * grid.period
            values = points.between(left, left + grid.period, grid.as_of)
            series.append(statistic_of(values, statistic) if values else None)
        return series


def statistic_of(values: Sequence[float], statistic: str) -> float:
    """Return one of CloudWatch's statistics of one or more values.

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
        # The nearest rank. CloudWatch estimates percentiles and does not document how.
        ordered = sorted(values)
        return ordered[max(0, math.ceil(float(statistic[1:]) / 100 * len(ordered)) - 1)]
    raise ValueError(f"statistic {statistic!r} is not supported")
