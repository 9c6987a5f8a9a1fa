"""The metrics of a `mep local` run, by the dashboard's own definitions."""

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

BUCKETS = 60
"""Periods that a run is divided into: it is much shorter than the hours that a dashboard shows."""


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """All metrics of a run.

    Attributes:
        store: the data points.
        keys: the store's keys by namespace, name and category: names and environments of a run are its own.
        grid: the periods that the run is divided into.
        memory_mb: the function's memory.
    """

    store: MetricStore
    keys: Mapping[tuple[str, str, str | None], Key]
    grid: Grid
    memory_mb: int

    def values(self, line: Line, grid: Grid | None = None) -> Series:
        """Values of one line of a widget.

        Args:
            line: it.
            grid: other periods than the run's.
        """
        series = {name: self._series(metric, grid or self.grid) for name, metric in line.metrics.items()}
        if line.expression:
            return evaluate(line.expression.replace(MEMORY, str(self.memory_mb)), series)
        (only,) = series.values()
        return only

    def total(self, line: Line) -> float | None:
        """The value of a line over the whole run."""
        whole = Grid(self.grid.end, self.grid.period * self.grid.count, 1)
        return self.values(line, whole)[0]

    def _series(self, metric: Metric, grid: Grid) -> Series:
        key = self.keys.get((metric.source.value, metric.name, metric.category))
        return [None] * grid.count if key is None else self.store.series(key, metric.statistic, grid)


def read_run(directory: Path, memory_mb: int) -> RunMetrics:
    """Read what a run has left.

    Args:
        directory: the run's `--out`.
        memory_mb: what the function had.

    Raises:
        UsageError: it is not a run's, or the run had no event.
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
            # Counted by the minute: a run that is shorter would lie beside its own points.
            store.put_platform(point, between=(start, end))
    period = max((end - start) / (BUCKETS - 1), 0.001)
    keys = {
        (namespace, name, dict(found).get(semconv.ERROR_CATEGORY_DIMENSION)): (namespace, name, found)
        for namespace, name, found in store.metrics()
    }
    return RunMetrics(store, keys, Grid(start + period * BUCKETS, period, BUCKETS), memory_mb)


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; --run names the --out of a `mep local` run") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield orjson.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON") from error
