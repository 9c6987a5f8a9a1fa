"""Every name that telemetry uses: dashboards, alarms, queries, runbooks and other teams rely on them.

One source, so that what is emitted and what is documented cannot drift apart.
"""

from collections.abc import Mapping

NAMESPACE = "MarkEarningsProcessed"

METRICS: Mapping[str, str] = {
    "EventsReceived": "Count",
    "EventsMarked": "Count",
    "EventsDuplicate": "Count",
    "EventsDeadLettered": "Count",
    "EventsRetried": "Count",
    "IdempotencyViolations": "Count",  # a second, different event for a row that is processed already
    "Errors": "Count",  # events that ended dead-lettered or raised; the only metric with the category dimension too
    "SecurityErrors": "Count",
    "Operations": "Count",  # DynamoDB writes asked for, whatever number of attempts each took
    "Retries": "Count",
    "RetrySuccesses": "Count",
    "RetryDelay": "Milliseconds",
    "ProcessingTime": "Milliseconds",
    "DynamoDBLatency": "Milliseconds",
    "MemoryUsed": "Megabytes",
    "MemoryUtilization": "Percent",
    "ColdStarts": "Count",
    "InitDuration": "Milliseconds",
    "MetricsFailures": "Count",
    "CorrelationIdsReplaced": "Count",
}
"""Metric name to CloudWatch unit."""

ENVIRONMENT_DIMENSION = "Environment"
ERROR_CATEGORY_DIMENSION = "ErrorCategory"

CORRELATION_ID = "correlation_id"
ASSET_SYMBOL = "asset_symbol"
EARNINGS_DATE = "earnings_date"
OUTCOME = "outcome"
ERROR_CATEGORY_ATTRIBUTE = "error_category"

ANNOTATIONS = (CORRELATION_ID, ASSET_SYMBOL, EARNINGS_DATE, OUTCOME, ERROR_CATEGORY_ATTRIBUTE)
"""Span attributes that X-Ray must index; `aws.xray.annotations` on each span names those it has."""

MESSAGE_ID = "messaging.message.id"
"""Span attribute of the botocore instrumentation: the ID that SQS gave to a message."""

XRAY_ANNOTATIONS = "aws.xray.annotations"

RETRY_EVENT = "retry.backoff"
"""Span event for each wait, with `attempt`, `delay_ms` and `error_category`, and `throttling_reasons` where known."""

THROTTLING_REASONS = "throttling_reasons"
"""Field of log lines and of `RETRY_EVENT`: why DynamoDB throttled, each reason as `REASON RESOURCE`."""

DYNAMODB_THROTTLING_REASONS = "aws.dynamodb.throttling_reasons"
"""The same as span attribute: on the call, and on the root span for all of the event's calls."""

LOG_FIELDS = frozenset(
    {
        # on every line
        *("timestamp", "level", "event_type", "message", "service", "environment", "correlation_id", "event_id"),
        *("request_id", "trace_id", "span_id", "cold_start"),
        # what the line is about
        *("asset_symbol", "earnings_date", "outcome", "error_category", "error_code", "same_event", "violations"),
        *("attempts", "attempt", "delay_ms", "timings_ms", "correlation_replaced", "security", "memory_used_mb"),
        *("memory_limit_mb", "dead_letter_id", "dead_letter_error", "kept_lines", "lost_spans", "logger"),
        *("exception_type", "exception_at", "problems", "logged_at", THROTTLING_REASONS),
    }
)
"""All that a log line may carry: what is not listed here is not written."""
