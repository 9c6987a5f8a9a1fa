"""Alarms on ratios: the percentage of events or of writes that failed.

A ratio of small numbers is noise: one failure among three events is 33 %. So each alarm has a minimum count. Rarer
failures that retries do not resolve end in the dead-letter queue, where `dlq-arrival` alarms on each message.
"""

from collections.abc import Mapping

from handler.errors import ErrorCategory
from monitoring.model import Alarm, Metric, Severity

MIN_FAILURES = 4
"""Failures in a period from which a ratio counts. Lambda invokes the function three times within four minutes for one
event that keeps failing, so that three failures can be one event; the fourth is another event."""

MIN_WRITES = 10
"""Writes in a period from which the ratio of retries counts: a single write can retry eight times."""

ALARM_ON_FIRST = frozenset({ErrorCategory.ACCESS_DENIED, ErrorCategory.CONFIGURATION})
"""Categories whose alarm needs one failure only: the next event fails as well until an operator fixes the cause."""

RECEIVED = Metric("EventsReceived")
OPERATIONS = Metric("Operations")

_MEANING: Mapping[ErrorCategory, str] = {
    ErrorCategory.VALIDATION: "events violate the event contract; the producer must be fixed",
    ErrorCategory.NOT_FOUND: "the calendar has no row for the events; the calendar sync may be late",
    ErrorCategory.THROTTLING: "DynamoDB throttles the writes for longer than the function can wait",
    ErrorCategory.NETWORK: "DynamoDB is unreachable or does not respond in time",
    ErrorCategory.CONFLICT: "transactions conflict with others on the same rows",
    ErrorCategory.DYNAMODB: "DynamoDB returns server errors (5xx)",
    ErrorCategory.ACCESS_DENIED: "AWS denies access; check the role, key policies and credentials",
    ErrorCategory.CONFIGURATION: "a table is missing or rejects the request; no event succeeds until this is fixed",
    ErrorCategory.TIMEOUT: "invocations reach the function's timeout",
    ErrorCategory.INTERNAL: "the function has a defect",
}


def percentage(part: str, whole: str, *, least: str, minimum: int) -> str:
    """Return metric math for a percentage. It is zero where the denominator is zero or the count is too small.

    Args:
        part: The numerator, an expression without gaps.
        whole: The denominator, an expression without gaps.
        least: The expression that `minimum` applies to.
        minimum: The value of `least` from which the ratio counts.
    """
    return f"IF({whole}>0 AND {least}>={minimum}, 100*({part})/({whole}), 0)"


def zero_filled(name: str) -> str:
    """Return metric math that fills gaps with zero: counters are only emitted when they are not zero."""
    return f"FILL({name},0)"


def error_rate(category: ErrorCategory) -> Alarm:
    """Return the alarm on the percentage of events that fail with a category."""
    minimum = 1 if category in ALARM_ON_FIRST else MIN_FAILURES
    failed = zero_filled("failed")
    return Alarm(
        name=f"error-rate-{category.value.replace('_', '-')}",
        summary=f"More than 15 % of events fail with {category.value}: {_MEANING[category]}.",
        metrics={"failed": Metric("Errors", category=category.value), "received": RECEIVED},
        expression=percentage(failed, zero_filled("received"), least=failed, minimum=minimum),
        threshold=15,
        severity=Severity.PAGE if category in ALARM_ON_FIRST else Severity.TICKET,
        minimum=minimum,
    )


ERROR_RATES = tuple(error_rate(category) for category in ErrorCategory)

_RECEIVED = zero_filled("received")
_WRITES = zero_filled("operations")
_UNPROCESSED = f"{zero_filled('dead')}+{zero_filled('retried')}"
_FAILED_WRITES = f"{_WRITES}-{zero_filled('marked')}-{zero_filled('duplicate')}-{zero_filled('absent')}"

RATIOS = (
    Alarm(
        name="processing-failures",
        summary="More than 10 % of events were not processed: they were dead-lettered or returned to Lambda.",
        metrics={"dead": Metric("EventsDeadLettered"), "retried": Metric("EventsRetried"), "received": RECEIVED},
        expression=percentage(_UNPROCESSED, _RECEIVED, least=f"({_UNPROCESSED})", minimum=MIN_FAILURES),
        threshold=10,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="dynamodb-failures",
        summary="More than 15 % of DynamoDB writes failed, for any reason.",
        # There is no metric for this. A write failed if it was requested, and its result was neither "marked" nor
        # "already marked" nor "no such row".
        metrics={
            "operations": OPERATIONS,
            "marked": Metric("EventsMarked"),
            "duplicate": Metric("EventsDuplicate"),
            "absent": Metric("Errors", category=ErrorCategory.NOT_FOUND.value),
        },
        expression=percentage(_FAILED_WRITES, _WRITES, least=f"({_FAILED_WRITES})", minimum=MIN_FAILURES),
        threshold=15,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="retries",
        summary="DynamoDB retries are more than 50 % of the number of writes, in at least two of three periods.",
        metrics={"retries": Metric("Retries"), "operations": OPERATIONS},
        expression=percentage(zero_filled("retries"), _WRITES, least=_WRITES, minimum=MIN_WRITES),
        threshold=50,
        breaching=2,  # a short series of retries resolves itself
        minimum=MIN_WRITES,
    ),
    Alarm(
        name="idempotency-violations",
        summary="More than 20 % of events are different events for rows that are already processed.",
        metrics={"second": Metric("IdempotencyViolations"), "received": RECEIVED},
        expression=percentage(zero_filled("second"), _RECEIVED, least=zero_filled("second"), minimum=MIN_FAILURES),
        threshold=20,
        minimum=MIN_FAILURES,
    ),
)

PERCENTAGES: Mapping[str, str] = {
    "processing-failures": f"100*({_UNPROCESSED})/{_RECEIVED}",
    "dynamodb-failures": f"100*({_FAILED_WRITES})/{_WRITES}",
    "retries": f"100*{zero_filled('retries')}/{_WRITES}",
}
"""The ratio of each alarm that the dashboard graphs, without its minimum count: a graph that shows 0 % where one of
three events failed is false. CloudWatch drops a data point whose denominator is zero."""

RETRY_SUCCESS_METRICS: Mapping[str, Metric] = {
    "healed": Metric("RetrySuccesses"),
    "retried": Metric("Retries", statistic="SampleCount"),  # an event has one write, and one value if that was retried
}
RETRY_SUCCESS = f"100*{zero_filled('healed')}/{zero_filled('retried')}"
"""Writes that succeeded after a retry over writes that were retried. No alarm: those that fail have alarms."""
