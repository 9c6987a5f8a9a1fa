"""Saved CloudWatch Logs Insights queries and X-Ray groups: from an alarm to the events that caused it.

Log lines and metric lines are in one log group. `event_type` is the kind of a log line; there is one `event_outcome`
line per event. No query matches a message's text.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from handler.contract import CALENDAR
from monitoring.model import Query, TraceGroup

PARTITION_KEY = CALENDAR.key[0]
SUBJECT = ", ".join(CALENDAR.key)
CORRELATION_ID_PLACEHOLDER = "PUT-THE-CORRELATION-ID-HERE"

QUERIES = (
    Query(
        name="by-correlation-id",
        purpose="all log lines of one event, across retries and redrives",
        text=f"""fields @timestamp, level, event_type, message, outcome, error_category, error_code,
  attempt, attempts, delay_ms, throttling_reasons.0, request_id
| filter correlation_id = "{CORRELATION_ID_PLACEHOLDER}"
| sort @timestamp asc
| limit 1000""",
    ),
    Query(
        name="error-categories",
        purpose="failed events by error category and code",
        text="""filter event_type = "event_outcome" and ispresent(error_category)
| stats count(*) as events, earliest(@timestamp) as first, latest(@timestamp) as last by error_category, error_code
| sort events desc""",
    ),
    Query(
        name="failed-events",
        purpose="events that were not processed, newest first, with their IDs",
        text=f"""fields @timestamp, outcome, error_category, error_code,
  {SUBJECT}, correlation_id, trace_id
| filter event_type = "event_outcome" and outcome in ["dead_lettered", "retry"]
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="invalid-events",
        purpose="violations of the event contract by field and rule",
        text="""filter event_type = "event_outcome" and error_category = "validation"
| stats count(*) as events by violations.0.field, violations.0.rule, violations.0.received
| sort events desc""",
    ),
    Query(
        name="slowest-events",
        purpose="the slowest events, with a timing breakdown",
        text="""fields @timestamp, timings_ms.total, timings_ms.write, timings_ms.backoff,
  timings_ms.dead_letter, timings_ms.flush, attempts, cold_start, outcome, correlation_id
| filter event_type = "event_outcome"
| sort timings_ms.total desc
| limit 50""",
    ),
    Query(
        name="retries",
        purpose="retries by error category and attempt, with their delays",
        text="""filter event_type = "retry_backoff"
| stats count(*) as waits, avg(delay_ms) as mean_ms, max(delay_ms) as longest_ms by error_category, attempt
| sort error_category asc, attempt asc""",
    ),
    Query(
        name="throttling",
        purpose="throttled events by throttling reason and partition key: shows whether one key is hot",
        text=f"""filter event_type = "event_outcome" and ispresent(throttling_reasons.0)
| stats count(*) as events, max(attempts) as most_attempts by throttling_reasons.0, {PARTITION_KEY}
| sort events desc
| limit 100""",
    ),
    Query(
        name="security",
        purpose="calls that AWS denied",
        text="""fields @timestamp, error_code, correlation_id, request_id
| filter event_type = "access_denied"
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="dead-letters",
        purpose="dead letters by SQS message ID, and events that could not be sent to the queue",
        text=f"""fields @timestamp, dead_letter_id, dead_letter_error, error_category, error_code,
  {PARTITION_KEY}, correlation_id
| filter ispresent(dead_letter_id) or ispresent(dead_letter_error)
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="duplicates",
        purpose="duplicates: the same event delivered again, or another event for the row",
        text=f"""filter event_type = "event_outcome" and outcome = "duplicate"
| stats count(*) as events by same_event, {SUBJECT}
| sort events desc
| limit 100""",
    ),
    Query(
        name="memory",
        purpose="memory utilization over time, from the metric lines",
        text="""filter ispresent(MemoryUtilization)
| stats max(MemoryUtilization) as highest, avg(MemoryUtilization) as mean, count(*) as events by bin(5m)""",
    ),
    Query(
        name="cold-starts",
        purpose="initialization time of cold starts",
        text="""filter ispresent(InitDuration)
| stats count(*) as starts, avg(InitDuration) as mean_ms, max(InitDuration) as longest_ms by bin(1h)""",
    ),
    Query(
        name="telemetry-trouble",
        purpose="telemetry that was lost, unexpected exceptions and replaced correlation IDs",
        text="""fields @timestamp, level, event_type, message, lost_spans, kept_lines, exception_type, exception_at,
  correlation_replaced, logger
| filter event_type in ["spans_lost", "spans_not_exported", "metrics_not_written", "library"]
  or ispresent(exception_type) or ispresent(correlation_replaced)
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="invocations",
        purpose="Lambda's own report of each invocation: timeouts, crashes, memory, billed time",
        text="""fields @timestamp, record.status, record.errorType, record.metrics.durationMs,
  record.metrics.billedDurationMs,  record.metrics.maxMemoryUsedMB, record.requestId
| filter type = "platform.report"
| sort @timestamp desc
| limit 200""",
    ),
)

TRACE_GROUPS = (
    TraceGroup(
        name="events",
        purpose="all traces of the function",
        filter='service("{service}")',
    ),
    TraceGroup(
        name="failed",
        purpose="traces of events that were not processed",
        filter='service("{service}") AND (annotation.outcome = "dead_lettered" OR annotation.outcome = "retry")',
    ),
)
