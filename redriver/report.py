"""What a run writes to standard output: one log line, and metrics in CloudWatch's embedded metric format.

A log line needs no permission and no call, as for the function's own metrics.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handler.contract import DISPLAY_NAME
from handler.validation import format_utc
from mep.calendar.json_output import to_json
from mep.calendar.model import CheckResult
from monitoring.operator_metrics import AUTOMATIC_METRICS, METRICS
from otel.semconv import ENVIRONMENT_DIMENSION, ERROR_CATEGORY_DIMENSION
from redriver.calendar import METRICS as CALENDAR_METRICS
from redriver.policy import Kept
from redriver.redrive import RunResult, Status

_UNITS = {**METRICS, **AUTOMATIC_METRICS}
REDRIVE_LINE, CALENDAR_LINE = "auto_redrive", "calendar_check"
"""The `event_type` of the log lines."""

_LEVELS = {Status.FAILED: "ERROR", Status.UNAVAILABLE: "WARN", Status.PROBE_FAILED: "WARN", Status.STOPPED: "WARN"}


@dataclass
class Counts:
    """The counts of one run, by metric: `mep.dlq.redrive.Metrics`."""

    values: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a metric."""
        self.values[name] = self.values.get(name, 0) + by

    def send(self) -> None:
        """Do nothing: the report writes the counts."""


@dataclass(frozen=True, slots=True)
class Report:
    """Writes the lines of one run.

    Attributes:
        environment: The environment, the dimension of the metrics.
        request_id: Lambda's request ID of this run.
        version: The version of this function.
        write: Takes each line, with its end.
        now: The time of day, UTC.
    """

    environment: str
    request_id: str
    version: str
    write: Callable[[str], object] = sys.stdout.write
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def redrive(self, result: RunResult, counts: Counts, elapsed_s: float) -> None:
        """Write the lines of a redrive."""
        self._log(
            REDRIVE_LINE,
            f"automatic redrive: {result.status.value}",
            status=result.status.value,
            problem=result.problem or None,
            seen=result.seen,
            unread=result.unread,
            outcomes=dict(result.outcomes),
            kept={reason.value: count for reason, count in result.kept.items() if count},
            oldest_s={category: round(age) for category, age in result.ages.items()},
            probe=result.probe or None,
            elapsed_s=round(elapsed_s, 3),
        )
        if result.status is Status.PAUSED:
            return
        self._metrics({**counts.values, **dict(_totals(result))})
        for category, age in result.ages.items():
            self._metrics({"OldestDeadLetterAge": round(age)}, category)

    def calendar(self, result: CheckResult, elapsed_s: float) -> None:
        """Write the lines of a calendar check; the metrics of a complete one only."""
        found = to_json(result, 0)
        del found["findings"]
        complete = "complete" if result.complete else "incomplete"
        status = Status.DONE if result.complete else Status.FAILED
        self._log(
            CALENDAR_LINE, f"calendar check: {complete}", status=status.value, **found, elapsed_s=round(elapsed_s, 3)
        )
        if result.complete:
            self._metrics({CALENDAR_METRICS[kind]: count for kind, count in result.counts.items()})

    def _log(self, event_type: str, message: str, **fields: Any) -> None:
        line = {
            "timestamp": format_utc(self.now()),
            "level": _LEVELS.get(fields["status"], "INFO"),
            "event_type": event_type,
            "message": message,
            "service": f"{DISPLAY_NAME}AutoRedrive",
            "environment": self.environment,
            "function_version": self.version,
            "request_id": self.request_id,
            **fields,
        }
        self._line({name: value for name, value in line.items() if value is not None})

    def _metrics(self, values: Mapping[str, float], category: str = "") -> None:
        if not values:
            return
        dimensions = dict(self._dimensions(category))
        directive = {
            "Namespace": DISPLAY_NAME,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": _UNITS[name]} for name in values],
        }
        metadata = {"Timestamp": int(self.now().timestamp() * 1000), "CloudWatchMetrics": [directive]}
        self._line({"_aws": metadata, **dimensions, **values, "request_id": self.request_id})

    def _dimensions(self, category: str) -> Iterator[tuple[str, str]]:
        yield ENVIRONMENT_DIMENSION, self.environment
        if category:
            yield ERROR_CATEGORY_DIMENSION, category

    def _line(self, value: Mapping[str, Any]) -> None:
        self.write(json.dumps(value, ensure_ascii=False) + "\n")


def _totals(result: RunResult) -> Iterator[tuple[str, int]]:
    """Yield the metrics over all messages; zero only if every message was read, and every attempt of theirs."""
    left = result.kept[Kept.LIMIT_REACHED]
    if left or (result.unread == 0 and not result.unchecked):
        yield "DeadLettersLeft", left
    if result.ages or result.unread == 0:
        yield "OldestDeadLetterAge", round(max(result.ages.values(), default=0.0))
