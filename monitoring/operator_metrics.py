"""The metrics that `mep dlq` sends. `handler.outcome` has the function's."""

from collections.abc import Mapping

METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "Count",
    "DeadLettersRedriven": "Count",
    "DeadLettersRedriveFailed": "Count",
    "DeadLettersDiscarded": "Count",
}
"""Metric name to CloudWatch unit. The dimension is `Environment`."""
