"""CDK metrics of the monitored resources, for alarms and widgets."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from deploy.context import DEFAULT_BUS
from handler.contract import CORRELATION_INDEX
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
        calendar_table: The name of the calendar table.
        audit_table: The name of the audit table.
        unmatched_rule: The name of the rule that matches events of the source with another detail-type.
        silence_hours: Hours without an event after which the team is notified; 0 for never.
        timeout_seconds: The function's timeout.
        service: The service name in traces; None if it is the function's name.
    """

    function: lambda_.IFunction
    queue: sqs.IQueue
    rule: str
    bus: str
    log_group: logs.ILogGroup
    memory_mb: int
    calendar_table: str
    audit_table: str
    unmatched_rule: str
    silence_hours: int = 0
    timeout_seconds: int = 30
    service: str | None = None

    @property
    def function_name(self) -> str:
        """Return the function's name, without an alias."""
        return (self.function.lambda_ if isinstance(self.function, lambda_.Alias) else self.function).function_name

    @property
    def limits(self) -> model.Limits:
        """Return what thresholds depend on."""
        return model.Limits(self.timeout_seconds, self.memory_mb, self.silence_hours)


class MetricFactory:
    """Creates CDK metrics from definitions, with the dimensions of the monitored resources.

    Args:
        monitored: The monitored resources.
        environment: The value of the dimension `Environment`.
        topics: The topics of the alarms, by severity.
    """

    def __init__(
        self, monitored: MonitoredResources, environment: str, topics: Mapping[model.Severity, sns.ITopic]
    ) -> None:
        self._environment = environment
        # On a custom bus both: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html.
        bus = {} if monitored.bus == DEFAULT_BUS else {"EventBusName": monitored.bus}
        calendar, audit = {"TableName": monitored.calendar_table}, {"TableName": monitored.audit_table}
        self._dimensions: Mapping[tuple[model.Source, model.Part | None], Mapping[str, str]] = {
            (model.Source.FUNCTION, None): {semconv.ENVIRONMENT_DIMENSION: environment},
            (model.Source.LAMBDA, None): {"FunctionName": monitored.function_name},
            (model.Source.QUEUE, None): {"QueueName": monitored.queue.queue_name},
            (model.Source.RULE, None): {**bus, "RuleName": monitored.rule},
            (model.Source.RULE, model.Part.UNMATCHED): {**bus, "RuleName": monitored.unmatched_rule},
            (model.Source.TABLE, model.Part.CALENDAR): calendar,
            (model.Source.TABLE, model.Part.AUDIT): audit,
            (model.Source.TABLE, model.Part.AUDIT_INDEX): {**audit, "GlobalSecondaryIndexName": CORRELATION_INDEX},
            (model.Source.TOPIC, model.Part.PAGES): {"TopicName": topics[model.Severity.PAGE].topic_name},
            (model.Source.TOPIC, model.Part.TICKETS): {"TopicName": topics[model.Severity.TICKET].topic_name},
        }

    def metric(self, metric: model.Metric, period: int, label: str | None = None) -> cw.Metric:
        """Return one time series."""
        dimensions = {
            **self._dimensions[metric.source, metric.part],
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
            **({"Operation": "TransactWriteItems"} if metric.name == "SystemErrors" else {}),
        }
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
