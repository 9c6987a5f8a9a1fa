"""Metrics as CloudWatch Embedded Metric Format: one log line an event, no call to any service.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from collections import deque
from threading import Lock
from typing import Any

from otel import semconv
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.stdout import Writer, encode

MAX_VALUES = 100
"""EMF's limit for the values of one metric in one document."""

MAX_PENDING_LINES = 200
"""How many lines wait at most for an output that works again; the oldest go first."""

_BY_OUTCOME = {
    "marked": "EventsMarked",
    "duplicate": "EventsDuplicate",
    "dead_lettered": "EventsDeadLettered",
    "retry": "EventsRetried",
}


class Metrics:
    """Turns the record of an event into one EMF line; keeps what could not be written for the next event."""

    def __init__(self, write: Writer, settings: TelemetrySettings, init_duration_ms: float) -> None:
        self._write = write
        self._environment = settings.environment
        self._memory_mb = settings.memory_mb
        self._init_duration_ms = init_duration_ms
        self._pending: deque[bytes] = deque(maxlen=MAX_PENDING_LINES)
        self._failures = 0
        self._lock = Lock()  # the watchdog may still be reporting the last event while the next one ends

    @property
    def pending(self) -> int:
        """Lines that wait for the next event."""
        return len(self._pending)

    def emit(self, record: EventRecord, *, processing_ms: float, memory_used_mb: float) -> bool:
        """Write the event's metrics, after what earlier events had to keep.

        Returns:
            False when that failed, for whatever reason; nothing is lost then, up to `MAX_PENDING_LINES`. Never raises.
        """
        with self._lock:
            try:
                self._pending.append(self._line(record, processing_ms, memory_used_mb))
                self._failures = 0  # told by this line from now on, which is written or kept
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
        line = self._document(values, record)
        if b"null" in line:  # not a number or infinite: CloudWatch would refuse the whole document
            line = self._document(_finite(values), record)
        return line

    def _values(self, record: EventRecord, processing_ms: float, memory_used_mb: float) -> dict[str, Any]:
        counts = {
            "EventsReceived": 1,
            _BY_OUTCOME[record.outcome or "retry"]: 1,
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
        directives = [_directive([semconv.ENVIRONMENT_DIMENSION], list(values))]
        members: dict[str, Any] = {semconv.ENVIRONMENT_DIMENSION: self._environment}
        if record.error_category is not None:
            directives.append(_directive([semconv.ENVIRONMENT_DIMENSION, semconv.ERROR_CATEGORY_DIMENSION], ["Errors"]))
            members[semconv.ERROR_CATEGORY_DIMENSION] = record.error_category
        return encode(
            {
                "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": directives},
                **members,
                # Properties, not dimensions: from a spike on a graph to the events behind it.
                "correlation_id": record.correlation_id,
                "request_id": record.request_id,
                **values,
            },
            0,
        )


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Metrics without what is no number; those of which nothing is left, left out."""
    import math

    lists = {
        name: [figure for figure in (value if isinstance(value, list) else [value]) if math.isfinite(figure)]
        for name, value in values.items()
    }
    return {name: lists[name] if isinstance(value, list) else value for name, value in values.items() if lists[name]}


def _directive(dimensions: list[str], metrics: list[str]) -> dict[str, Any]:
    return {
        "Namespace": semconv.NAMESPACE,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": semconv.METRICS[name]} for name in metrics],
    }
