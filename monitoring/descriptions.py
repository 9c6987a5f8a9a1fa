"""Descriptions of every metric, log field and span attribute. The function does not load them.

The names are in `otel.semconv` and `monitoring.operator_metrics`. Tests compare all three with each other and with the
emitted telemetry.
"""

from collections.abc import Mapping

from handler.contract import KEY_FIELDS

METRICS: Mapping[str, str] = {
    "EventsReceived": "events with an outcome: the sum of the next four",
    "EventsMarked": "rows marked",
    "EventsDuplicate": "events for rows that were already marked",
    "EventsDeadLettered": "events with a permanent failure, sent to the dead-letter queue",
    "EventsRetried": "attempts that raised: up to three per event; Lambda repeats the event or gives it up",
    "IdempotencyViolations": "different events for a row that is already processed",
    "Errors": "events with outcome `dead_lettered` or `retry`; also by error category",
    "SecurityErrors": "events in which AWS denied access",
    "Operations": "DynamoDB writes, each counted once whatever the number of attempts",
    "Retries": "DynamoDB attempts beyond the first",
    "RetrySuccesses": "writes that succeeded after a retry",
    "RetryDelay": "the delay before each retry, for DynamoDB and for the dead-letter queue",
    "ProcessingTime": "from the start of the handler to its log line",
    "DynamoDBLatency": "the time of each attempt",
    "MemoryUsed": "resident memory after the event",
    "MemoryUtilization": "resident memory as a percentage of the function's memory",
    "ColdStarts": "first events of a sandbox",
    "InitDuration": "the time of imports and client creation at a cold start; of the hook after a restore",
    "MetricsFailures": "metric lines that could not be written at first",
    "SpansLost": "spans that were not exported; over UDP only those that were refused or did not fit",
    "CorrelationIdsReplaced": "events with an invalid correlation ID, which was replaced",
}

OPERATOR_METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "messages that a `mep dlq` command received",
    "DeadLettersRedriven": "dead letters that the destination accepted and that were deleted from the queue",
    "DeadLettersRedriveFailed": "dead letters that the destination did not accept; they stay in the queue",
    "DeadLettersDiscarded": "dead letters that were deleted with a recorded reason",
}

AUTOMATIC_METRICS: Mapping[str, str] = {
    "DeadLettersLeft": "dead letters whose event was sent three times, and which are left for a person",
    "OldestDeadLetterAge": "age of the oldest dead letter; also by error category",
    "CalendarRowsNotMarked": "rows of the last 31 days whose day is over, without a mark",
    "CalendarMarksLost": "rows of the last 31 days whose mark is in the audit table only",
    "CalendarRowsMarkedTwice": "rows of the last 31 days with two or more marks in the audit table",
}

EMF_PROPERTIES: Mapping[str, str] = {
    "correlation_id": "the event's, to find the events behind a spike",
    "request_id": "Lambda's request ID",
    "function_version": "the version of the function",
    "level": "the configured log level, where that is above `INFO`: Lambda's filter drops lines below it",
}

EVENT_TYPES: Mapping[str, tuple[str, str]] = {
    "event_outcome": ("INFO, WARN, ERROR", "one line per event: outcome, cause and timing breakdown"),
    "attempt": ("DEBUG", "one attempt at DynamoDB ended"),
    "retry_backoff": ("WARN", "a wait before the next attempt"),
    "access_denied": ("ERROR", "AWS denied a call; `error_code` names the service and AWS's code"),
    "metrics_not_written": ("WARN", "metrics could not be written; the next event emits them"),
    "spans_lost": ("WARN", "the exporter lost spans"),
    "spans_not_exported": ("WARN", "the exporter failed with an exception"),
    "memory_pressure": ("WARN", "memory utilization is above 80 %: optional detail is dropped from now on"),
    "library": ("as the library logs it", "a library logged a warning or an error"),
    "settings_without_effect": ("WARN", "at start: `problems` names each `OTEL_*` variable without effect, and why"),
    "start_failed": ("FATAL", "the function cannot start; `problems` names the settings"),
}
"""`event_type` to the levels and the meaning of its lines."""

