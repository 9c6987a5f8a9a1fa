"""The names of telemetry that are the same for every function: alarms, queries and other teams rely on them.

What differs from function to function is in `otel.instrumentation.Instrumentation`.
"""

from collections.abc import Mapping

SCHEMA_URL = "https://opentelemetry.io/schemas/1.43.0"
"""The version of the semantic conventions that names the attributes of resources and root spans."""

METRICS: Mapping[str, str] = {
    "IdempotencyViolations": "Count",  # a second, different event for what is processed already
    "Errors": "Count",  # events with an error category; the only metric that has the category as a dimension, too
    "SecurityErrors": "Count",
    "Operations": "Count",  # DynamoDB writes, however many attempts each took
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
    "SpansLost": "Count",
    "CorrelationIdsReplaced": "Count",
}
"""Metric name to CloudWatch unit; `Instrumentation.metrics` adds the counts of events."""

ENVIRONMENT_DIMENSION = "Environment"
ERROR_CATEGORY_DIMENSION = "ErrorCategory"

CORRELATION_ID = "correlation_id"
OUTCOME = "outcome"
ERROR_CATEGORY_ATTRIBUTE = "error_category"

ERROR_CODE = "error_code"
FUNCTION_VERSION = "function_version"
LINKED_TRACE_ID = "linked_trace_id"

RESULT_ANNOTATIONS = (OUTCOME, ERROR_CATEGORY_ATTRIBUTE, ERROR_CODE, FUNCTION_VERSION, LINKED_TRACE_ID)
"""Span attributes that X-Ray indexes besides the correlation ID and the event's subject; the last two on root spans."""

EXCEPTION_EVENT = "exception"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
"""https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/"""

RESEND_COUNT = "http.request.resend_count"
"""Span attribute of an attempt after the first: how many came before it."""

CLOUD_REGION = "cloud.region"
ACCOUNT_ID = "aws.account_id"
REGION = "aws.region"
"""The region of a call by its name in the conventions; where X-Ray's exporter looks for the account and the region."""

XRAY_ANNOTATIONS = "aws.xray.annotations"
"""Span attribute: the names of the span's attributes that X-Ray indexes."""

MESSAGE_ID = "messaging.message.id"
"""Span attribute of the botocore instrumentation: the ID that SQS gave to a message."""

RETRY_EVENT = "retry.backoff"
"""Span event for each wait, with `attempt`, `delay_ms` and `error_category`, and `throttling_reasons` where known."""

THROTTLING_REASONS = "throttling_reasons"
"""Field of log lines and of `RETRY_EVENT`: why DynamoDB throttled, each reason as `REASON RESOURCE`."""

DYNAMODB_THROTTLING_REASONS = "aws.dynamodb.throttling_reasons"
"""The same as a span attribute: on the span of the call, and on the root span for all calls of the event."""

ESSENTIAL_ATTRIBUTES = frozenset(
    {
        *(XRAY_ANNOTATIONS, CORRELATION_ID, *RESULT_ANNOTATIONS),
        *("rpc.system", "rpc.service", "rpc.method", "error.type", "aws.request_id", "aws.dynamodb.table_names"),
        *("faas.invocation_id", "http.status_code", DYNAMODB_THROTTLING_REASONS),
    }
)
"""Span attributes that are retained under memory pressure, besides those that X-Ray indexes."""

LOG_FIELDS = frozenset(
    {
        # on every line
        *("timestamp", "level", "event_type", "message", "service", "environment", "correlation_id", "event_id"),
        *("request_id", "trace_id", "span_id", "trace_sampled", "cold_start", FUNCTION_VERSION),
        # what the line is about
        *("outcome", "error_category", "error_code", "same_event", "violations", "attempts", "attempt", "delay_ms"),
        *("envelope_id", "failed_attempts"),
        *("timings_ms", "correlation_replaced", "security", "memory_used_mb", "memory_limit_mb", "dead_letter_id"),
        *("dead_letter_error", "kept_lines", "lost_spans", "logger", "exception_type", "exception_at", "problems"),
        *("logged_at", THROTTLING_REASONS),
    }
)
"""The allow-list of log fields; `Instrumentation.log_fields` adds the event's subject. Other fields are not written."""
