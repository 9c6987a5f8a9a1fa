"""Metrics of what people do with dead letters, by PutMetricData; a failure is a warning, never an error."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalError
from ops.dlq.settings import DlqSettings, one_line
from ops.names import ENVIRONMENT, METRICS, NAMESPACE


class OperatorMetrics:
    """Counts, and sends what was counted.

    Args:
        settings: where CloudWatch is, and which environment this is.
        warn: told why something could not be sent.
    """

    def __init__(self, settings: DlqSettings, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._warn = warn
        self._counts: dict[str, int] = {}
        self._client: Any = None

    def count(self, name: str, by: int = 1) -> None:
        """Add to a metric of `ops.names.METRICS`."""
        self._counts[name] = self._counts.get(name, 0) + by

    def send(self) -> None:
        """Send what was counted since the last time; what could not be sent is kept for the next."""
        counts = {name: count for name, count in self._counts.items() if count}
        if not counts:
            return
        if not self._settings.reachable("cloudwatch"):
            self._warn("metrics are not sent: AWS_ENDPOINT_URL_CLOUDWATCH is not set, and the queue is not AWS's own")
            self._counts.clear()
            return
        try:
            self._client = self._client or self._settings.client("cloudwatch")
            self._client.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": [{"Name": ENVIRONMENT, "Value": self._settings.environment}],
                        "Unit": METRICS[name],
                        "Value": count,
                    }
                    for name, count in counts.items()
                ],
            )
        except (BotoCoreError, ClientError, LocalError) as error:
            self._warn(f"metrics were not sent: {one_line(error)}")
        else:
            self._counts.clear()
