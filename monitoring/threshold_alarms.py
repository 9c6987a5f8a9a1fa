"""Alarms on thresholds: time, memory, denied access, dead letters, lost spans, silence, failures of the platform.

Gaps are filled with zero. Without that CloudWatch looks further back for data when traffic is low, and an alarm that
was resolved returns to ALARM as old data points enter and leave the evaluation range.
"""

from monitoring.log_alarms import HOLD
from monitoring.model import HOUR, MINUTE, Alarm, Limits, Metric, Missing, Part, Severity, Source
from monitoring.ratio_alarms import MIN_FAILURES, RECEIVED, zero_filled

_DELIVERED = f"IF({zero_filled('received')}>{zero_filled('sent')}, {zero_filled('received')}, {zero_filled('sent')})"


def any_of(name: str, summary: str, metric: Metric, severity: Severity = Severity.TICKET, *, within: int = 5) -> Alarm:
    """Return an alarm on the first count, in one-minute periods: fast, and with five of them tolerant of late data."""
    return Alarm(
        name,
        summary,
        {"any": metric},
        threshold=0,
        expression=zero_filled("any"),
        period=MINUTE,
        within=within,
        severity=severity,
    )


def function_limits(limits: Limits) -> tuple[Alarm, ...]:
    """Return the alarms on the time and the memory of an invocation, and on denied access."""
    return (
        Alarm(
            name="processing-time",
            summary="An event took more than five sixths of the function's timeout (25 s of 30 s).",
            metrics={"time": Metric("ProcessingTime", statistic="Maximum")},
            expression=zero_filled("time"),
            threshold=limits.timeout_seconds * 1000 * 5 / 6,
        ),
        Alarm(
            name="memory",
            summary=f"More than 80 % of the {limits.memory_mb} MB is in use: telemetry is reduced, and "
            "the function may run out of memory.",
            metrics={"memory": Metric("MemoryUtilization", statistic="Maximum")},
            expression=zero_filled("memory"),
            threshold=80,
        ),
        any_of("security", "AWS denied the function access to a resource.", Metric("SecurityErrors"), Severity.PAGE),
    )


DEPTH = Metric("ApproximateNumberOfMessagesVisible", Source.QUEUE, "Maximum")

QUEUE = (
    Alarm(
        name="dlq-volume",
        summary="More than 10 % of events are sent to the dead-letter queue.",
        metrics={"sent": Metric("NumberOfMessagesSent", Source.QUEUE), "received": RECEIVED},
        # Events that the function never received go to the queue, too: there can be more dead letters than events.
        expression=f"IF({zero_filled('sent')}>={MIN_FAILURES}, 100*{zero_filled('sent')}/{_DELIVERED}, 0)",
        threshold=10,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="dlq-arrival",
        summary="A dead letter has arrived.",
        # The senders' own counts, too: SQS reports a queue that was idle for six hours up to 15 minutes late.
        metrics={
            "sent": Metric("NumberOfMessagesSent", Source.QUEUE),
            "dead": Metric("EventsDeadLettered"),
            "dropped": Metric("AsyncEventsDropped", Source.LAMBDA),
        },
        expression=f"{zero_filled('sent')}+{zero_filled('dead')}+{zero_filled('dropped')}",
        threshold=0,
    ),
    Alarm(
        name="dlq-depth",
        summary="The dead-letter queue is not empty: an operator must redrive or discard its messages.",
        metrics={"depth": DEPTH},
        expression=zero_filled("depth"),
        threshold=0,
        notifies=False,
    ),
    Alarm(
        name="dlq-age",
        summary="The dead-letter queue has not been empty for 24 hours. It deletes a message after 14 days.",
        # Not the age that SQS reports: it leaves out messages that were received three times, as by `mep dlq list`.
        metrics={"depth": DEPTH},
        expression=zero_filled("depth"),
        threshold=0,
        period=HOUR,
        within=24,
        breaching=24,
    ),
)

TELEMETRY = (
    Alarm(
        name="spans-lost",
        summary="Four or more events in an hour lost spans: their traces are incomplete. The events are not affected.",
        # Events with a loss, not spans: one event has several, and a collector that restarts loses those of a few.
        metrics={"losses": Metric("SpansLost", statistic="SampleCount")},
        expression=zero_filled("losses"),
        threshold=MIN_FAILURES - 1,
        period=HOUR,
        within=1,  # the window moves every minute: late data counts in the next evaluation
        minimum=MIN_FAILURES,
    ),
)


def silence(hours: int) -> Alarm:
    """Return the alarm on hours without an event. Missing data is what it is about."""
    return Alarm(
        name="silence",
        summary=f"The rule has matched no event for {hours} hours.",
        # Of the rule, not of the function: `mep verify` invokes the function, too.
        metrics={"matched": Metric("MatchedEvents", Source.RULE)},
        expression=f"IF({zero_filled('matched')}>0, 0, 1)",
        threshold=0,
        period=HOUR,
        within=hours,
        breaching=hours,
        missing=Missing.BREACHING,
    )