LOG_FIELDS: Mapping[str, str] = {
    "timestamp": "UTC, ISO 8601",
    "level": "`DEBUG`, `INFO`, `WARN`, `ERROR`, `FATAL`",
    "event_type": "the kind of line, see above",
    "message": "a text for people that may change: match `event_type`",
    "service": "the service name, as in traces",
    "environment": "the value of `ENVIRONMENT`",
    "function_version": "the version of the function",
    "correlation_id": "the correlation ID",
    "event_id": "`detail.event_id`, else the envelope's",
    "envelope_id": "on one line per event: the envelope's ID, if the event has one of its own",
    "request_id": "Lambda's request ID; the same for all invocations of one event",
    "trace_id": "32 hex digits",
    "span_id": "the event's root span",
    "trace_sampled": "on one line per event: whether its trace is sampled; X-Ray retains no other",
    "cold_start": "whether it is the sandbox's first event",
    **dict.fromkeys(KEY_FIELDS, "for a valid event: the key of its row"),
    "outcome": "on one line per event: `marked`, `duplicate`, `dead_lettered`, `retry`",
    "error_category": "the category of the failure",
    "error_code": "the code of AWS or of the function",
    "throttling_reasons": "why DynamoDB throttled the request, each as `REASON RESOURCE`",
    "same_event": "for a duplicate: whether the same event marked the row",
    "violations": "for an invalid event: `field`, `rule`, `received` (type and length, never the value)",
    "attempts": "number of attempts at DynamoDB",
    "failed_attempts": "for a failed event: `latency_ms`, `error_category` and `error_code` of each, and "
    "`throttling_reasons`",
    "attempt": "number of the attempt, from 1",
    "delay_ms": "the delay before the next attempt",
    "timings_ms": "`validate`, `write`, `backoff`, `dead_letter`, `flush`, `total`",
    "correlation_replaced": "true if the correlation ID was invalid and was replaced",
    "security": "true if AWS denied access; `error_code` names the service and AWS's code",
    "memory_used_mb": "memory in use when the pressure began",
    "memory_limit_mb": "the function's memory",
    "dead_letter_id": "the SQS message ID",
    "dead_letter_error": "why the dead letter could not be sent",
    "kept_lines": "metric lines that wait for the next event",
    "lost_spans": "number of spans that were lost",
    "logger": "the library's logger",
    "logged_at": "file and line of a withheld library message or of a Python warning",
    "exception_type": "the class of an unexpected or logged exception, never its message",
    "exception_at": "file and line of an unexpected exception",
    "problems": "one text per invalid setting",
}

ANNOTATIONS: Mapping[str, str] = {
    "correlation_id": "on every span",
    **dict.fromkeys(KEY_FIELDS, "on every span after validation"),
    "outcome": "on the root span",
    "error_category": "on the root span and on failed calls",
    "error_code": "on the root span and on failed calls: the code of AWS or of the function",
    "function_version": "on the root span",
    "linked_trace_id": "on the root span: the trace of the producer, from `detail.traceparent`",
}

