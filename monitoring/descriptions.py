"""What each name of the telemetry means: for people, so not in `otel.semconv`, which the function loads.

The names themselves come from `otel.semconv` and `monitoring.operator_metrics`; the tests hold the three against each
other and against what is emitted.
"""

from collections.abc import Mapping

METRICS: Mapping[str, str] = {
    "EventsReceived": "events that came to an outcome: the sum of the next four",
    "EventsMarked": "rows marked",
    "EventsDuplicate": "events for rows that were marked before",
    "EventsDeadLettered": "events that no further try can help, sent to the dead-letter queue",
    "EventsRetried": "events given back to Lambda, which delivers them again",
    "IdempotencyViolations": "second, different events for a row that is processed already",
    "Errors": "events that ended dead-lettered or raised; also by category",
    "SecurityErrors": "events in which AWS denied access",
    "Operations": "DynamoDB writes asked for, whatever number of attempts each took",
    "Retries": "DynamoDB attempts beyond the first",
    "RetrySuccesses": "writes that were made after a retry",
    "RetryDelay": "each wait, for DynamoDB or for the dead-letter queue",
    "ProcessingTime": "from the handler's start to its report",
    "DynamoDBLatency": "each attempt",
    "MemoryUsed": "resident memory after the event",
    "MemoryUtilization": "its share of the function's memory",
    "ColdStarts": "first events of a sandbox",
    "InitDuration": "how long its imports and clients took",
    "MetricsFailures": "metric lines that standard output did not take at first",
    "CorrelationIdsReplaced": "events whose correlation ID was not one, and was replaced",
}

OPERATOR_METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "messages that a `mep dlq` command found",
    "DeadLettersRedriven": "dead letters that were accepted again, and deleted from the queue",
    "DeadLettersRedriveFailed": "dead letters that were not accepted: they are still in the queue",
    "DeadLettersDiscarded": "dead letters thrown away, with a reason",
}

EMF_PROPERTIES: Mapping[str, str] = {
    "correlation_id": "of the event: from a spike on a graph to the events behind it",
    "request_id": "Lambda's",
}

EVENT_TYPES: Mapping[str, tuple[str, str]] = {
    "event_outcome": ("INFO, WARN, ERROR", "one line per event: how it ended, why, and where the time went"),
    "attempt": ("DEBUG", "one attempt at DynamoDB has ended"),
    "retry_backoff": ("WARN", "a wait before the next attempt"),
    "access_denied": ("ERROR", "AWS denied a call; `error_code` names the service and AWS's code"),
    "metrics_not_written": ("WARN", "standard output did not take metrics; the next event emits them"),
    "spans_lost": ("WARN", "the exporter could not deliver spans"),
    "spans_not_exported": ("WARN", "the exporter failed with an exception"),
    "memory_pressure": ("WARN", "memory use is above 80 %: optional detail is dropped from now on"),
    "library": ("as the library logs it", "a library logged a warning or an error"),
    "start_failed": ("FATAL", "the function does not start; `problems` name the settings"),
}
"""Value of `event_type` to the levels of such lines and what they mean."""

LOG_FIELDS: Mapping[str, str] = {
    "timestamp": "UTC, ISO 8601",
    "level": "`DEBUG`, `INFO`, `WARN`, `ERROR`, `FATAL`",
    "event_type": "the kind of line, as in the table above",
    "message": "a text for people, which may change: match `event_type`",
    "service": "the service's name, as in traces",
    "environment": "`ENVIRONMENT`",
    "correlation_id": "the one ID",
    "event_id": "`detail.event_id`, else the envelope's",
    "request_id": "Lambda's; the same for the tries of one event",
    "trace_id": "32 hex digits",
    "span_id": "of the event's root span",
    "cold_start": "whether it is the sandbox's first event",
    "asset_symbol": "of a valid event",
    "earnings_date": "of a valid event",
    "outcome": "on one line an event: `marked`, `duplicate`, `dead_lettered`, `retry`",
    "error_category": "why it failed",
    "error_code": "AWS's code, or ours",
    "throttling_reasons": "why DynamoDB throttled it, each as `REASON RESOURCE`",
    "same_event": "of a duplicate: whether the row was marked by this very event",
    "violations": "of an invalid event: `field`, `rule`, `received` (type and length, never the value)",
    "attempts": "attempts at DynamoDB",
    "attempt": "which one, from 1",
    "delay_ms": "the wait before another attempt",
    "timings_ms": "`validate`, `write`, `backoff`, `dead_letter`, `flush`, `total`",
    "correlation_replaced": "that the correlation ID was not one",
    "security": "that AWS denied access; `error_code` names the service and AWS's code",
    "memory_used_mb": "when it became short",
    "memory_limit_mb": "the function's memory",
    "dead_letter_id": "the SQS message ID",
    "dead_letter_error": "why the queue could not be reached",
    "kept_lines": "metric lines kept for the next event",
    "lost_spans": "how many spans could not be delivered",
    "logger": "of a library that has something to say",
    "logged_at": "of a library's text that is not shown, and of a Python warning: file and line",
    "exception_type": "of a defect, or of what a library logged: the class, never the message",
    "exception_at": "of a defect: file and line",
    "problems": "what is wrong with the settings, one text each",
}

