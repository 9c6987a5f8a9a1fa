"""Alarms on shares: so many per cent of the events, or of the writes, failed.

A share of few is noise: one failure among three events is 33 %. So each has a minimum count, and what is too rare for
it is told by the queue: whatever did not heal lies there in the end, and `dlq-depth` goes off at one message.
"""

from collections.abc import Mapping

from handler.errors import ErrorCategory
from monitoring.model import Alarm, Metric

MIN_FAILURES = 4
"""Failures in a period from which a share counts. Lambda delivers one event that keeps failing three times within four
minutes, so that three may all be one event: the fourth is another's."""

MIN_WRITES = 10
"""Writes in a period from which the share of retries counts: a single write may retry eight times by itself."""

ALARM_ON_FIRST = frozenset({ErrorCategory.ACCESS_DENIED, ErrorCategory.CONFIGURATION})
"""Categories of which one failure is no noise: nothing heals them but a person, and the next event fails as well."""

RECEIVED = Metric("EventsReceived")
OPERATIONS = Metric("Operations")

_MEANING: Mapping[ErrorCategory, str] = {
    ErrorCategory.VALIDATION: "events arrive that break the contract; the producer has to change",
    ErrorCategory.NOT_FOUND: "events name rows that the calendar does not have; the calendar sync may be behind",
    ErrorCategory.THROTTLING: "DynamoDB throttles the writes for longer than there is time to wait",
    ErrorCategory.NETWORK: "DynamoDB cannot be reached, or does not answer in time",
    ErrorCategory.CONFLICT: "other transactions on the same rows do not let ours through",
    ErrorCategory.DYNAMODB: "DynamoDB fails by itself (5xx)",
    ErrorCategory.ACCESS_DENIED: "AWS denies the function what it needs: role, key policy or credentials",
    ErrorCategory.CONFIGURATION: "a table is missing or refuses the write; nothing succeeds until it is put right",
    ErrorCategory.TIMEOUT: "events do not come to an end before the function's time-out",
    ErrorCategory.INTERNAL: "a defect of the function's own",
}


def share(part: str, whole: str, *, least: str, minimum: int) -> str:
    """Metric math of a percentage that is zero where there is nothing to divide by, or too little to tell.

    Args:
        part: what is counted, an expression without gaps.
        whole: what it is a part of, an expression without gaps.
        least: the expression that the minimum is about.
        minimum: from which value of `least` the share counts.
    """
    return f"IF({whole}>0 AND {least}>={minimum}, 100*({part})/({whole}), 0)"


def zero_filled(name: str) -> str:
    """A time series with zero where it has no value: counters are only emitted where they are not zero."""
    return f"FILL({name},0)"


def error_rate(category: ErrorCategory) -> Alarm:
    """The alarm on one category's share of the events."""
    minimum = 1 if category in ALARM_ON_FIRST else MIN_FAILURES
    failed = zero_filled("failed")
    return Alarm(
        name=f"error-rate-{category.value.replace('_', '-')}",
        summary=f"More than 15 % of the events fail with {category.value}: {_MEANING[category]}.",
        metrics={"failed": Metric("Errors", category=category.value), "received": RECEIVED},
        expression=share(failed, zero_filled("received"), least=failed, minimum=minimum),
        threshold=15,
        minimum=minimum,
    )


ERROR_RATES = tuple(error_rate(category) for category in ErrorCategory)

_UNPROCESSED = f"{zero_filled('dead')}+{zero_filled('retried')}"
_UNMADE = f"{zero_filled('asked')}-{zero_filled('marked')}-{zero_filled('duplicate')}-{zero_filled('absent')}"

SHARES = (
    Alarm(
        name="processing-failures",
        summary="More than 10 % of the events were not processed: dead-lettered or given back to Lambda.",
        metrics={"dead": Metric("EventsDeadLettered"), "retried": Metric("EventsRetried"), "received": RECEIVED},
        expression=share(_UNPROCESSED, zero_filled("received"), least=f"({_UNPROCESSED})", minimum=MIN_FAILURES),
        threshold=10,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="dynamodb-failures",
        summary="More than 15 % of the writes to DynamoDB failed, whatever for.",
        # No metric of its own: a write that was asked for and was neither made, nor answered that the row is marked
        # already, nor that there is no such row, has failed.
        metrics={
            "asked": OPERATIONS,
            "marked": Metric("EventsMarked"),
            "duplicate": Metric("EventsDuplicate"),
            "absent": Metric("Errors", category=ErrorCategory.NOT_FOUND.value),
        },
        expression=share(_UNMADE, zero_filled("asked"), least=f"({_UNMADE})", minimum=MIN_FAILURES),
        threshold=15,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="retries",
        summary="Writes are tried again more often than every second one, and not only for a moment.",
        metrics={"retries": Metric("Retries"), "asked": OPERATIONS},
        expression=share(zero_filled("retries"), zero_filled("asked"), least=zero_filled("asked"), minimum=MIN_WRITES),
        threshold=50,
        breaching=2,  # retries are what heals: they are news when they go on
        minimum=MIN_WRITES,
    ),
    Alarm(
        name="idempotency-violations",
        summary="More than 20 % of the events are second, different events for rows that are processed already.",
        metrics={"second": Metric("IdempotencyViolations"), "received": RECEIVED},
        expression=share(
            zero_filled("second"), zero_filled("received"), least=zero_filled("second"), minimum=MIN_FAILURES
        ),
        threshold=20,
        minimum=MIN_FAILURES,
    ),
)
