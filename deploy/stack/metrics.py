"""CDK metrics of the monitored resources, for alarms and widgets."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from deploy.context import DEFAULT_BUS
from monitoring import model
from otel import semconv


@dataclass(frozen=True, slots=True)
class MonitoredResources:
    """The resources that alarms and dashboard monitor.

    Attributes:
        function: The function or an alias of it. Its metrics cover all versions and aliases.
        queue: The dead-letter queue.
        rule: The name of the rule that delivers events. A text, because CDK's `rule_name` is not the name on a custom
            bus: CloudFormation's `Ref` returns `BUS|RULE` there
            (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131).
        bus: The name of the rule's bus.
        log_group: The function's log group.
        memory_mb: The function's memory.
        timeout_seconds: The function's timeout.
        service: The service name in traces; None if it is the function's name.
    """

    function: lambda_.IFunction
    queue: sqs.IQueue
    rule: str
    bus: str
    log_group: logs.ILogGroup
    memory_mb: int
    timeout_seconds: int = 30
    service: str | None = None

    @property
    def function_name(self) -> str:
        """Return the function's name, without an alias."""
        return (self.function.lambda_ if isinstance(self.function, lambda_.Alias) else self.function).function_name

    @property
    def limits(self) -> model.Limits:
        """Return what thresholds depend on."""
        return model.Limits(self.timeout_seconds, self.memory_mb)


class MetricFactory:
    """Creates CDK metrics from definitions, with the dimensions of the monitored resources."""

    def __init__(self, monitored: MonitoredResources, environment: str) -> None:
        self._environment = environment
        self._dimensions: Mapping[model.Source, dict[str, str]] = {
            model.Source.FUNCTION: {semconv.ENVIRONMENT_DIMENSION: environment},
            model.Source.LAMBDA: {"FunctionName": monitored.function_name},
            model.Source.QUEUE: {"QueueName": monitored.queue.queue_name},
            # On a custom bus both: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html.
            model.Source.RULE: {
                **({} if monitored.bus == DEFAULT_BUS else {"EventBusName": monitored.bus}),
                "RuleName": monitored.rule,
            },
        }

    def metric(self, metric: model.Metric, period: int, label: str | None = None) -> cw.Metric:
        """Return one time series."""
        dimensions = dict(self._dimensions[metric.source])
        if metric.category is not None:
            dimensions[semconv.ERROR_CATEGORY_DIMENSION] = metric.category
        return cw.Metric(
            namespace=metric.source.value,
            metric_name=metric.name,
            dimensions_map=dimensions,
            statistic=metric.statistic,
            period=cdk.Duration.seconds(period),
            label=label,
        )

    def value(
        self, metrics: Mapping[str, model.Metric], expression: str, period: int, label: str | None = None
    ) -> cw.IMetric:
        """Return a time series, or metric math over several."""
        if not expression:
            (metric,) = metrics.values()
            return self.metric(metric, period, label)
        return cw.MathExpression(
            expression=expression,
            using_metrics={name: self.metric(metric, period) for name, metric in metrics.items()},
            period=cdk.Duration.seconds(period),
            label=label,
        )
