"""The dashboard: its sections follow the questions of an engineer on call."""

from collections.abc import Iterable

from handler.errors import ErrorCategory
from monitoring.cost import COST
from monitoring.model import HOUR, Kind, Line, Metric, Part, Section, Source, Widget
from monitoring.ratio_alarms import PERCENTAGES, RATIOS, RETRY_SUCCESS, RETRY_SUCCESS_METRICS, zero_filled
from monitoring.slo import BURN_RATE, WINDOWS


def _counts(*names: str, source: Source = Source.FUNCTION) -> tuple[Line, ...]:
    return tuple(_one(name, name, source=source) for name in names)


def _one(
    label: str,
    name: str,
    statistic: str = "Sum",
    source: Source = Source.FUNCTION,
    *,
    part: Part | None = None,
    right: bool = False,
) -> Line:
    return Line(label, {_id(label): Metric(name, source, statistic, part=part)}, right=right)


def _id(label: str) -> str:
    """Return a valid metric-math ID: a lower-case letter, then letters, digits and underscores."""
    return "m_" + "".join(character if character.isalnum() and character.isascii() else "_" for character in label)


def _percentiles(name: str, statistics: Iterable[str]) -> tuple[Line, ...]:
    return tuple(_one(statistic, name, statistic) for statistic in statistics)


def _ratio_of(name: str) -> Line:
    alarm = next(alarm for alarm in RATIOS if alarm.name == name)
    prefix = name.replace("-", "_")
    expression = PERCENTAGES[name]
    for old in alarm.metrics:
        expression = expression.replace(f"({old},", f"({prefix}_{old},")
    return Line(name, {f"{prefix}_{old}": metric for old, metric in alarm.metrics.items()}, expression)


_TIMES = ("p50", "p90", "p99", "Maximum")

HEALTHY = Section(
    "Is it healthy?",
    (
        Widget("Alarms", Kind.ALARMS, width=24, height=5),
        Widget(
            "Events",
            Kind.NUMBER,
            _counts("EventsReceived", "EventsMarked", "EventsDuplicate", "EventsDeadLettered", "EventsRetried"),
            width=12,
            height=4,
        ),
        Widget(
            "Error budget burn rate",
            Kind.GRAPH,
            tuple(Line(window.name, dict(window.metrics), BURN_RATE) for window in WINDOWS[:1]),
            threshold=WINDOWS[0].threshold,
            period=WINDOWS[0].period,
            width=12,
            height=4,
        ),
        Widget(
            "Outcomes",
            Kind.STACKED,
            _counts("EventsMarked", "EventsDuplicate", "EventsDeadLettered", "EventsRetried"),
            unit="events",
            width=12,
        ),
        Widget(
            "Events not processed",
            Kind.GRAPH,
            (_ratio_of("processing-failures"), _ratio_of("dynamodb-failures")),
            unit="%",
            threshold=10,
            width=12,
        ),
    ),
)

FAILURES = Section(
    "What fails, and why?",
    (
        Widget(
            "Errors by category",
            Kind.STACKED,
            tuple(
                Line(category.value, {f"m_{category.value}": Metric("Errors", category=category.value)})
                for category in ErrorCategory
            ),
            unit="events",
            width=12,
        ),
        Widget("Causes", Kind.LOG, query="error-categories", width=12),
        Widget("Access denied by AWS", Kind.GRAPH, _counts("SecurityErrors"), unit="events"),
        Widget(
            "Idempotency violations and replaced correlation IDs",
            Kind.GRAPH,
            _counts("IdempotencyViolations", "CorrelationIdsReplaced"),
            unit="events",
        ),
        Widget("Failed events", Kind.LOG, query="failed-events"),
    ),
)

RETRIES = Section(
    "Is it retrying?",
    (
        Widget(
            "Retries and successful retries",
            Kind.GRAPH,
            _counts("Operations", "Retries", "RetrySuccesses"),
            unit="writes",
            width=6,
        ),
        Widget("Retry rate", Kind.GRAPH, (_ratio_of("retries"),), unit="%", threshold=50, width=6),
        Widget(
            "Retry success rate",
            Kind.GRAPH,
            (Line("writes that succeeded after a retry", RETRY_SUCCESS_METRICS, RETRY_SUCCESS),),
            unit="%",
            width=6,
        ),
        Widget("Retry delay", Kind.GRAPH, _percentiles("RetryDelay", _TIMES), unit="ms", width=6),
    ),
)

