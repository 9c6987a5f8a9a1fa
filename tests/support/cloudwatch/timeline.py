"""Metrics in simulated time: when they were measured, when they arrived, and the states of alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitoring.alarm_states import State
from monitoring.metric_store import MetricStore
from tests.support.cloudwatch.alarms import Line, MetricAlarm, Reading

START = 1_785_000_000 // 3600 * 3600
"""The start of the timeline, seconds since the epoch."""


@dataclass
class Timeline:
    """Metrics by the minute since `START`.

    Attributes:
        dimensions: Of each of the platform's namespaces, and of its other resources: `NAMESPACE RESOURCE`.
        store: Where they end up.
        lines: Log lines, each with the seconds since the epoch at which it was found.
        late: Minutes that EMF documents take to arrive from now on: they come through the log.
    """

    dimensions: Mapping[str, Mapping[str, str]]
    store: MetricStore = field(default_factory=MetricStore)
    lines: list[tuple[float, Line]] = field(default_factory=list)
    late: float = 0

    def add_documents(self, documents: Iterable[Mapping[str, Any]], minute: float) -> None:
        """The function wrote these EMF documents."""
        at = START + minute * 60
        for document in documents:
            self.store.put_emf(document, at=at, arrived=at + self.late * 60)

    def add_lines(self, lines: Iterable[Line], minute: float) -> None:
        """The function wrote these log lines."""
        self.lines += [(START + (minute + self.late) * 60, line) for line in lines]

    def platform(self, namespace: str, name: str, value: float, minute: float) -> None:
        """A service counted this."""
        key, at = namespace.partition(" ")[0], START + minute * 60
        self.store.put(key, name, self.dimensions[namespace], [value], at=at)

    def states(self, alarm: Mapping[str, Any], minutes: Iterable[int], reading: Reading | None = None) -> list[State]:
        """What state an alarm of a template has at these minutes."""
        evaluated = MetricAlarm(alarm, reading)
        return [evaluated.evaluate(self.store, START + minute * 60) for minute in minutes]
