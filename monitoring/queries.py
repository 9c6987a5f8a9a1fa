"""Saved Logs Insights queries, and X-Ray groups: from an alarm to the event behind it.

The function's lines and its metric lines are in one log group. `event_type` tells kinds of lines apart: there is one
`event_outcome` line per event. No query matches a line's text.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from monitoring.model import Query, TraceGroup

QUERIES = (
    Query(
        name="by-correlation-id",
        purpose="everything that was logged about one event, across retries and redrives",
        text="""fields @timestamp, level, event_type, message, outcome, error_category, error_code,
  attempt, attempts, delay_ms, throttling_reasons.0, request_id
| filter correlation_id = "PUT-THE-CORRELATION-ID-HERE"
| sort @timestamp asc
| limit 1000""",
    ),
    Query(
        name="error-categories",
        purpose="what fails, and why: events by category and code",
        text="""filter event_type = "event_outcome" and ispresent(error_category)
| stats count(*) as events, earliest(@timestamp) as first, latest(@timestamp) as last by error_category, error_code
| sort events desc""",
    ),
    Query(
        name="failed-events",
        purpose="the events that were not processed, newest first, with what to look them up by",
        text="""fields @timestamp, outcome, error_category, error_code,
  asset_symbol, earnings_date, correlation_id, trace_id
| filter event_type = "event_outcome" and outcome in ["dead_lettered", "retry"]
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="invalid-events",
        purpose="which rules of the contract the producers break",
        text="""filter event_type = "event_outcome" and error_category = "validation"
| stats count(*) as events by violations.0.field, violations.0.rule, violations.0.received
| sort events desc""",
    ),
    Query(
        name="slowest-events",
        purpose="where the time of the slowest events goes",
        text="""fields @timestamp, timings_ms.total, timings_ms.write, timings_ms.backoff,
  timings_ms.dead_letter, timings_ms.flush, attempts, cold_start, outcome, correlation_id
| filter event_type = "event_outcome"
| sort timings_ms.total desc
| limit 50""",
    ),
    Query(
        name="retries",
        purpose="what is tried again, how often and after which delays",
        text="""filter event_type = "retry_backoff"
| stats count(*) as waits, avg(delay_ms) as mean_ms, max(delay_ms) as longest_ms by error_category, attempt
| sort error_category, attempt""",
    ),
    Query(
        name="throttling",
        purpose="why DynamoDB throttles, and whether it is one symbol: more capacity, or another key",
        text="""filter event_type = "event_outcome" and ispresent(throttling_reasons.0)
| stats count(*) as events, max(attempts) as most_attempts by throttling_reasons.0, asset_symbol
| sort events desc
| limit 100""",
    ),
    Query(
        name="security",
        purpose="what AWS denied the function",
        text="""fields @timestamp, error_code, correlation_id, request_id
| filter event_type = "access_denied"
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="dead-letters",
        purpose="which events went to the queue, by the message ID there, and which could not",
        text="""fields @timestamp, dead_letter_id, dead_letter_error, error_category, error_code,
  asset_symbol, correlation_id
| filter ispresent(dead_letter_id) or ispresent(dead_letter_error)
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="duplicates",
        purpose="rows that were marked before: by the same event delivered again, or by another one",
        text="""filter event_type = "event_outcome" and outcome = "duplicate"
| stats count(*) as events by same_event, asset_symbol, earnings_date
| sort events desc
| limit 100""",
    ),
    Query(
        name="memory",
        purpose="memory over time, from the metric lines, with the events that took it furthest",
        text="""filter ispresent(MemoryUtilization)
| stats max(MemoryUtilization) as highest, avg(MemoryUtilization) as mean, count(*) as events by bin(5m)""",
    ),
    Query(
        name="cold-starts",
        purpose="how long sandboxes take to start",
        text="""filter ispresent(InitDuration)
| stats count(*) as starts, avg(InitDuration) as mean_ms, max(InitDuration) as longest_ms by bin(1h)""",
    ),
    Query(
        name="telemetry-trouble",
        purpose="what telemetry itself lost, and defects of the function",
        text="""fields @timestamp, level, event_type, message, lost_spans, kept_lines, exception_type, exception_at,
  correlation_replaced, logger
| filter event_type in ["spans_lost", "spans_not_exported", "metrics_not_written", "library"]
  or ispresent(exception_type) or ispresent(correlation_replaced)
| sort @timestamp desc
| limit 100""",
    ),
    Query(
        name="invocations",
        purpose="what Lambda itself says of each invocation: time-outs, crashes, memory, billed time",
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
