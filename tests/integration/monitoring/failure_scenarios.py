"""The failure of each alarm, in the metrics of the function and of the AWS services.

The function's metrics are real: `tests.integration.monitoring.conftest.emf_lines`. The services' metrics follow their
documentation: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from handler.contract import CORRELATION_INDEX
from handler.errors import ErrorCategory
from tests.support.monitoring_template import AUDIT, BUS, CALENDAR, FUNCTION, QUEUE, RULE, SILENCE_HOURS

DIMENSIONS: Mapping[str, Mapping[str, str]] = {
    "AWS/Lambda": {"FunctionName": FUNCTION},
    "AWS/SQS": {"QueueName": QUEUE},
    "AWS/Events": {"EventBusName": BUS, "RuleName": RULE},
    "AWS/Events unmatched": {"EventBusName": BUS, "RuleName": f"{RULE}-unmatched"},
    "AWS/DynamoDB errors": {"TableName": CALENDAR, "Operation": "TransactWriteItems"},
    "AWS/DynamoDB": {"TableName": CALENDAR},
    "AWS/DynamoDB index": {"TableName": AUDIT, "GlobalSecondaryIndexName": CORRELATION_INDEX},
    "AWS/SNS": {"TopicName": "page"},
}
"""The dimensions of each namespace, and of its other resources."""


@dataclass(frozen=True, slots=True)
class FailureScenario:
    """A failure that lasts some minutes.

    Attributes:
        kinds: The kinds of events in each minute.
        counted: The services' metrics in each minute: namespace, name, value.
        minutes: How long it lasts.
        every: Minutes from one data point to the next.
    """

    kinds: tuple[str, ...] = ()
    counted: tuple[tuple[str, str, float], ...] = ()
    minutes: int = 10
    every: int = 1


_SERVICE_FAILURE = FailureScenario(("throttling",))

FAILURES: Mapping[str, FailureScenario] = {
    **{
        f"error-rate-{category.value.replace('_', '-')}": FailureScenario((category.value,))
        for category in ErrorCategory
    },
    "processing-failures": FailureScenario(("validation", "throttling")),
    "dynamodb-failures": FailureScenario(("internal", "dynamodb")),
    "retries": FailureScenario(("helped",)),
    "idempotency-violations": FailureScenario(("second",)),
    "processing-time": FailureScenario(("slow",)),
    "memory": FailureScenario(("full",)),
    "security": FailureScenario(("access_denied",)),
    "dlq-volume": FailureScenario(("validation",), (("AWS/SQS", "NumberOfMessagesSent", 5),)),
    "dlq-depth": FailureScenario((), (("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1),)),
    "dlq-arrival": FailureScenario((), (("AWS/SQS", "NumberOfMessagesSent", 1),)),
    "dlq-age": FailureScenario((), (("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1),), minutes=25 * 60, every=30),
    "async-events-dropped": FailureScenario((), (("AWS/Lambda", "AsyncEventsDropped", 1),)),
    "destination-delivery-failures": FailureScenario((), (("AWS/Lambda", "DestinationDeliveryFailures", 1),)),
    "rule-failed-invocations": FailureScenario((), (("AWS/Events", "FailedInvocations", 1),)),
    "rule-dlq-failures": FailureScenario((), (("AWS/Events", "InvocationsFailedToBeSentToDlq", 1),)),
    "async-event-age": FailureScenario((), (("AWS/Lambda", "AsyncEventAge", 1_000_000),)),
    "throttles": FailureScenario((), (("AWS/Lambda", "Throttles", 1),)),
    "unreported-failures": FailureScenario((), (("AWS/Lambda", "Errors", 5),)),
    "silence": FailureScenario(minutes=(SILENCE_HOURS + 1) * 60, every=30),
    "unmatched-events": FailureScenario((), (("AWS/Events unmatched", "MatchedEvents", 1),)),
    "dynamodb-system-errors": FailureScenario((), (("AWS/DynamoDB errors", "SystemErrors", 5),)),
    "dynamodb-write-throttles": FailureScenario((), (("AWS/DynamoDB index", "WriteThrottleEvents", 10),)),
    "notification-failures": FailureScenario((), (("AWS/SNS", "NumberOfNotificationsFailed", 1),)),
    "spans-lost": FailureScenario(("unheard",)),
    "slo-fast-burn-long": _SERVICE_FAILURE,
    "slo-fast-burn-short": _SERVICE_FAILURE,
    "slo-slow-burn-long": _SERVICE_FAILURE,
    "slo-slow-burn-short": _SERVICE_FAILURE,
}

RAISED = frozenset(category.value for category in ErrorCategory if category.transient)
"""Categories for which the function raises: Lambda invokes it three times per event."""

ATTEMPTS = (0, 1.5, 4)
"""Minutes of the invocations for one event that keeps failing: Lambda waits about one and two minutes, and each attempt
can take half a minute."""

_ALL = {"marked", "duplicate", "second", "helped", *(category.value for category in ErrorCategory)}

OTHERS: Mapping[str, tuple[str, ...]] = {
    **{
        f"error-rate-{category.value.replace('_', '-')}": tuple(sorted(_ALL - {category.value}))
        for category in ErrorCategory
    },
    "processing-failures": ("duplicate", "helped", "marked", "second"),
    "dynamodb-failures": ("duplicate", "helped", "not_found", "second", "validation"),
    "retries": ("access_denied", "duplicate", "not_found", "second", "validation"),
    "idempotency-violations": tuple(sorted(_ALL - {"second"})),
    "processing-time": tuple(sorted(_ALL)),
    "memory": tuple(sorted(_ALL)),
    "security": tuple(sorted(_ALL - {"access_denied"})),
    "unreported-failures": tuple(sorted(_ALL)),
    "spans-lost": tuple(sorted(_ALL)),
    "slo-fast-burn-long": ("duplicate", "helped", "not_found", "second", "validation"),
    "slo-fast-burn-short": ("duplicate", "helped", "not_found", "second", "validation"),
    "slo-slow-burn-long": ("duplicate", "helped", "not_found", "second", "validation"),
    "slo-slow-burn-short": ("duplicate", "helped", "not_found", "second", "validation"),
}
"""Kinds of events on which the alarm stays OK."""