_MOST_ATTEMPTS = 9
"""Attempts at one event in five minutes that end in DynamoDB's server errors: three in each of three invocations."""

_MOST_THROTTLED = 27
"""Attempts at one event within five minutes that are throttled: nine in each of three invocations."""


def _largest(*names: str) -> str:
    """Return metric math for the largest of several counts: a transaction counts at each of its tables."""
    first, *others = map(zero_filled, names)
    largest = first
    for other in others:
        largest = f"IF({largest}>{other}, {largest}, {other})"
    return largest


DEPENDENCIES = (
    Alarm(
        name="unmatched-events",
        summary="Events of the source have another detail-type than the rule matches: the function does not get them.",
        metrics={"unmatched": Metric("MatchedEvents", Source.RULE, part=Part.UNMATCHED)},
        expression=zero_filled("unmatched"),
        threshold=0,
    ),
    Alarm(
        name="dynamodb-system-errors",
        summary="DynamoDB returns server errors for more writes than those of one event.",
        metrics={
            "calendar": Metric("SystemErrors", Source.TABLE, part=Part.CALENDAR),
            "audit": Metric("SystemErrors", Source.TABLE, part=Part.AUDIT),
        },
        expression=_largest("calendar", "audit"),
        threshold=_MOST_ATTEMPTS,
    ),
    Alarm(
        name="dynamodb-write-throttles",
        summary="DynamoDB throttles more writes to a table or its index than those of one event.",
        metrics={
            "calendar": Metric("WriteThrottleEvents", Source.TABLE, part=Part.CALENDAR),
            "audit": Metric("WriteThrottleEvents", Source.TABLE, part=Part.AUDIT),
            "index": Metric("WriteThrottleEvents", Source.TABLE, part=Part.AUDIT_INDEX),
        },
        expression=_largest("calendar", "audit", "index"),
        threshold=_MOST_THROTTLED,
    ),
    Alarm(
        name="notification-failures",
        summary="SNS could not deliver notifications of alarms.",
        metrics={
            "pages": Metric("NumberOfNotificationsFailed", Source.TOPIC, part=Part.PAGES),
            "tickets": Metric("NumberOfNotificationsFailed", Source.TOPIC, part=Part.TICKETS),
        },
        expression=f"{zero_filled('pages')}+{zero_filled('tickets')}",
        threshold=0,
    ),
)

PLATFORM = (
    any_of(
        "async-events-dropped",
        "Lambda discarded events that it could not process in time. They are in the dead-letter queue.",
        Metric("AsyncEventsDropped", Source.LAMBDA),
        Severity.PAGE,
        within=HOLD,
    ),
    any_of(
        "destination-delivery-failures",
        "Lambda could not send a failed event to the dead-letter queue: it is lost unless it is replayed.",
        Metric("DestinationDeliveryFailures", Source.LAMBDA),
        Severity.PAGE,
    ),
    any_of(
        "rule-failed-invocations",
        "EventBridge could not deliver events to the function and stopped retrying.",
        Metric("FailedInvocations", Source.RULE),
    ),
    any_of(
        "rule-dlq-failures",
        "EventBridge could not send an undelivered event to the dead-letter queue: it is lost unless it is replayed.",
        Metric("InvocationsFailedToBeSentToDlq", Source.RULE),
        Severity.PAGE,
    ),
    Alarm(
        name="async-event-age",
        summary="Events wait more than 15 minutes in Lambda's asynchronous queue. Two retries account for about four.",
        metrics={"age": Metric("AsyncEventAge", Source.LAMBDA, "Maximum")},
        expression=zero_filled("age"),
        threshold=15 * MINUTE * 1000,
    ),
    Alarm(
        name="throttles",
        summary="Lambda throttles the function because no concurrency is available. The events are delayed.",
        metrics={"throttles": Metric("Throttles", Source.LAMBDA)},
        expression=zero_filled("throttles"),
        threshold=0,
        breaching=2,  # Lambda retries: brief throttling does no harm
    ),
    Alarm(
        name="unreported-failures",
        summary="Invocations fail but the function reported nothing (crash, init failure or out of memory).",
        metrics={"failed": Metric("Errors", Source.LAMBDA), "raised": Metric("EventsRetried")},
        # The function's metrics come through its log and can be later than Lambda's: hence two periods.
        expression=f"{zero_filled('failed')}-{zero_filled('raised')}",
        threshold=MIN_FAILURES - 1,
        breaching=2,
        severity=Severity.PAGE,
        minimum=MIN_FAILURES,
    ),
)
