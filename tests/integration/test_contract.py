"""Every public string: what dashboards, alarms, runbooks, scripts and other teams rely on.

The lists are literal on purpose, and almost nothing of the product is imported: a rename inside the product must leave
this module as it is, imports apart. Each list is held against what a run really lets out, both ways: what is listed and
not there fails, and so does what is there and not listed.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.reading import read_context
from emulator.faults import throttled
from emulator.pipeline.bus_log import Step
from emulator.services.dynamodb import DynamoDBEndpoint
from handler import contract
from handler.bootstrap import start_or_exit
from handler.startup import reported
from mep.verify.results import Status
from monitoring import probe, round_trip
from tests.integration.conftest import services
from tests.integration.harness import Services, make_harness
from tests.integration.mep.test_signals import STATUSES
from tests.integration.monitoring.conftest import KINDS, TROUBLE
from tests.support.aws_account import Call, Reply, no_stack, ok, serving
from tests.support.events import unique_event
from tests.support.invocation import Invoked
from tests.support.kept_run import KeptRun, kept_run, mep
from tests.support.surface import ROOT, Asked, commands, make_targets, query_words, upper_snake_words
from tests.support.telemetry import json_lines, output_file
from tests.unit.deploy.assembly import Template, template

__all__ = ["services"]

# --------------------------------------------------------------------------------------------------------------------
# The function: what it answers, raises and writes.

OUTCOMES = {"marked", "duplicate", "dead_lettered", "retry"}

CATEGORIES = {
    *("validation", "not_found", "throttling", "network", "conflict", "dynamodb", "access_denied", "configuration"),
    *("timeout", "internal"),
}

CODES = {"validation": {"InvalidEvent"}, "not_found": {"NoSuchRow"}, "timeout": {"DeadlineExceeded"}}
"""Error codes of our own, by category; all others are AWS's, or an exception's class where no reply came."""

ANSWER = {"outcome", "correlation_id", "error_category", "error_code", "same_event", "violations"}
VIOLATION = {"field", "rule", "received"}

RAISED_TYPE = "EventNotProcessed"
RAISED_TEXT = (
    r"category=(?P<category>[a-z_]+) correlation_id=(?P<correlation_id>[A-Za-z0-9._:-]+) : (?P<code>\w+)"
    r"( \((?P<reasons>\w+ \S+(; \w+ \S+)*)\))?"
)
"""The reasons are DynamoDB's, of an event that was throttled."""

START_FAILED = 1
"""Exit status of a function whose settings are wrong."""

