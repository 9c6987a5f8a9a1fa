"""The metrics that the operator's commands send. Those of the function are in `otel.semconv`."""

from collections.abc import Mapping

from otel.semconv import ENVIRONMENT_DIMENSION, NAMESPACE

__all__ = ["ENVIRONMENT_DIMENSION", "METRICS", "NAMESPACE"]

METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "Count",  # messages that a command found: the volume as a person saw it
    "DeadLettersRedriven": "Count",  # accepted by the bus or by Lambda, and deleted
    "DeadLettersRedriveFailed": "Count",  # not accepted: the message is still in the queue
    "DeadLettersDiscarded": "Count",
}
"""Metric name to CloudWatch unit; dimension `Environment`. Sums over time are processing rates."""
