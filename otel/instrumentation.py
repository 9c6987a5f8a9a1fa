"""What telemetry must be given about a function: how its names, its outcomes and the subject of its events read."""

from collections.abc import Mapping
from typing import NamedTuple

from otel import semconv


class OutcomeTelemetry(NamedTuple):
    """How one outcome shows in logs and metrics.

    Attributes:
        level: Level of the log line, as Python's `logging` counts.
        message: Text of the log line: for people, and free to change.
        metric: Name of the metric that counts events with this outcome.
    """

    level: int
    message: str
    metric: str


class Instrumentation(NamedTuple):
    """The names of one function. Its composition root hands them to the parts of this package.

    Attributes:
        namespace: CloudWatch namespace of the metrics.
        scope: Instrumentation scope of the root spans.
        subject_keys: Keys of `EventRecord.subject`, in the order of X-Ray's annotations: what an event is about.
        outcomes: Every outcome that an event can have.
        timeout: Outcome, error category and error code of an event that reaches the deadline.
        defect_category: Error category of an event whose processing raises; its outcome is that of a timeout.
        event_faults: Error categories where the event is at fault, not the function. Application Signals does not count
            them as faults of the function.
    """

    namespace: str
    scope: str
    subject_keys: tuple[str, ...]
    outcomes: Mapping[str, OutcomeTelemetry]
    timeout: tuple[str, str, str]
    defect_category: str = "internal"
    event_faults: frozenset[str] = frozenset()

    @property
    def metrics(self) -> dict[str, str]:
        """Name and CloudWatch unit of every metric."""
        own = {outcome.metric: "Count" for outcome in self.outcomes.values()}
        return {"EventsReceived": "Count", **own, **semconv.METRICS}

    @property
    def log_fields(self) -> frozenset[str]:
        """All fields that a log line may carry."""
        return semconv.LOG_FIELDS.union(self.subject_keys)

    @property
    def annotations(self) -> tuple[str, ...]:
        """Span attributes that X-Ray indexes."""
        return (semconv.CORRELATION_ID, *self.subject_keys, *semconv.RESULT_ANNOTATIONS)
