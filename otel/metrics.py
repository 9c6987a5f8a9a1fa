"""Metrics in CloudWatch's embedded metric format (EMF): one log line per event, no call to any service.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from collections import deque
from threading import Lock
from typing import Any

from otel import semconv
from otel.instrumentation import Instrumentation
from otel.json_logs import INFO, level_name
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.stdout import Writer, encode

MAX_VALUES = 100
"""EMF's limit for the values of one metric in one document."""

MAX_PENDING_LINES = 200
"""Limit on lines that could not be written yet; the oldest are dropped first."""


class Metrics:
    """Writes one EMF line per event; a line that could not be written is retained for the next event.

    Args:
        write: Takes whole lines.
        init_duration_ms: Reported with the first event of the sandbox.
    """

    def __init__(
        self, write: Writer, settings: TelemetrySettings, instrumentation: Instrumentation, init_duration_ms: float
    ) -> None:
        self._write = write
        self._namespace = instrumentation.namespace
        self._units = instrumentation.metrics
        self._outcome_metrics = {name: outcome.metric for name, outcome in instrumentation.outcomes.items()}
        self._unfinished = instrumentation.timeout[0]
        self._environment = settings.environment
        self._version = settings.function_version
        # Lambda's log filter takes a line without a level for INFO, and would drop it.
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
        self._level = {"level": level_name(settings.log_level)} if settings.log_level > INFO else {}
        self._memory_mb = settings.memory_mb
        self._init_duration_ms = init_duration_ms
        self._pending: deque[bytes] = deque(maxlen=MAX_PENDING_LINES)
        self._failures = 0
        self._spans_lost = 0
        self._lock = Lock()  # the watchdog may still be reporting the last event while the next one ends

    @property
    def pending(self) -> int:
        """Number of lines that are retained for the next event."""
        return len(self._pending)

    def set_init_duration(self, milliseconds: float) -> None:
        """Set what the first event of the sandbox reports."""
        self._init_duration_ms = milliseconds

    def add_lost_spans(self, count: int) -> None:
        """Count spans that the exporter could not deliver; the next line reports them."""
        with self._lock:
            self._spans_lost += count

    def emit(self, record: EventRecord, *, processing_ms: float, memory_used_mb: float) -> bool:
        """Write the event's metrics, after the lines that are pending.

        Returns:
            False if that failed, for whatever reason: up to `MAX_PENDING_LINES` lines are then retained. Never raises.
        """
        with self._lock:
            try:
                self._pending.append(self._line(record, processing_ms, memory_used_mb))
                self._failures = self._spans_lost = 0  # this line reports them
                while self._pending:
                    self._write(self._pending[0])
                    self._pending.popleft()
            except Exception:  # noqa: BLE001 - the event is over, and must not be processed again for its metrics
                self._failures += 1
                return False
        return True

    def _line(self, record: EventRecord, processing_ms: float, memory_used_mb: float) -> bytes:
        values = self._values(record, processing_ms, memory_used_mb)
        if self._failures:
            values["MetricsFailures"] = self._failures
        if self._spans_lost:
            values["SpansLost"] = self._spans_lost
        line = self._document(values, record)
        if b"null" in line:  # NaN or infinity: CloudWatch would reject the whole document
            line = self._document(_finite(values), record)
        return line

    def _values(self, record: EventRecord, processing_ms: float, memory_used_mb: float) -> dict[str, Any]:
        counts = {
            "EventsReceived": 1,
            self._outcome_metrics[record.outcome or self._unfinished]: 1,
            "IdempotencyViolations": record.same_event is False,
            "Errors": record.error_category is not None,
            "SecurityErrors": record.access_denied_by is not None,
            "Operations": record.operations,
            "Retries": record.retries,
            "RetrySuccesses": record.retry_successes,
            "ColdStarts": record.cold_start,
            "CorrelationIdsReplaced": record.correlation_replaced,
        }
        values: dict[str, Any] = {name: int(count) for name, count in counts.items() if count}
        values["ProcessingTime"] = round(processing_ms, 3)
        values["MemoryUsed"] = round(memory_used_mb, 1)
        values["MemoryUtilization"] = round(100 * memory_used_mb / self._memory_mb, 1)
        if record.latencies_ms:
            values["DynamoDBLatency"] = record.latencies_ms[:MAX_VALUES]
        if record.delays_ms:
            values["RetryDelay"] = record.delays_ms[:MAX_VALUES]
        if record.cold_start:
            values["InitDuration"] = round(self._init_duration_ms, 3)
        return values

    def _document(self, values: dict[str, Any], record: EventRecord) -> bytes:
        directives = [self._directive([semconv.ENVIRONMENT_DIMENSION], list(values))]
        members: dict[str, Any] = {semconv.ENVIRONMENT_DIMENSION: self._environment}
        if record.error_category is not None:
            dimensions = [semconv.ENVIRONMENT_DIMENSION, semconv.ERROR_CATEGORY_DIMENSION]
            directives.append(self._directive(dimensions, ["Errors"]))
            members[semconv.ERROR_CATEGORY_DIMENSION] = record.error_category
        return encode(
            {
                "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": directives},
                **self._level,
                **members,
                # Properties, not dimensions: they lead from a spike in a graph to its events.
                "correlation_id": record.correlation_id,
                "request_id": record.request_id,
                semconv.FUNCTION_VERSION: self._version,
                **values,
            },
            0,
        )

    def _directive(self, dimensions: list[str], metrics: list[str]) -> dict[str, Any]:
        return {
            "Namespace": self._namespace,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": name, "Unit": self._units[name]} for name in metrics],
        }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics that have finite values, with these values only."""
    import math

    lists = {
        name: [figure for figure in (value if isinstance(value, list) else [value]) if math.isfinite(figure)]
        for name, value in values.items()
    }
    return {name: lists[name] if isinstance(value, list) else value for name, value in values.items() if lists[name]}