ANNOTATIONS: Mapping[str, str] = {
    "correlation_id": "on every span",
    "asset_symbol": "on every span, once it is known",
    "earnings_date": "on every span, once it is known",
    "outcome": "on the root span",
    "error_category": "on the root span, and on the calls that failed",
}

SPAN_ATTRIBUTES: Mapping[str, str] = {
    "aws.xray.annotations": "which of the annotations the span has: X-Ray indexes them",
    "faas.trigger": "`pubsub`",
    "faas.invocation_id": "Lambda's request ID",
    "faas.coldstart": "whether it is the sandbox's first event",
    "error.type": "AWS's code, or ours",
    "rpc.system": "`aws-api`",
    "rpc.service": "`DynamoDB` or `SQS`",
    "rpc.method": "the operation",
    "server.address": "of the endpoint",
    "server.port": "of the endpoint",
    "net.peer.name": "of the endpoint, as older tools look for it",
    "cloud.region": "of the call",
    "db.system": "`dynamodb`",
    "db.operation": "the operation",
    "aws.dynamodb.table_names": "the tables of the transaction",
    "aws.dynamodb.throttling_reasons": "why DynamoDB throttled it, each as `REASON RESOURCE`; the root span has all",
    "aws.request_id": "the service's own ID of the call",
    "aws.queue_url": "of the dead-letter queue",
    "http.status_code": "of the reply; left out where a condition did not hold, which is no error",
    "retry_attempts": "botocore's own retries: always 0, there are none underneath ours",
    "messaging.system": "`aws.sqs`",
    "messaging.destination": "name of the queue",
    "messaging.url": "of the queue",
    "messaging.message.id": "the SQS message ID",
}

SPAN_EVENTS: Mapping[str, tuple[str, ...]] = {
    "retry.backoff": ("attempt", "delay_ms", "error_category", "throttling_reasons"),
    "exception": ("exception.type",),
}

PLATFORM_METRICS: Mapping[tuple[str, str], str] = {
    ("AWS/Lambda", "Invocations"): "invocations, failed ones included",
    ("AWS/Lambda", "Errors"): "invocations that raised, timed out or crashed",
    ("AWS/Lambda", "Duration"): "time of each invocation, milliseconds",
    ("AWS/Lambda", "Throttles"): "invocations refused for want of concurrency",
    ("AWS/Lambda", "AsyncEventAge"): "how long an event has waited when the function is invoked, milliseconds",
    ("AWS/Lambda", "AsyncEventsDropped"): "events given up without success",
    ("AWS/Lambda", "DestinationDeliveryFailures"): "failed events that could not be handed to the destination",
    ("AWS/Events", "FailedInvocations"): "deliveries that failed for good",
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): "undelivered events that could not be put into the queue",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "dead letters in the queue",
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): "age of the oldest, seconds",
    ("AWS/SQS", "NumberOfMessagesSent"): "dead letters that came in",
    ("AWS/SQS", "NumberOfMessagesDeleted"): "dead letters that went out",
}
"""Counted by AWS, not by us:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html."""

PLATFORM_LOG_FIELDS: Mapping[str, str] = {
    "@timestamp": "when CloudWatch had the line",
    "type": "`platform.report` on the line that ends an invocation",
    "record.status": "`success`, `error`, `timeout`, `failure`",
    "record.errorType": "of a failed one",
    "record.requestId": "Lambda's",
    "record.metrics.durationMs": "time taken",
    "record.metrics.billedDurationMs": "time billed",
    "record.metrics.maxMemoryUsedMB": "memory, as Lambda measures it",
}
"""Written by Lambda, in JSON: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html."""
