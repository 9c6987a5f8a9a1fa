"""Metrics of what people do with dead letters, by PutMetricData; a failure is a warning, never an error."""

from collections.abc import Callable

from mep.aws import Aws
from mep.aws_errors import asking
from mep.errors import LocalError
from monitoring.operator_metrics import ENVIRONMENT_DIMENSION, METRICS, NAMESPACE


class OperatorMetrics:
    """Counts, and sends what was counted.

    Args:
        aws: where CloudWatch is; None where there is none.
        environment: the metrics' dimension.
        warn: told why something could not be sent.
    """

    def __init__(self, aws: Aws | None, environment: str, warn: Callable[[str], None]) -> None:
        self._aws = aws
        self._environment = environment
        self._warn = warn
        self._counts: dict[str, int] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add to a metric of `monitoring.operator_metrics.METRICS`."""
        self._counts[name] = self._counts.get(name, 0) + by

    def send(self) -> None:
        """Send what was counted since the last time; what could not be sent is kept for the next."""
        counts = {name: count for name, count in self._counts.items() if count}
        if not counts:
            return
        try:
            if self._aws is None or (self._aws.emulated and not self._aws.reachable("cloudwatch")):
                self._warn(
                    "metrics are not sent: AWS_ENDPOINT_URL_CLOUDWATCH is not set, and the queue is not AWS's own"
                )
                self._counts.clear()
                return
            client = self._aws.client("cloudwatch")
            with asking("metrics were not sent", client):
                client.put_metric_data(
                    Namespace=NAMESPACE,
                    MetricData=[
                        {
                            "MetricName": name,
                            "Dimensions": [{"Name": ENVIRONMENT_DIMENSION, "Value": self._environment}],
                            "Unit": METRICS[name],
                            "Value": count,
                        }
                        for name, count in counts.items()
                    ],
                )
        except LocalError as error:
            self._warn(str(error))
        else:
            self._counts.clear()
