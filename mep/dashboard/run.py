"""The metrics of a `mep local` run, evaluated as the dashboard defines them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mep.errors import UsageError
from monitoring.cost import MEMORY
from monitoring.metric_math import evaluate
from monitoring.metric_store import Grid, Key, MetricStore, Series
from monitoring.model import Line, Metric
from otel import semconv

PERIODS = 60
"""Number of periods of a run, which is much shorter than the hours that a dashboard shows."""


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """The metrics of a run.

    Attributes:
        store: The data points.
        keys: The store's keys by namespace, name and category; a run has its own function name and environment.
        grid: The periods of the run.
        memory_mb: The function's memory size in MB.
    """

    store: MetricStore
    keys: Mapping[tuple[str, str, str | None], Key]
    grid: Grid
    memory_mb: int

    def values(self, line: Line, grid: Grid | None = None) -> Series:
        """Return the values of a widget's line.

        Args:
            line: The line.
            grid: The periods; those of the run if None.
        """
        series = {name: self._series(metric, grid or self.grid) for name, metric in line.metrics.items()}
        if line.expression:
            return evaluate(line.expression.replace(MEMORY, str(self.memory_mb)), series)
        (only,) = series.values()
        return only

    def total(self, line: Line) -> float | None:
        """Return the value of a line over the whole run."""
        whole = Grid(self.grid.end, self.grid.period * self.grid.count, 1)
        return self.values(line, whole)[0]

    def _series(self, metric: Metric, grid: Grid) -> Series:
        key = self.keys.get((metric.source.value, metric.name, metric.category))
        return [None] * grid.count if key is None else self.store.series(key, metric.statistic, grid)


def read_run(directory: Path, memory_mb: int) -> RunMetrics:
    """Read the metrics of a run.

    Args:
        directory: The run's `--out`.
        memory_mb: The function's memory size in MB.

    Raises:
        UsageError: The directory is not one of a run, or the run had no event.
    """
    store = MetricStore()
    for document in _lines(directory / "metrics.jsonl"):
        store.put_emf(document)
    span = store.span()
    if span is None:
        raise UsageError(f"{directory / 'metrics.jsonl'} is empty: the run had no event")
    start, end = span
    if (directory / "platform.jsonl").is_file():
        for point in _lines(directory / "platform.jsonl"):
            # These have the time of their minute: clip them to the run, which may be shorter.
            store.put_platform(point, between=(start, end))
    period = max((end - start) / (PERIODS - 1), 0.001)
    keys = {
        (namespace, name, dict(dimensions).get(semconv.ERROR_CATEGORY_DIMENSION)): (namespace, name, dimensions)
        for namespace, name, dimensions in store.metrics()
    }
    return RunMetrics(store, keys, Grid(start + period * PERIODS, period, PERIODS), memory_mb)


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; use the --out of a `mep local` run") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield orjson.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON") from error