DEAD_LETTERS = Section(
    "What is in the dead-letter queue?",
    (
        Widget(
            "Messages in the queue",
            Kind.GRAPH,
            (
                _one("visible", "ApproximateNumberOfMessagesVisible", "Maximum", Source.QUEUE),
                _one("age of the oldest (s)", "ApproximateAgeOfOldestMessage", "Maximum", Source.QUEUE, right=True),
            ),
            unit="messages",
        ),
        Widget(
            "Messages sent, redriven and discarded",
            Kind.GRAPH,
            (
                _one("sent", "NumberOfMessagesSent", source=Source.QUEUE),
                _one("deleted", "NumberOfMessagesDeleted", source=Source.QUEUE),
                _one("redriven", "DeadLettersRedriven"),
                _one("redrive failed", "DeadLettersRedriveFailed"),
                _one("discarded", "DeadLettersDiscarded"),
            ),
            unit="messages",
        ),
        Widget(
            "Platform delivery failures",
            Kind.GRAPH,
            (
                *_counts("AsyncEventsDropped", "DestinationDeliveryFailures", "Throttles", source=Source.LAMBDA),
                *_counts("FailedInvocations", "InvocationsFailedToBeSentToDlq", source=Source.RULE),
            ),
            unit="events",
        ),
    ),
)

TIME = Section(
    "Is it fast?",
    (
        Widget("Processing time per event", Kind.GRAPH, _percentiles("ProcessingTime", _TIMES), unit="ms"),
        Widget("DynamoDB latency per attempt", Kind.GRAPH, _percentiles("DynamoDBLatency", _TIMES), unit="ms"),
        Widget(
            "Event age at invocation",
            Kind.GRAPH,
            (
                _one("mean", "AsyncEventAge", "Average", Source.LAMBDA),
                _one("Maximum", "AsyncEventAge", "Maximum", Source.LAMBDA),
            ),
            unit="ms",
        ),
    ),
)

MEMORY = Section(
    "Does it have enough memory?",
    (
        Widget(
            "Memory utilization",
            Kind.GRAPH,
            (_one("highest", "MemoryUtilization", "Maximum"), _one("mean", "MemoryUtilization", "Average")),
            unit="%",
            threshold=80,
            width=12,
        ),
        Widget("Memory used", Kind.GRAPH, _percentiles("MemoryUsed", ("p50", "Maximum")), unit="MB", width=12),
    ),
)

STARTS = Section(
    "Are cold starts fast?",
    (
        Widget("Cold starts", Kind.GRAPH, _counts("ColdStarts"), unit="starts"),
        Widget("Initialization time", Kind.GRAPH, _percentiles("InitDuration", ("p50", "Maximum")), unit="ms"),
        Widget(
            "Unreported failures and delayed metrics",
            Kind.GRAPH,
            (
                Line(
                    "unreported failures",
                    {"m_failed": Metric("Errors", Source.LAMBDA), "m_raised": Metric("EventsRetried")},
                    f"{zero_filled('m_failed')}-{zero_filled('m_raised')}",
                ),
                *_counts("MetricsFailures", "SpansLost"),
            ),
            unit="events",
        ),
    ),
)

SERVICES = Section(
    "Do the services around it work?",
    (
        Widget(
            "Events that the rules matched",
            Kind.GRAPH,
            (
                _one("for the function", "MatchedEvents", source=Source.RULE),
                _one("other detail types", "MatchedEvents", source=Source.RULE, part=Part.UNMATCHED),
            ),
            unit="events",
            period=HOUR,
        ),
        Widget(
            "DynamoDB server errors and throttled writes",
            Kind.GRAPH,
            (
                *(
                    _one(f"errors: {part.value}", "SystemErrors", source=Source.TABLE, part=part)
                    for part in (Part.CALENDAR, Part.AUDIT)
                ),
                *(
                    _one(f"throttled: {part.value}", "WriteThrottleEvents", source=Source.TABLE, part=part)
                    for part in (Part.CALENDAR, Part.AUDIT, Part.AUDIT_INDEX)
                ),
            ),
            unit="requests",
        ),
        Widget(
            "Notifications that failed",
            Kind.GRAPH,
            tuple(
                _one(part.value, "NumberOfNotificationsFailed", source=Source.TOPIC, part=part)
                for part in (Part.PAGES, Part.TICKETS)
            ),
            unit="notifications",
        ),
    ),
)

SECTIONS = (HEALTHY, FAILURES, RETRIES, DEAD_LETTERS, TIME, MEMORY, STARTS, SERVICES, COST)
