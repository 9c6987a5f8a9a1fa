"""The metrics of a `mep local` run, evaluated as the dashboard and the alarms define them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mep.errors import UsageError
from monitoring.alarm_states import Rules, State, composite_state, decide
from monitoring.alarms import alarms, composites
from monitoring.cost import MEMORY
from monitoring.metric_math import evaluate
from monitoring.metric_store import Grid, Key, MetricStore, Series
from monitoring.model import MINUTE, Alarm, Limits, Line, Metric, Widget
from otel import semconv

_EXTRA_PERIODS = 2
"""Periods beyond the evaluation periods that CloudWatch looks at for missing data."""


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """The metrics of a run.

    Attributes:
        store: The data points.
        keys: The store's keys by namespace, name and category; a run has its own function name and environment.
        start: The time of the first data point, in seconds since the epoch.
        end: The end of the run (exclusive), in seconds since the epoch.
        limits: The function's timeout and memory size.
    """

    store: MetricStore
    keys: Mapping[tuple[str, str, str | None], Key]
    start: float
    end: float
    limits: Limits

    def values(self, line: Line, widget: Widget) -> Series:
        """Return the values of a widget's line in the periods that the deployed widget has.

        The newest period ends with the run. A run that is shorter than a period is one period: the number of its
        events in a shorter one would be below the minimum counts of the alarms.
        """
        count = max(1, math.ceil((self.end - self.start) / widget.period))
        return self._values(line.metrics, line.expression, Grid(self.end, widget.period, count))

    def total(self, line: Line) -> float | None:
        """Return the value of a line over the whole run."""
        return self._values(line.metrics, line.expression, Grid(self.end, self.end - self.start, 1))[0]

    def alarm_states(self) -> dict[str, State]:
        """Return the state of each alarm by name, evaluated every minute: ALARM if it was in ALARM at any time."""
        minutes = range(1, math.ceil((self.end - self.start) / MINUTE))
        moments = [*(self.start + minute * MINUTE for minute in minutes), self.end]
        definitions, parents = alarms(self.limits), composites(with_log_alarm=False)  # a preview reads metrics
        worst = {alarm.name: State.OK for alarm in definitions} | {alarm.name: State.OK for alarm in parents}
        for moment in moments:
            states = {alarm.name: self._state(alarm, moment) for alarm in definitions}
            for composite in parents:
                states[composite.name] = composite_state(composite, states)
            worst |= {name: state for name, state in states.items() if state is State.ALARM}
        return worst

    def _state(self, alarm: Alarm, moment: float) -> State:
        grid = Grid(moment, alarm.period, alarm.within + _EXTRA_PERIODS)
        values = self._values(alarm.metrics, alarm.expression, grid)
        points = [None if value is None else value > alarm.threshold for value in values]
        return decide(points, Rules(alarm.breaching, alarm.within, alarm.missing), State.OK)

    def _values(self, metrics: Mapping[str, Metric], expression: str, grid: Grid) -> Series:
        series = {name: self._series(metric, grid) for name, metric in metrics.items()}
        if expression:
            return evaluate(expression.replace(MEMORY, str(self.limits.memory_mb)), series)
        (only,) = series.values()
        return only

    def _series(self, metric: Metric, grid: Grid) -> Series:
        # A run has no second resource of a source.
        key = None if metric.part else self.keys.get((metric.source.value, metric.name, metric.category))
        return [None] * grid.count if key is None else self.store.series(key, metric.statistic, grid)


def read_run(directory: Path, limits: Limits) -> RunMetrics:
    """Read the metrics of a run.

    Args:
        directory: The run's `--out`.
        limits: The function's timeout and memory size.

    Raises:
        UsageError: The directory is not one of a run, or the run had no event.
    """
    store = MetricStore()
    for document in _lines(directory / "metrics.jsonl"):
        store.put_emf(document)
    points = list(_lines(directory / "platform.jsonl")) if (directory / "platform.jsonl").is_file() else []
    minutes = [datetime.fromisoformat(point["timestamp"]).timestamp() for point in points]
    span = store.span() or (min(minutes, default=None), None)
    if span[0] is None:
        raise UsageError(f"{directory / 'metrics.jsonl'} is empty: the run had no event")
    # The platform's data points have the time of their minute, which begins before the run.
    start = span[0] if not minutes or span[0] < min(minutes) + MINUTE else min(minutes)
    for point in points:
        store.put_platform(point, between=(start, math.inf))
    _, end = store.span() or (start, start)
    keys = {
        (namespace, name, dict(dimensions).get(semconv.ERROR_CATEGORY_DIMENSION)): (namespace, name, dimensions)
        for namespace, name, dimensions in store.metrics()
    }
    return RunMetrics(store, keys, start, end + 0.001, limits)


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
