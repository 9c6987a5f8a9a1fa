"""Alarms on limits: time, memory, denied access, the queue, and the platform's own nets.

Gaps are filled here, too: without that CloudWatch looks further back for data where traffic is thin, and an alarm that
is over goes off again and again as the old points come and go.
"""

from monitoring.model import DAY, MINUTE, Alarm, Limits, Metric, Source
from monitoring.ratio_alarms import MIN_FAILURES, RECEIVED, zero_filled

_DELIVERED = f"IF({zero_filled('received')}>{zero_filled('sent')}, {zero_filled('received')}, {zero_filled('sent')})"


def any_of(name: str, summary: str, metric: Metric) -> Alarm:
    """An alarm at one. By the minute, so that it is quick; over five of them, since data may be late."""
    return Alarm(name, summary, {"any": metric}, threshold=0, expression=zero_filled("any"), period=MINUTE, within=5)


def function_limits(limits: Limits) -> tuple[Alarm, ...]:
    """Alarms on what an invocation may take."""
    return (
        Alarm(
            name="processing-time",
            summary="An event took more than five sixths of the function's time-out (25 s of 30 s).",
            metrics={"time": Metric("ProcessingTime", statistic="Maximum")},
            expression=zero_filled("time"),
            threshold=limits.timeout_seconds * 1000 * 5 / 6,
        ),
        Alarm(
            name="memory",
            summary=f"More than 80 % of the {limits.memory_mb} MB is in use: detail is being shed, and an end is near.",
            metrics={"memory": Metric("MemoryUtilization", statistic="Maximum")},
            expression=zero_filled("memory"),
            threshold=80,
        ),
        any_of("security", "AWS denied the function access to something.", Metric("SecurityErrors")),
    )


QUEUE = (
    Alarm(
        name="dlq-volume",
        summary="More than 10 % of the events end in the dead-letter queue.",
        metrics={"sent": Metric("NumberOfMessagesSent", Source.QUEUE), "received": RECEIVED},
        # Where the function does not even run, events go to the queue past it: then there are more letters than events.
        expression=f"IF({zero_filled('sent')}>={MIN_FAILURES}, 100*{zero_filled('sent')}/{_DELIVERED}, 0)",
        threshold=10,
        minimum=MIN_FAILURES,
    ),
    Alarm(
        name="dlq-depth",
        summary="There are dead letters: events that wait for a person. Goes off at one, however rare.",
        metrics={"depth": Metric("ApproximateNumberOfMessagesVisible", Source.QUEUE, "Maximum")},
        expression=zero_filled("depth"),
        threshold=0,
    ),
    Alarm(
        name="dlq-age",
        summary="A dead letter has been waiting for more than a day; after 14 days the queue deletes it.",
        metrics={"age": Metric("ApproximateAgeOfOldestMessage", Source.QUEUE, "Maximum")},
        expression=zero_filled("age"),
        threshold=DAY,
    ),
)

PLATFORM = (
    any_of(
        "async-events-dropped",
        "Lambda gave events up without running the function: too old, or not deliverable. Look for them in the queue.",
        Metric("AsyncEventsDropped", Source.LAMBDA),
    ),
    any_of(
        "destination-delivery-failures",
        "Lambda could not hand a failed event to the dead-letter queue: that event is lost to us.",
        Metric("DestinationDeliveryFailures", Source.LAMBDA),
    ),
    any_of(
        "rule-failed-invocations",
        "EventBridge could not deliver events to the function, and has given them up.",
        Metric("FailedInvocations", Source.RULE),
    ),
    any_of(
        "rule-dlq-failures",
        "EventBridge could not put an undelivered event into the dead-letter queue: that event is lost to us.",
        Metric("InvocationsFailedToBeSentToDlq", Source.RULE),
    ),
    Alarm(
        name="async-event-age",
        summary="Events wait more than 15 minutes in Lambda's own queue; one that is tried thrice waits about four.",
        metrics={"age": Metric("AsyncEventAge", Source.LAMBDA, "Maximum")},
        expression=zero_filled("age"),
        threshold=15 * MINUTE * 1000,
    ),
    Alarm(
        name="throttles",
        summary="Lambda keeps refusing to run the function for want of concurrency; the events wait meanwhile.",
        metrics={"throttles": Metric("Throttles", Source.LAMBDA)},
        expression=zero_filled("throttles"),
        threshold=0,
        breaching=2,  # Lambda tries again by itself: a moment of it costs nothing
    ),
    Alarm(
        name="unreported-failures",
        summary="Invocations fail without a word of the function's: it crashes, does not start, or is out of memory.",
        metrics={"failed": Metric("Errors", Source.LAMBDA), "raised": Metric("EventsRetried")},
        # The function's own metrics come through its log, so they may be later than Lambda's: hence twice.
        expression=f"{zero_filled('failed')}-{zero_filled('raised')}",
        threshold=MIN_FAILURES - 1,
        breaching=2,
        minimum=MIN_FAILURES,
    ),
)
