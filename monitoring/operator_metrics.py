"""The metrics that `mep dlq` sends. The function's metrics are in `otel.semconv`."""

from collections.abc import Mapping

from handler.contract import DISPLAY_NAME as NAMESPACE
from otel.semconv import ENVIRONMENT_DIMENSION

__all__ = ["ENVIRONMENT_DIMENSION", "METRICS", "NAMESPACE"]

METRICS: Mapping[str, str] = {
    "DeadLettersSeen": "Count",
    "DeadLettersRedriven": "Count",
    "DeadLettersRedriveFailed": "Count",
    "DeadLettersDiscarded": "Count",
}
"""Metric name to CloudWatch unit. The dimension is `Environment`."""