FUNCTION_VARIABLES = {
    # settings of the function, of Lambda and of AWS's clients, whose values the function uses itself
    *("AWS_CONNECT_TIMEOUT_SECONDS", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"),
    *("AWS_ENDPOINT_URL_SQS", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_LEVEL"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_READ_TIMEOUT_SECONDS", "AWS_REGION", "AWS_XRAY_DAEMON_ADDRESS", "DEAD_LETTER_QUEUE_URL"),
    *("EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE", "ENVIRONMENT", "EVENT_SOURCE", "HANDLER_COLD_START"),
    "SERVICE_VERSION",  # of the image
    *(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ),
    *("OTEL_PROPAGATORS", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_TRACES_EXPORTER"),
    "AWS_LAMBDA_EXEC_WRAPPER",  # whether ADOT's layer sets OpenTelemetry up
    # boto3 reads them: credentials, and the endpoints that give some
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_EXECUTION_ENV"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_ENDPOINT_URL_SSO"),
    *("AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_STS", "AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
    "AWS_METADATA_SERVICE_TIMEOUT",
    # boto3 reads them: how it makes a client and a request
    *("AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_DEFAULTS_MODE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES"),
    *("AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"),
    *("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_DUALSTACK_ENDPOINT"),
    "AWS_USE_FIPS_ENDPOINT",
    # boto3, requests and Python's ssl read them: certificates and proxies
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE"),
    *("HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "https_proxy"),
    # OpenTelemetry's SDK reads them
    "OTEL_AWS_APPLICATION_SIGNALS_ENABLED",
    *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
    *("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"),
    *("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
    *("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"),
    "OTEL_TRACES_SAMPLER",
}
"""Those of a start without any. A start with some asks for more: they are in `VARIABLES`."""

NAMESPACE = "MarkEarningsProcessed"
DIMENSIONS = {("Environment",), ("Environment", "ErrorCategory")}
METRICS = {
    "EventsReceived": "Count",
    "EventsMarked": "Count",
    "EventsDuplicate": "Count",
    "EventsDeadLettered": "Count",
    "EventsRetried": "Count",
    "IdempotencyViolations": "Count",
    "Errors": "Count",
    "SecurityErrors": "Count",
    "Operations": "Count",
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
METRIC_PROPERTIES = {"correlation_id", "request_id", "function_version"}

LOG_LEVELS = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
ON_EVERY_LINE = {
    *("timestamp", "level", "event_type", "message", "service", "environment", "correlation_id", "event_id"),
    *("request_id", "trace_id", "span_id", "cold_start", "function_version"),
}
LOG_LINES = {
    "event_outcome": {
        *("outcome", "asset_symbol", "earnings_date", "error_category", "error_code", "same_event", "violations"),
        *("attempts", "timings_ms", "correlation_replaced", "dead_letter_id", "dead_letter_error", "exception_type"),
        *("exception_at", "throttling_reasons", "failed_attempts", "trace_sampled", "envelope_id"),
    },
    "attempt": {"attempt", "timings_ms"},
    "retry_backoff": {"attempt", "delay_ms", "error_category", "throttling_reasons"},
    "access_denied": {"security", "error_code"},
    "metrics_not_written": {"kept_lines"},
    "spans_lost": {"lost_spans"},
    "spans_not_exported": {"exception_type"},
    "memory_pressure": {"memory_used_mb", "memory_limit_mb"},
    "library": {"logger", "logged_at", "exception_type", "exception_at"},
    "settings_without_effect": {"problems"},
    "start_failed": {"problems", "exception_type", "exception_at"},
}
"""Value of `event_type` to the fields that such lines have beside those on every line."""
TIMINGS = {"validate", "write", "backoff", "dead_letter", "flush", "total"}

SPANS = {
    # span: kind, instrumentation scope
    "mark-earnings-processed": ("SERVER", "mark-earnings-processed"),
    "DynamoDB.TransactWriteItems": ("CLIENT", "opentelemetry.instrumentation.botocore.dynamodb"),
    "SQS.SendMessage": ("CLIENT", "opentelemetry.instrumentation.botocore.sqs"),
}
"""The first is named after the function."""
SPAN_ATTRIBUTES = {
    *("asset_symbol", "aws.dynamodb.table_names", "aws.dynamodb.throttling_reasons", "aws.queue_url"),
    *("aws.request_id", "aws.xray.annotations"),
    *("cloud.region", "correlation_id", "db.operation", "db.system", "earnings_date", "error.type", "error_category"),
    *("faas.coldstart", "faas.invocation_id", "faas.trigger", "http.status_code", "messaging.destination"),
    *("messaging.message.id", "messaging.system", "messaging.url", "net.peer.name", "outcome", "retry_attempts"),
    *("rpc.method", "rpc.service", "rpc.system", "server.address", "server.port"),
    *("attempts", "same_event", "error_code", "function_version", "linked_trace_id", "http.request.resend_count"),
    *("aws.lambda.invoked_arn", "cloud.account.id", "cloud.resource_id"),
    *("aws.account_id", "aws.region", "url.full"),
}
ANNOTATIONS = {
    *("correlation_id", "asset_symbol", "earnings_date", "outcome", "error_category", "error_code"),
    *("function_version", "linked_trace_id"),
}
SPAN_EVENTS = {
    "retry.backoff": {"attempt", "delay_ms", "error_category", "throttling_reasons"},
    "exception": {"exception.type", "exception.message"},
}
RESOURCE_ATTRIBUTES = {
    *("cloud.platform", "cloud.provider", "cloud.region", "deployment.environment.name", "faas.instance"),
    *("faas.max_memory", "faas.name", "faas.version", "service.name", "service.version", "telemetry.sdk.language"),
    *("telemetry.sdk.name", "telemetry.sdk.version"),
}

DEAD_LETTER_ATTRIBUTES = {"ERROR_CODE", "ERROR_MESSAGE", "CORRELATION_ID", "REQUEST_ID", "SOURCE"}
THROTTLED_BEFORE = "THROTTLING_REASONS"
"""The attribute more of an event that DynamoDB throttled before it failed otherwise."""
DEAD_LETTER_SOURCE = "handler"

ROW_ATTRIBUTES = {"is_processed", "processed_at", "processed_by_event", "correlation_id", "updated_at"}
"""Of a calendar row: those that the function writes."""

_AUDITED = {"earnings_key", "entry_id", "event_id", "action", "previous_state", "correlation_id", "request_id"}
_BY_PEOPLE = {*_AUDITED, "recorded_at", "operator", "message_id", "shape", "error_category"}
AUDIT_ENTRIES = {
    "mark_processed": {*_AUDITED, "trace_id", "function_version", "recorded_at"},
    "redrive_requested": {*_BY_PEOPLE, "destination"},
    "redriven": {*_BY_PEOPLE, "destination", "accepted_as"},
    "discard_requested": {*_BY_PEOPLE, "reason"},
    "discarded": {*_BY_PEOPLE, "reason"},
    "unmarked": {*_AUDITED - {"request_id"}, "processed_at", "recorded_at", "operator", "reason"},
}
"""Action to the attributes of its entry."""
PREVIOUS_STATES = {"unprocessed", "dead_lettered", "processed"}

# --------------------------------------------------------------------------------------------------------------------
# What people type, and what that prints and writes.

_ENVIRONMENT = "--environment [ENVIRONMENT]"
_MESSAGES = {_ENVIRONMENT, "--queue-url", "--visibility", "--max"}
_FILTERS = {"--id", "--correlation-id", "--category", "--older-than", "--newer-than"}
COMMANDS = {
    "mep": {"--version", "--install-completion", "--show-completion"},
    "mep local": {
        *("--calendar", "--events", "--out", "--endpoint-url", "--function-url", "--workers", "--timeout"),
        *("--memory", "--speed", "--keep", "--open", "--env", "--fault"),
    },
    "mep open": {"DIR", "--out", "--browser"},
    "mep invoke": {"EVENT.json", "--url", "--environment", "--timeout", "--json"},
    "mep demo": {"--out"},
    "mep dashboard": {"--run", "--memory", "--out"},
    "mep trace": {
        *("CORRELATION_ID", "--run", "--json", "--html", "--since", "--function [AWS_LAMBDA_FUNCTION_NAME]"),
        *("--log-group", "--spans", "--queue", _ENVIRONMENT),
    },
    "mep query": {"NAME", _ENVIRONMENT, "--correlation-id", "--since", "--run", "--log-group", "--json"},
    "mep env": {"ENVIRONMENT [ENVIRONMENT]", "--prefix", "--json"},
    "mep calendar check": {_ENVIRONMENT, "--from", "--to", "--symbol", "--grace", "--rate", "--limit", "--json"},
    "mep calendar unmark": {
        *("ASSET_SYMBOL EARNINGS_DATE", "--reason", "--event-id", "--yes", "--dry-run", "--operator [MEP_OPERATOR]"),
        _ENVIRONMENT,
    },
    "mep verify": {
        *(_ENVIRONMENT, "--prefix", "--calendar-table", "--audit-table", "--event-source", "--wait"),
        *("--event-bus", "--full", "--yes", "--role [MEP_VERIFY_ROLE]", "--json"),
    },
    "mep dlq list": {*_MESSAGES, *_FILTERS, "--by", "--limit", "--json"},
    "mep dlq show": {*_MESSAGES, "ID", "--json"},
    "mep dlq redrive": {
        *(*_MESSAGES, *_FILTERS, "--bus [EVENT_BUS_NAME]", "--function", "--force", "--rate", "--dry-run"),
        *("--wait", "--wait-timeout", "--json", "--operator [MEP_OPERATOR]"),
    },
    "mep dlq discard": {
        *(*_MESSAGES, *_FILTERS, "--reason", "--yes", "--dry-run"),
        *("--json", "--operator [MEP_OPERATOR]"),
    },
}
"""Command to its arguments and options, with the variables that replace them."""

TARGETS = {
    *("recover", "drift", "restore"),
    *(
        "help",
        "setup",
        "demo",
        "test-unit",
        "test",
        "test-all",
        "soak",
        "image",
        "test-image",
        "synth",
        "template",
        "deploy",
        "cdk",
        "check-deploy",
    ),
    *("deploy-snapshot", "test-emulator", "test-collector", "test-browser", "image-requirements", "lint", "format"),
    *("audit", "bench", "bench-table", "bench-restore", "bench-scale", "bench-record", "budget", "clean", "docs"),
}

SUCCEEDED, FAILED, WRONG_USAGE, UNAVAILABLE, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
"""Exit statuses of `mep`."""

LOCAL_FILES = {
    *("summary.json", "spans.jsonl", "traces.otlp.jsonl", "logs.jsonl", "metrics.jsonl", "platform.jsonl"),
    *("dlq.jsonl", "calendar.jsonl", "bus.jsonl"),
    *("audit.jsonl", "rejected.jsonl", "rejected_rows.jsonl", "undelivered.jsonl", "kept.env"),
}
SUMMARY = {
    *("received", "rejected", "marked", "duplicate", "dead_lettered", "retry", "elapsed_s", "invocations"),
    *("undelivered", "spans", "spans_lost", "interrupted", "tries_raised", "rejected_rows", "unfinished", "incomplete"),
}
LINES = {
    "spans": {
        *("name", "trace_id", "span_id", "parent_span_id", "kind", "status", "status_message", "attributes", "events"),
        *("links", "start_time_unix_nano", "end_time_unix_nano", "duration_ms", "resource", "scope", "sampled"),
    },
    "platform": {
        *("dimensions", "maximum", "metric", "minimum", "namespace", "sample_count", "sum", "timestamp", "unit"),
    },
    "dlq": {"message_id", "body", "attributes"},
    "calendar": {
        *ROW_ATTRIBUTES,
        *("asset_symbol", "earnings_date", "created_at", "last_sync_timestamp", "estimated_eps"),
    },
    "rejected": {"line", "reason", "text"},
    "rejected_rows": {"line", "reason", "text"},
    "undelivered": {
        *("version", "timestamp", "requestContext", "requestPayload", "responseContext", "responsePayload"),
    },
}
"""Fields of the lines of `mep local`'s files; those of logs, metrics and audit entries are above."""
RUNTIME_LINE = {"timestamp", "level", "errorType", "errorMessage", "requestId", "stackTrace"}
"""Fields of the line that Lambda's runtime client adds for what the function raised."""
KEPT_VARIABLES = {
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_EVENTBRIDGE"),
    *("AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_SQS", "DEAD_LETTER_QUEUE_URL", "EARNINGS_AUDIT_TABLE"),
    *("EARNINGS_CALENDAR_TABLE", "ENVIRONMENT", "EVENT_BUS_NAME"),
}

DLQ_LIST = {"seen", "matching", "complete", "in_flight", "unseen", "summary", "ages", "groups", "letters"}
DLQ_SUMMARY = {"category", "code", "shape", "count", "oldest_s", "newest_s"}
DLQ_GROUP = {"by", "group", "count"}
DLQ_MESSAGE = {
    *("message_id", "shape", "category", "code", "message", "correlation_id", "request_id", "trace_id", "sent_at"),
    *("age_s", "receive_count", "tries", "redrives", "replay_name", "attributes", "body", "event"),
    "throttling_reasons",
}
DLQ_RESULT = {
    *("action", "destination", "other_targets", "dry_run", "seen", "complete", "in_flight", "unseen", "selected"),
    *("counts", "missing", "stopped", "messages", "returns"),
}
DLQ_COUNTS = {
    *("sent", "discarded", "not_deleted", "uncertain", "failed", "skipped", "unverified", "expired", "not_attempted"),
}
DLQ_RESULT_MESSAGE = {"message_id", "correlation_id", "category", "state", "reason"}
DLQ_RETURNS = {"expected", "returned", "not_returned", "waited_s", "messages"}
REDRIVE_COUNT = "redrive_count"
"""What a redrive adds to `detail`."""
OPERATOR_METRICS = {
    "DeadLettersSeen": "Count",
    "DeadLettersRedriven": "Count",
    "DeadLettersRedriveFailed": "Count",
    "DeadLettersDiscarded": "Count",
}

TRACE = {
    *("correlation_id", "verdict", "outcome", "invocations", "complete", "not_asked", "parts", "rows", "notes"),
}
TRACE_EVENTS = {"asked", "complete", "not_asked", "events"}
"""Fields where several events have what is asked for."""
TRACE_EVENT = {"correlation_id", "found_as", "timestamp", "outcome", "row", "command"}
TRACE_NOT_ASKED = {"source", "name", "reason", "text", "advice", "code", "operation", "host"}
VERIFY = {"environment", "function", "region", "correlation_id", "row_written", "status", "round_trip", "checks"}
VERIFY_ROUND_TRIP = {"events", "alarms", "left", "interrupted"}
VERIFY_CHECK = {"name", "status", "text", "advice", "reason"}
VERIFY_CHECKS = [
    *("row", "audit_entry", "outcome", "unchanged", "log", "metrics", "trace", "alarms", "alarm_states"),
    "subscriptions",
]
VERIFY_FULL_CHECKS = [
    *("reserved_rows", "rule", "delivery", "delivery_entry", "dead_letter", "redrive", "redriven", "queue"),
    *("notification", "delivery_log", "delivery_metrics", "delivery_trace", "clean_up"),
]
VERIFY_STATUSES = {"pass", "fail", "not_available"}
VERIFY_PROBE = {"asset_symbol": "MEP-VERIFY", "earnings_date": "2000-01-01", "event_id": "mep-verify"}
"""The reserved row, and the event that has marked it."""
VERIFY_ACTION = "verify"
"""The `action` of its audit entry."""
VERIFY_ROUND_TRIP_KEYS = (("MEP-VERIFY", "2000-01-02"), ("MEP-VERIFY", "2000-01-03"))
VERIFY_ALARMS = ("dlq-age", "dead-letters")
"""The alarms that the round trip sets off."""
TRACE_PART = {"title", "start", "length_ms", "moments"}
TRACE_MOMENT = {
    *("timestamp", "at", "kind", "title", "gravity", "duration_ms", "trace_id", "span_id", "parent_id", "request_id"),
    *("facts", "depth", "writer"),
}

CALENDAR_CHECK = {
    *("complete", "interrupted", "problem", "checked_at", "today", "time_zone", "grace_s", "from", "to", "symbol"),
    *("rows", "undated", "counts", "findings"),
}
CALENDAR_COUNTS = {"not_marked", "mark_lost", "marked_twice"}
"""Kinds of findings."""
CALENDAR_FINDING = {"kind", "asset_symbol", "earnings_date", "last_sync_timestamp", "marks"}
CALENDAR_MARK = {"recorded_at", "event_id", "correlation_id"}
QUERY_RESULT = {"query", "source", "complete", "problem", "lines", "limit", "columns", "rows"}
QUERY_LIST = {"queries"}
QUERY_LISTED = {"name", "purpose", "text"}
ENVIRONMENT_NAMES = {"environment", "stack", "source", "variables"}
ENVIRONMENT_VARIABLES = {
    *("ENVIRONMENT", "AWS_REGION", "DEAD_LETTER_QUEUE_URL", "EVENT_BUS_NAME", "EARNINGS_CALENDAR_TABLE"),
    "EARNINGS_AUDIT_TABLE",
}
"""What `mep env` prints for a stack with the usual prefix."""
CALENDAR_PROBLEM = {"reason", "text", "advice", "code", "operation", "host"}

# --------------------------------------------------------------------------------------------------------------------
# What is deployed.

CONTEXT = {
    *("environment", "telemetry", "collector_endpoint", "memory", "architecture", "image_uri", "calendar_table"),
    *("audit_table", "event_bus", "event_source", "log_level", "rollout", "alarm_email", "runbook"),
    *("page_email", "ticket_email", "monitoring", "silence_hours", "other_detail_types", "log_alarm"),
    *("application_signals", "account", "region", "prefix", "tags", "log_retention_days", "archive_retention_days"),
    "producers",
    "auto_redrive_minutes",
    "bus_log",
    "snapstart",
}
ENVIRONMENT_FILES = {"dev.json", "staging.json", "prod.json"}
OUTPUTS = {
    *("FunctionName", "FunctionAlias", "EventBusName", "EventBusArn", "RuleArn", "ArchiveArn", "DeadLetterQueueUrl"),
    *("CalendarTable", "AuditTable", "AlarmTopicArn", "LogGroupName", "OperatorsPolicyArn"),
    "ProducersPolicyArn",
    "RespondersPolicyArn",
    "VerificationRoleArn",
    *("PageTopicArn", "TicketTopicArn"),
}
STACK_VARIABLES = {
    *("DEAD_LETTER_QUEUE_URL", "EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE", "ENVIRONMENT", "EVENT_SOURCE"),
    *("AWS_LAMBDA_EXEC_WRAPPER", "OTEL_AWS_LAMBDA_FAST_START"),
}
HOOK_VARIABLES = {"EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE", "EVENT_SOURCE", "FUNCTION_VERSION_ARN"}
"""Of the function that CodeDeploy invokes before it shifts traffic."""
AUTO_REDRIVE_VARIABLES = {
    *("DEAD_LETTER_QUEUE_URL", "EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE", "ENVIRONMENT", "EVENT_BUS_NAME"),
    *("AUTO_REDRIVE_FUNCTION", "AUTO_REDRIVE_RULE"),
}
"""Of the function of the automatic redrive."""
PREFIX = "mark-earnings-processed-prod"
NAMES = {
    "AWS::CloudWatch::Dashboard": {f"{PREFIX}-us-east-1"},
    "AWS::CodeDeploy::Application": {PREFIX},
    "AWS::CodeDeploy::DeploymentGroup": {PREFIX},
    "AWS::DynamoDB::Table": {"earningsCalendar", "earningsAudit"},
    "AWS::Events::Archive": {PREFIX},
    "AWS::Events::EventBus": {"earnings-prod"},
    "AWS::Events::Rule": {f"{PREFIX}{each}" for each in ("", "-auto-redrive", "-calendar-check", "-unmatched")},
    "AWS::IAM::ManagedPolicy": {f"{PREFIX}-{name}-us-east-1" for name in ("operators", "producers", "responders")},
    "AWS::Lambda::Alias": {"live"},
    "AWS::Lambda::Function": {PREFIX, f"{PREFIX}-pre-traffic", f"{PREFIX}-auto-redrive"},
    "AWS::Logs::LogGroup": {
        *(f"/aws/lambda/{PREFIX}{each}" for each in ("", "-pre-traffic", "-auto-redrive")),
        f"/aws/events/{PREFIX}-unmatched",
        "/aws/vendedlogs/events/event-bus/earnings-prod",
    },
    "AWS::Logs::DeliveryDestination": {f"{PREFIX}-bus-log"},
    "AWS::Logs::DeliverySource": {f"{PREFIX}-bus-info", f"{PREFIX}-bus-error"},
    "AWS::SNS::Topic": {f"{PREFIX}-page", f"{PREFIX}-ticket"},
    "AWS::SQS::Queue": {f"{PREFIX}-dead-letters"},
    "AWS::XRay::Group": {"earnings-prod-events", "earnings-prod-failed"},
}
"""Names of resources in production, by type."""
AUDIT_INDEX = "correlation_id-index"
ALARMS = {
    *(f"error-rate-{category.replace('_', '-')}" for category in CATEGORIES),
    *("processing-failures", "dynamodb-failures", "retries", "idempotency-violations", "processing-time", "memory"),
    *("security", "dlq-volume", "dlq-depth", "dlq-age", "async-events-dropped", "destination-delivery-failures"),
    *("rule-failed-invocations", "rule-dlq-failures", "async-event-age", "throttles", "unreported-failures"),
    *("spans-lost", "auto-redrive-failures"),
    *("slo-fast-burn-long", "slo-fast-burn-short", "slo-slow-burn-long", "slo-slow-burn-short", "failing-version"),
    *("dlq-arrival", "silence", "unmatched-events", "dynamodb-system-errors", "dynamodb-write-throttles"),
    *("notification-failures", "failed-events"),
    # composites
    *("error-rate", "slo-fast-burn", "slo-slow-burn", "service-failing", "processing-degraded", "dead-letters"),
}
QUERIES = {
    "by-correlation-id": {
        *("@timestamp", "level", "event_type", "message", "outcome", "error_category", "error_code", "attempt"),
        *("attempts", "delay_ms", "throttling_reasons.0", "request_id", "correlation_id"),
    },
    "error-categories": {"event_type", "error_category", "error_code", "@timestamp", "events", "first", "last"},
    "failed-events": {
        *("@timestamp", "event_type", "outcome", "error_category", "error_code", "asset_symbol", "earnings_date"),
        *("correlation_id", "trace_id"),
    },
    "invalid-events": {
        *("event_type", "error_category", "events"),
        *("violations.0.field", "violations.0.rule", "violations.0.received"),
    },
    "slowest-events": {
        *("@timestamp", "timings_ms.total", "timings_ms.write", "timings_ms.backoff", "timings_ms.dead_letter"),
        *("timings_ms.flush", "attempts", "cold_start", "outcome", "correlation_id", "event_type"),
    },
    "retries": {"event_type", "delay_ms", "waits", "mean_ms", "longest_ms", "error_category", "attempt"},
    "throttling": {"event_type", "throttling_reasons.0", "asset_symbol", "attempts", "events", "most_attempts"},
    "security": {"@timestamp", "error_code", "correlation_id", "request_id", "event_type"},
    "dead-letters": {
        *("@timestamp", "dead_letter_id", "dead_letter_error", "error_category", "error_code", "asset_symbol"),
        "correlation_id",
    },
    "duplicates": {"event_type", "outcome", "events", "same_event", "asset_symbol", "earnings_date"},
    "memory": {"MemoryUtilization", "highest", "mean", "events"},
    "cold-starts": {"InitDuration", "starts", "mean_ms", "longest_ms"},
    "telemetry-trouble": {
        *("@timestamp", "level", "event_type", "message", "lost_spans", "kept_lines", "exception_type"),
        *("exception_at", "correlation_replaced", "logger"),
    },
    "invocations": {
        *("@timestamp", "record.status", "record.errorType", "record.metrics.durationMs", "type"),
        *("record.metrics.billedDurationMs", "record.metrics.maxMemoryUsedMB", "record.requestId"),
    },
}
"""Saved query to the fields that it reads and the columns that it shows."""

ENTRY_POINT = "handler.app.lambda_handler"
COMPOSE_SERVICES = {"function", "tables", "dynamodb", "queue", "collector", "jaeger"}
COMPOSE_VARIABLES = {"FUNCTION_PORT", "DYNAMODB_PORT", "QUEUE_PORT", "COLLECTOR_PORT", "JAEGER_PORT"}

# --------------------------------------------------------------------------------------------------------------------
# The source: what has the form of a variable's name is one, or one of the words of others below.

VARIABLES = {
    *FUNCTION_VARIABLES,
    *KEPT_VARIABLES,
    *HOOK_VARIABLES,
    *AUTO_REDRIVE_VARIABLES,
    *("AWS_CONFIG_FILE", "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_GROUP_NAME"),
    *("AWS_LAMBDA_RUNTIME_API", "AWS_SHARED_CREDENTIALS_FILE", "AWS_XRAY_CONTEXT_MISSING"),
    *(
        "DOCKER_HOST",
        "JAVA_HOME",
        "JSII_NODE",
        "LAMBDA_TASK_ROOT",
        "MEP_OPERATOR",
        "MEP_VERIFY_ROLE",
        "OTEL_AWS_LAMBDA_FAST_START",
    ),
    *("MEP_VERIFY_ROLE", "XDG_CACHE_HOME", "_X_AMZN_TRACE_ID"),
    # boto3 reads them; the function and `mep` name them when it refuses what they say
    *("AWS_ACCOUNT_ID", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_DEFAULT_PROFILE"),
    *("AWS_MAX_ATTEMPTS", "AWS_PROFILE", "AWS_RETRY_MODE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    # OpenTelemetry's SDK reads it beside a sampler that takes it
    "OTEL_TRACES_SAMPLER_ARG",
    # the OTLP exporter and its libraries read them: checked where spans go to a collector
    *("ALL_PROXY", "CURL_CA_BUNDLE", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"),
    # ADOT's layer reads them: checked where it is on
    *("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
    *(
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_LOGS_EXPORTER",
        "OTEL_METRICS_EXPORTER",
        *("OTEL_PYTHON_ID_GENERATOR", "OTEL_PYTHON_LOGGER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER"),
    ),
    *("OTEL_AWS_APPLICATION_SIGNALS_ENABLED", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"),
    # its script sets them
    *("OTEL_AWS_APPLICATION_SIGNALS_RUNTIME_ENABLED", "OTEL_PYTHON_CONFIGURATOR", "OTEL_PYTHON_DISTRO"),
    # `mep local --env` hands them to the function, or refuses them
    *("AWS_ROLE_ARN", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    # of the emulators that are started
    *("BIND_HOST", "GATEWAY_PORT", "MINISTACK_ACCOUNT_ID", "MINISTACK_HOST", "MINISTACK_REGION"),
} - {"ENVIRONMENT", "SSLKEYLOGFILE", "http_proxy", "https_proxy"}
"""Except for four that have another form."""
WORDS_OF_OTHERS = {
    *(name for name in (*DEAD_LETTER_ATTRIBUTES, THROTTLED_BEFORE) if "_" in name),
    *("CLIENT_CERTIFICATE", "CLIENT_KEY"),  # ends of the names of the OTLP exporter's variables
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"),  # whose values no command prints
    "CERT_NONE",  # how urllib3 calls a certificate that is not verified
    "INSUFFICIENT_DATA",  # a state of an alarm
    "TYPE_CHECKING",  # of Python's typing
    *("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DETECTION_COMPLETE", "DETECTION_FAILED"),  # states of a stack
    "DEAD_LETTER",  # in the key of an audit entry for an event that names no row
    # EventBridge's attributes of a dead letter, and its error codes
    *("EXHAUSTED_RETRY_CONDITION", "RETRY_ATTEMPTS", "RULE_ARN", "TARGET_ARN"),
    *("INVALID_JSON", "NO_PERMISSIONS", "NO_RESOURCE"),
    # the steps in the log of a bus
    *(step.value for step in Step),
    # names in modules that the cold start defers
    *("OTEL_SPAN_PARENT_ORIGIN", "OTEL_SPAN_SAMPLING_RESULT", "_TYPE_FIELDS"),
    # of DynamoDB, OpenTelemetry, the system
    *(
        "ALL_OLD",
        "PAY_PER_REQUEST",
        "STATUS_CODE_ERROR",
        "LOG_ERROR",
        "SC_PAGE_SIZE",
        "SO_RCVBUFFORCE",
        "CERT_REQUIRED",
    ),
    "UV_RUN_RECURSION_DEPTH",  # uv sets it for what it runs
    # rules of checkov
    *(f"CKV_AWS_{number}" for number in (26, 27, 115, 116, 117, 119, 158, 173, 338)),
}


@pytest.fixture(scope="module")
def invocations(services: Services) -> list[Invoked]:
    """Every kind of event once, and every trouble."""
    with ExitStack() as stack:
        harness = make_harness(stack, services, AWS_LAMBDA_LOG_LEVEL="DEBUG")
        found = [harness.function(harness.event_for_a_row())]
        found += [run(harness) for run in TROUBLE]
    with ExitStack() as stack:
        harness = make_harness(stack, services)
        found += [run(harness) for run in KINDS.values()]
        harness.dynamodb.script(*[throttled()] * 9)  # more than there are attempts
        found.append(harness.function(harness.event_for_a_row()))
    with ExitStack() as stack:
        small = make_harness(stack, services, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="16")  # far less than this process has
        found.append(small.function(unique_event()))
    with ExitStack() as stack:
        unheard = make_harness(stack, services, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
        found.append(unheard.function(unheard.event_for_a_row()))
    return found


@pytest.fixture(scope="module")
def log_lines(invocations: list[Invoked]) -> list[dict[str, Any]]:
    """All log lines, also that of a function that does not start."""
    with output_file() as output:
        with pytest.raises(SystemExit) as ended:
            start_or_exit({}, output.write, 0)
        assert ended.value.code == START_FAILED
        with pytest.raises(SystemExit) as ended, reported({}, output.write):
            raise RuntimeError  # of a library, while it is imported
        assert ended.value.code == START_FAILED
        return [line for each in invocations for line in each.logs] + output.logs() + uncaught()


def uncaught() -> list[dict[str, Any]]:
    """The log lines of a process with a variable without effect, in which nobody catches an exception."""
    program = """if True:
        import sys
        from handler.startup import begin
        needed = {"DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/q"}
        begin({**needed, "AWS_REGION": "us-east-1", "OTEL_METRICS_EXPORTER": "otlp"}, sys.stdout.buffer.write)
        raise RuntimeError"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (START_FAILED, b"")
    return json_lines(ended.stdout)


@pytest.fixture(scope="module")
def spans(invocations: list[Invoked]) -> list[dict[str, Any]]:
    return [span for each in invocations for span in each.spans]


@pytest.fixture(scope="module")
def run(dynamodb_endpoint: DynamoDBEndpoint, tmp_path_factory: pytest.TempPathFactory) -> KeptRun:
    """`mep local --keep` and `mep dlq` beside it."""
    return kept_run(dynamodb_endpoint.url, tmp_path_factory.mktemp("contract"))


def fields(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for each in objects for name in each}


def test_outcomes_categories_and_codes(log_lines: list[dict[str, Any]]) -> None:
    ended = [line for line in log_lines if line.get("event_type") == "event_outcome"]

    assert {line["outcome"] for line in ended} == OUTCOMES
    assert {line["error_category"] for line in ended if "error_category" in line} == CATEGORIES
    codes: dict[str, set[str]] = {}
    for line in ended:
        codes.setdefault(line.get("error_category", ""), set()).add(line.get("error_code", ""))
    assert {category: codes[category] for category in CODES} == CODES


def test_the_answer(invocations: list[Invoked]) -> None:
    answers = [each.answer for each in invocations if each.answer is not None]

    assert fields(answers) == ANSWER
    assert fields(broken for each in answers for broken in each.get("violations", ())) == VIOLATION


def test_what_is_raised(invocations: list[Invoked], run: KeptRun) -> None:
    raised = [each.error for each in invocations if each.error is not None]
    lines = [line for line in run.lines("logs") if "errorType" in line]

    assert {type(error).__name__ for error in raised} == {line["errorType"] for line in lines} == {RAISED_TYPE}
    reasons = set()
    for text in (*map(str, raised), *(line["errorMessage"] for line in lines)):
        match = re.fullmatch(RAISED_TEXT, text)
        assert match
        assert match["category"] in CATEGORIES
        reasons.add((match["category"] == "throttling", match["reasons"] is not None))
    assert reasons == {(False, False), (True, False), (True, True)}
    assert {frozenset(line) for line in lines} == {frozenset(RUNTIME_LINE)}


def test_variables_that_the_function_asks_for() -> None:
    asked = Asked()
    with output_file() as output, pytest.raises(SystemExit):
        start_or_exit(asked, output.write, 0)

    assert asked.names == FUNCTION_VARIABLES


def test_metrics(invocations: list[Invoked]) -> None:
    documents = [line for each in invocations for line in each.metrics]
    directives = [directive for line in documents for directive in line["_aws"]["CloudWatchMetrics"]]

    assert {directive["Namespace"] for directive in directives} == {NAMESPACE}
    assert {tuple(names) for directive in directives for names in directive["Dimensions"]} == DIMENSIONS
    assert {metric["Name"]: metric["Unit"] for directive in directives for metric in directive["Metrics"]} == METRICS
    dimensions = {name for names in DIMENSIONS for name in names}
    assert fields(documents) == {"_aws", *METRICS, *dimensions, *METRIC_PROPERTIES}


def test_log_lines(log_lines: list[dict[str, Any]]) -> None:
    kinds: dict[str, set[str]] = {}
    for line in log_lines:
        assert line.keys() >= ON_EVERY_LINE
        kinds.setdefault(line["event_type"], set()).update(line.keys() - ON_EVERY_LINE)
    assert kinds == LOG_LINES
    assert {line["level"] for line in log_lines} == LOG_LEVELS
    assert fields(line["timings_ms"] for line in log_lines if "timings_ms" in line) == TIMINGS


def test_spans(spans: list[dict[str, Any]]) -> None:
    assert {span["name"]: (span["kind"], span["scope"]) for span in spans} == SPANS
    assert fields(span["attributes"] for span in spans) == SPAN_ATTRIBUTES
    assert {name for span in spans for name in span["attributes"]["aws.xray.annotations"]} == ANNOTATIONS
    assert fields(span["resource"] for span in spans) == RESOURCE_ATTRIBUTES
    events: dict[str, set[str]] = {}
    for event in (event for span in spans for event in span["events"]):
        events.setdefault(event["name"], set()).update(event["attributes"])
    assert events == SPAN_EVENTS


def test_dead_letters_of_the_function(run: KeptRun) -> None:
    found = [line["attributes"] for line in run.commands["list"].json["letters"] if line["shape"] == "handler"]

    assert {frozenset(each) for each in found} == {
        frozenset(DEAD_LETTER_ATTRIBUTES),
        frozenset({*DEAD_LETTER_ATTRIBUTES, THROTTLED_BEFORE}),
    }
    assert {each["SOURCE"] for each in found} == {DEAD_LETTER_SOURCE}


def test_rows_and_audit_entries(run: KeptRun) -> None:
    marked = [row for row in run.lines("calendar") if row["is_processed"]]
    # A row whose mark was removed keeps the time of its last write.
    others = [row for row in run.lines("calendar") if not row["is_processed"] and "updated_at" not in row]
    audit = run.lines("audit")

    assert fields(marked) - fields(others) == ROW_ATTRIBUTES - {"is_processed"}
    assert {entry["action"]: set(entry) for entry in audit} == AUDIT_ENTRIES
    assert {entry["previous_state"] for entry in audit} == PREVIOUS_STATES


def test_commands() -> None:
    assert commands() == COMMANDS
    assert make_targets() == TARGETS


@pytest.mark.timeout(600)
def test_exit_statuses(run: KeptRun) -> None:
    assert {run.commands[name].status for name in ("list", "show", "discard", "trace", "check")} == {SUCCEEDED}
    assert run.commands["redrive"].status == FAILED, "with --wait: the event failed again"
    assert (run.commands["refused"].status, run.status) == (FAILED, FAILED)
    assert run.commands["found"].status == FAILED
    assert {run.commands[name].status for name in ("unasked", "unchecked")} == {UNAVAILABLE}
    assert mep("no-such-command").status == WRONG_USAGE
    assert STATUSES == {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


def test_files_of_a_local_run(run: KeptRun) -> None:
    assert run.files == LOCAL_FILES
    assert set(run.variables) == KEPT_VARIABLES
    assert set(run.summary) == SUMMARY
    assert {name: fields(run.lines(name)) for name in LINES} == LINES


def test_json_of_the_dead_letter_commands(run: KeptRun) -> None:
    listed = run.commands["list"].json

    assert set(listed) == DLQ_LIST
    assert fields(listed["summary"]) == DLQ_SUMMARY
    assert fields(listed["groups"]) == fields(listed["ages"]) == DLQ_GROUP
    assert fields(listed["letters"]) == set(run.commands["show"].json) == DLQ_MESSAGE
    redriven, discarded, refused = (run.commands[name].json for name in ("redrive", "discard", "refused"))
    for result in (redriven, discarded, refused):
        assert set(result) == DLQ_RESULT
        assert set(result["counts"]) == DLQ_COUNTS
        assert fields(result["messages"]) == DLQ_RESULT_MESSAGE
    assert set(redriven["returns"]) == DLQ_RETURNS
    assert redriven["returns"]["returned"] == 1
    assert [redriven["action"], discarded["action"]] == ["redrive", "discard"]
    assert (redriven["counts"]["sent"], discarded["counts"]["discarded"]) == (1, 1)
    sent_again = [line["body"] for line in run.lines("dlq") if '"lost-1"' in line["body"]]
    assert [REDRIVE_COUNT in body for body in sent_again] == [True]


def test_metrics_of_the_dead_letter_commands(run: KeptRun) -> None:
    data = [each for sent in run.operator_metrics for each in sent["MetricData"]]

    assert {sent["Namespace"] for sent in run.operator_metrics} == {NAMESPACE}
    assert {each["MetricName"]: each["Unit"] for each in data} == OPERATOR_METRICS
    assert {tuple(pair["Name"] for pair in each["Dimensions"]) for each in data} == {("Environment",)}


def test_json_of_a_trace(run: KeptRun) -> None:
    trace = run.commands["trace"].json
    moments = [moment for part in trace["parts"] for moment in part["moments"]]

    unasked = run.commands["unasked"].json

    assert set(trace) == set(unasked) == TRACE
    assert (trace["complete"], trace["not_asked"], unasked["complete"]) == (True, [], False)
    assert {frozenset(gap) for gap in unasked["not_asked"]} == {frozenset(TRACE_NOT_ASKED)}
    assert fields(trace["parts"]) == TRACE_PART
    assert fields(moments) == TRACE_MOMENT
    assert {moment["kind"] for moment in moments} == {"span", "log", "backoff", "audit", "bus"}


def test_json_of_several_events(tmp_path: Path) -> None:
    line = {"timestamp": "2026-11-27T12:00:00Z", "asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
    lines = [json.dumps({**line, "correlation_id": name}) for name in ("a", "b")]
    (tmp_path / "logs.jsonl").write_text("\n".join(lines))
    answer = mep("trace", "AAPL", "--run", tmp_path, "--json").json

    assert set(answer) == TRACE_EVENTS
    assert fields(answer["events"]) == TRACE_EVENT


def test_json_of_a_check_of_the_calendar(run: KeptRun) -> None:
    fine, found, unasked = (run.commands[name].json for name in ("check", "found", "unchecked"))

    for result in (fine, found, unasked):
        assert set(result) == CALENDAR_CHECK
        assert set(result["counts"]) == CALENDAR_COUNTS
    assert fields(found["findings"]) == CALENDAR_FINDING
    assert fields(mark for finding in found["findings"] for mark in finding["marks"]) == CALENDAR_MARK
    assert {finding["kind"] for finding in found["findings"]} == {"mark_lost"}
    assert (fine["complete"], fine["problem"], unasked["complete"]) == (True, None, False)
    assert set(unasked["problem"]) == CALENDAR_PROBLEM


def test_json_of_a_query(run: KeptRun) -> None:
    found = run.commands["query"].json
    listed = mep("query", "--json").json

    assert set(found) == QUERY_RESULT
    assert (found["complete"], found["problem"]) == (True, None)
    assert found["rows"]
    assert all(set(row) <= set(found["columns"]) for row in found["rows"])
    assert set(listed) == QUERY_LIST
    assert fields(listed["queries"]) == QUERY_LISTED
    assert {query["name"] for query in listed["queries"]} == set(QUERIES)


def test_json_of_an_environment() -> None:
    def respond(call: Call) -> Reply:
        return ok(QueueUrl="https://sqs.test/1/q") if call.operation == "GetQueueUrl" else no_stack("s")

    with serving(respond) as url:
        own = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x"}
        found = mep("env", "dev", "--json", AWS_SECRET_ACCESS_KEY="x", **own).json

    assert set(found) == ENVIRONMENT_NAMES
    assert set(found["variables"]) == ENVIRONMENT_VARIABLES


def test_json_of_a_verification() -> None:
    def respond(call: Call) -> Reply:
        return no_stack("s") if call.operation == "DescribeStacks" else Reply(503, b"")

    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with serving(respond) as url:
        own = {"AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "eu-central-1"}
        ended = mep("verify", "--environment", "dev", "--full", "--json", **own, **keys)

    assert ended.status == UNAVAILABLE
    assert set(ended.json) == VERIFY
    assert fields(ended.json["checks"]) == VERIFY_CHECK
    assert [check["name"] for check in ended.json["checks"]] == [*VERIFY_CHECKS, *VERIFY_FULL_CHECKS]
    assert set(ended.json["round_trip"]) == VERIFY_ROUND_TRIP
    assert ended.json["round_trip"]["alarms"] == [f"mark-earnings-processed-dev-{name}" for name in VERIFY_ALARMS]
    assert ended.json["status"] in VERIFY_STATUSES
    assert {status.value for status in Status} == VERIFY_STATUSES
    detail = probe.probe_event("c", source="s", time="t")["detail"]
    assert {name: detail[name] for name in VERIFY_PROBE} == VERIFY_PROBE
    assert probe.ACTION == round_trip.ACTION == VERIFY_ACTION
    assert contract.ROUND_TRIP_KEYS == VERIFY_ROUND_TRIP_KEYS


@pytest.fixture(scope="module")
def stack() -> Template:
    return template("prod")


def test_context_of_the_deployment() -> None:
    with pytest.raises(Exception, match="known: ") as refused:
        read_context({"environment": "dev", "no_such_key": "x"})

    assert set(str(refused.value).rpartition("known: ")[2].split(", ")) == CONTEXT
    assert {file.name for file in (ROOT / "deploy" / "environments").iterdir()} == ENVIRONMENT_FILES


def test_outputs_and_variables_of_the_stack(stack: Template) -> None:
    assert set(stack.document["Outputs"]) == OUTPUTS
    assert set(stack.one("AWS::Lambda::Function")["Environment"]["Variables"]) == STACK_VARIABLES
    assert set(stack.hook("AWS::Lambda::Function")["Environment"]["Variables"]) == HOOK_VARIABLES
    (automatic,) = stack.automatic("AWS::Lambda::Function")
    assert set(automatic["Environment"]["Variables"]) == AUTO_REDRIVE_VARIABLES
    indexes = [
        index for table in stack.all("AWS::DynamoDB::Table") for index in table.get("GlobalSecondaryIndexes", ())
    ]
    assert {index["IndexName"] for index in indexes} == {AUDIT_INDEX}


def names_by_type(stack: Template) -> dict[str, set[str]]:
    """The names of all resources that have one."""
    found: dict[str, set[str]] = {}
    for resource in stack.resources.values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        own = {"Name", f"{re.sub('(Composite|Log)(?=Alarm)', '', kind.rpartition('::')[2])}Name"}
        for name in own & set(properties):
            found.setdefault(kind, set()).add(stack.resolve(properties[name]))
    return found


def test_names_in_the_stack(stack: Template) -> None:
    found = names_by_type(stack)

    kinds = ("Alarm", "CompositeAlarm", "LogAlarm")
    alarms = {name for kind in kinds for name in found.pop(f"AWS::CloudWatch::{kind}")}
    assert alarms == {f"{PREFIX}-{name}" for name in ALARMS}
    assert found.pop("AWS::Logs::QueryDefinition") == {f"{PREFIX}/{name}" for name in QUERIES}
    assert found == NAMES


def test_what_saved_queries_read_and_show(stack: Template) -> None:
    found = {
        each["Properties"]["Name"].removeprefix(f"{PREFIX}/"): query_words(each["Properties"]["QueryString"])
        for each in stack.resources.values()
        if each["Type"] == "AWS::Logs::QueryDefinition"
    }

    assert found == QUERIES


def test_the_container() -> None:
    commands_of_the_image = re.findall(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    compose = (ROOT / "docker-compose.yml").read_text()

    assert commands_of_the_image == [f'["{ENTRY_POINT}"]']
    assert set(re.findall(r"^  ([a-z]+):$", compose.partition("\nservices:\n")[2], re.MULTILINE)) == COMPOSE_SERVICES
    assert set(re.findall(r"\$\{([A-Z_]+)", compose)) == COMPOSE_VARIABLES


def test_what_looks_like_a_variable_in_the_source_is_listed() -> None:
    assert upper_snake_words() == VARIABLES | WORDS_OF_OTHERS
