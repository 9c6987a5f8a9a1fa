"""The CDK construct that turns the definitions into CloudFormation resources."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_xray as xray
from constructs import Construct

from deploy.context import DEFAULT_BUS
from deploy.stack.widgets import Widgets
from monitoring import model
from monitoring.alarms import COMPOSITES, ROLLBACK, alarms, anchor
from monitoring.dashboard import SECTIONS
from monitoring.queries import QUERIES, TRACE_GROUPS
from otel import semconv

RUNBOOK = "docs/runbook.md"
"""Where an alarm's description sends its reader, unless the stack knows an address."""


@dataclass(frozen=True, slots=True)
class MonitoredResources:
    """What is watched.

    Attributes:
        function: the function, or an alias of it. Its metrics are counted over all versions and aliases.
        queue: the dead-letter queue.
        rule: name of the rule that delivers events. A text, since CDK's `rule_name` is not the name on a bus of one's
            own: CloudFormation's `Ref` gives `BUS|RULE` there
            (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131).
        bus: name of the bus that the rule is on.
        log_group: where the function's log lines go.
        memory_mb: the function's memory.
        timeout_seconds: the function's time-out.
        service: the function's service name in traces; None for the function's own name.
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
        """The function's name, without an alias."""
        return (self.function.lambda_ if isinstance(self.function, lambda_.Alias) else self.function).function_name

    @property
    def limits(self) -> model.Limits:
        """What thresholds depend on."""
        return model.Limits(self.timeout_seconds, self.memory_mb)


class Series:
    """Turns plain metrics into CloudWatch's, with the dimensions of what is watched."""

    def __init__(self, monitored: MonitoredResources, environment: str) -> None:
        self._environment = environment
        self._dimensions: Mapping[model.Source, dict[str, str]] = {
            model.Source.FUNCTION: {semconv.ENVIRONMENT_DIMENSION: environment},
            model.Source.LAMBDA: {"FunctionName": monitored.function_name},
            model.Source.QUEUE: {"QueueName": monitored.queue.queue_name},
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html: both, on a bus of one's own.
            model.Source.RULE: {
                **({} if monitored.bus == DEFAULT_BUS else {"EventBusName": monitored.bus}),
                "RuleName": monitored.rule,
            },
        }

    def metric(self, metric: model.Metric, period: int, label: str | None = None) -> cw.Metric:
        """One time series."""
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
        """A time series, or metric math over some."""
        if not expression:
            (metric,) = metrics.values()
            return self.metric(metric, period, label)
        return cw.MathExpression(
            expression=expression,
            using_metrics={name: self.metric(metric, period) for name, metric in metrics.items()},
            period=cdk.Duration.seconds(period),
            label=label,
        )


class Monitoring(Construct):
    """Alarms, dashboard, saved queries and trace groups of one environment.

    Attributes:
        alarms: by name, composites included.
        dashboard: the dashboard.
        rollback: alarms that a gradual deployment watches.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        monitored: MonitoredResources,
        environment: str,
        topic: sns.ITopic,
        prefix: str | None = None,
        runbook: str = RUNBOOK,
    ) -> None:
        """Make them.

        Args:
            scope: parent.
            construct_id: as in CDK.
            monitored: what is watched.
            environment: value of the function's `ENVIRONMENT_DIMENSION`, and of the `Environment` dimension.
            topic: where alarms speak, and say that they are over.
            prefix: first part of all names; by default the function's `mark-earnings-processed-ENVIRONMENT`.
            runbook: address or path of the runbook; each description links to its section.
        """
        super().__init__(scope, construct_id)
        self._series = Series(monitored, environment)
        self._action = actions.SnsAction(topic)
        self._prefix = prefix or f"mark-earnings-processed-{environment}"
        self._runbook = runbook
        self.alarms: dict[str, cw.AlarmBase] = {}
        for alarm in alarms(monitored.limits):
            self.alarms[alarm.name] = self._alarm(alarm)
        for composite in COMPOSITES:
            self.alarms[composite.name] = self._composite(composite)
        self.rollback: list[cw.IAlarm] = [self.alarms[name] for name in ROLLBACK]
        widgets = Widgets(self._series, monitored.log_group, list(self.alarms.values()), monitored.memory_mb)
        self.dashboard = cw.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self._prefix,
            default_interval=cdk.Duration.hours(3),
            widgets=[row for section in SECTIONS for row in widgets.section(section)],
        )
        self._queries(monitored.log_group)
        self._trace_groups(monitored.service or monitored.function_name, environment)

    def _alarm(self, alarm: model.Alarm) -> cw.Alarm:
        made = cw.Alarm(
            self,
            _construct_id(alarm.name),
            alarm_name=f"{self._prefix}-{alarm.name}",
            alarm_description=self._description(alarm.name, alarm.summary),
            metric=self._series.value(alarm.metrics, alarm.expression, alarm.period, alarm.name),
            threshold=alarm.threshold,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=alarm.within,
            datapoints_to_alarm=alarm.breaching,
            treat_missing_data=_MISSING[alarm.missing],
        )
        if alarm.notifies:
            self._notify(made)
        return made

    def _composite(self, composite: model.Composite) -> cw.CompositeAlarm:
        made = cw.CompositeAlarm(
            self,
            _construct_id(composite.name),
            composite_alarm_name=f"{self._prefix}-{composite.name}",
            alarm_description=self._description(composite.name, composite.summary),
            alarm_rule=cw.AlarmRule.all_of(
                *(
                    cw.AlarmRule.any_of(
                        *(cw.AlarmRule.from_alarm(self.alarms[name], cw.AlarmState.ALARM) for name in group)
                    )
                    for group in composite.groups
                )
            ),
        )
        self._notify(made)
        return made

    def _notify(self, alarm: cw.AlarmBase) -> None:
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)

    def _description(self, name: str, summary: str) -> str:
        return f"{summary} What to do: {self._runbook}#{anchor(name)}"

    def _queries(self, log_group: logs.ILogGroup) -> None:
        for query in QUERIES:
            logs.CfnQueryDefinition(
                self,
                _construct_id(f"query-{query.name}"),
                name=f"{self._prefix}/{query.name}",
                query_string=f"# {query.purpose}\n{query.text}",
                log_group_names=[log_group.log_group_name],
            )

    def _trace_groups(self, service: str, environment: str) -> None:
        for group in TRACE_GROUPS:
            xray.CfnGroup(
                self,
                _construct_id(f"traces-{group.name}"),
                group_name=f"earnings-{environment}-{group.name}",
                filter_expression=group.filter.format(service=service),
            )


_MISSING: Mapping[model.Missing, cw.TreatMissingData] = {
    model.Missing.NOT_BREACHING: cw.TreatMissingData.NOT_BREACHING,
    model.Missing.BREACHING: cw.TreatMissingData.BREACHING,
    model.Missing.IGNORE: cw.TreatMissingData.IGNORE,
    model.Missing.MISSING: cw.TreatMissingData.MISSING,
}


def _construct_id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
