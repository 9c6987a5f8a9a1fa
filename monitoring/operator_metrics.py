"""The metrics that `mep dlq` sends. `handler.outcome` has the function's."""

from collections.abc import Mapping

METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "Count",
    "DeadLettersRedriven": "Count",
    "DeadLettersRedriveFailed": "Count",
    "DeadLettersDiscarded": "Count",
}
"""Metric name to CloudWatch unit. The dimension is `Environment`."""

AUTOMATIC_METRICS: Mapping[str, str] = {
    "DeadLettersLeft": "Count",
    "OldestDeadLetterAge": "Seconds",
    "CalendarRowsNotMarked": "Count",
    "CalendarMarksLost": "Count",
    "CalendarRowsMarkedTwice": "Count",
}
"""The metrics of the automatic redrive, besides the first three above. The age is also by `ErrorCategory`."""