SPAN_ATTRIBUTES: Mapping[str, str] = {
    "aws.xray.annotations": "the names of the span's annotations, which X-Ray indexes",
    "faas.trigger": "`pubsub`",
    "faas.invocation_id": "Lambda's request ID",
    "faas.coldstart": "whether it is the sandbox's first event",
    "attempts": "on the root span: number of attempts at DynamoDB",
    "same_event": "on the root span of a duplicate: whether the same event marked the row",
    "cloud.account.id": "on the root span: the account of the function",
    "aws.account_id": "the same, also on calls, where X-Ray's exporter reads it",
    "cloud.resource_id": "on the root span: the function's ARN, with the version",
    "aws.lambda.invoked_arn": "on the root span: the ARN by which the function was invoked, mostly with an alias",
    "http.request.resend_count": "on an attempt after the first: how many came before it",
    "error.type": "the code of AWS or of the function",
    "rpc.system": "`aws-api`",
    "rpc.service": "`DynamoDB` or `SQS`",
    "rpc.method": "the operation",
    "server.address": "the endpoint's host",
    "server.port": "the endpoint's port",
    "net.peer.name": "the endpoint's host, for older tools",
    "cloud.region": "the endpoint's region",
    "aws.region": "the same, where X-Ray's exporter reads it",
    "db.system": "`dynamodb`",
    "db.operation": "the operation",
    "aws.dynamodb.table_names": "the tables of the transaction",
    "aws.dynamodb.throttling_reasons": "why DynamoDB throttled it, each as `REASON RESOURCE`; the root span has all",
    "aws.request_id": "the request ID of DynamoDB or SQS",
    "aws.queue_url": "the dead-letter queue",
    "http.status_code": "the response's status; absent if a condition check failed, which is not an error",
    "retry_attempts": "botocore's retries: always 0, the function retries itself",
    "messaging.system": "`aws.sqs`",
    "messaging.destination": "the queue's name",
    "messaging.url": "the queue's URL",
    "url.full": "the queue's URL, where X-Ray's exporter reads it",
    "messaging.message.id": "the SQS message ID",
}

SPAN_EVENTS: Mapping[str, tuple[str, ...]] = {
    "retry.backoff": ("attempt", "delay_ms", "error_category", "throttling_reasons"),
    "exception": ("exception.type", "exception.message"),
}

PLATFORM_METRICS: Mapping[tuple[str, str], str] = {
    ("AWS/Lambda", "Invocations"): "invocations, failed ones included",
    ("AWS/Lambda", "Errors"): "invocations that raised, timed out or crashed",
    ("AWS/Lambda", "Duration"): "time of each invocation, milliseconds",
    ("AWS/Lambda", "Throttles"): "invocations that were throttled",
    ("AWS/Lambda", "AsyncEventAge"): "time between acceptance and invocation of an event, milliseconds",
    ("AWS/Lambda", "AsyncEventsDropped"): "events that Lambda discarded without a successful invocation",
    ("AWS/Lambda", "DestinationDeliveryFailures"): "failed events that could not be sent to the destination",
    ("AWS/Events", "FailedInvocations"): "deliveries that failed permanently",
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): "undelivered events that could not be sent to the queue",
    ("AWS/Events", "MatchedEvents"): "events that the rule, or the rule for other detail types, matched",
    ("AWS/DynamoDB", "SystemErrors"): "server errors of transactions, by table",
    ("AWS/DynamoDB", "WriteThrottleEvents"): "throttled writes, by table and index; those of other writers, too",
    ("AWS/SNS", "NumberOfNotificationsFailed"): "notifications of alarms that were not delivered",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "dead letters in the queue",
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): "age of the oldest, seconds",
    ("AWS/SQS", "NumberOfMessagesSent"): "dead letters that were sent",
    ("AWS/SQS", "NumberOfMessagesDeleted"): "dead letters that were deleted",
}
"""Metrics of the platform:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html."""

PLATFORM_LOG_FIELDS: Mapping[str, str] = {
    "@timestamp": "when CloudWatch received the line",
    "type": "`platform.report` on the line that ends an invocation",
    "record.status": "`success`, `error`, `timeout`, `failure`",
    "record.errorType": "the error of a failed invocation",
    "record.requestId": "Lambda's request ID",
    "record.metrics.durationMs": "duration, milliseconds",
    "record.metrics.billedDurationMs": "billed duration, milliseconds",
    "record.metrics.maxMemoryUsedMB": "memory used, as Lambda measures it",
}
"""Fields of the JSON lines that Lambda writes: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html."""
