"""The CDK construct that creates alarms, dashboard, saved queries and X-Ray groups from their definitions."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_xray as xray
from constructs import Construct

from deploy.stack.metrics import MetricFactory, MonitoredResources
from deploy.stack.widgets import Widgets
from handler.contract import BUS, FUNCTION_NAME
from monitoring import model
from monitoring.alarms import COMPOSITES, ROLLBACK, alarms, anchor
from monitoring.dashboard import SECTIONS
from monitoring.queries import QUERIES, TRACE_GROUPS

RUNBOOK = "docs/runbook.md"
"""What an alarm's description links to, unless the context has a URL."""


class Monitoring(Construct):
    """Alarms, dashboard, saved queries and X-Ray groups of one environment.

    Args:
        monitored: The monitored resources.
        environment: The value of the dimension `Environment`.
        topic: Receives a message when an alarm goes into ALARM and when it returns to OK.
        prefix: The prefix of all names; by default `mark-earnings-processed-ENVIRONMENT`.
        runbook: The URL or path of the runbook. Each alarm's description links to its section.

    Attributes:
        alarms: By name, composites included.
        rollback: Alarms that roll a gradual deployment back.
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
        super().__init__(scope, construct_id)
        self._metrics = MetricFactory(monitored, environment)
        self._action = actions.SnsAction(topic)
        self._prefix = prefix or f"{FUNCTION_NAME}-{environment}"
        self._runbook = runbook
        self.alarms: dict[str, cw.AlarmBase] = {}
        for alarm in alarms(monitored.limits):
            self.alarms[alarm.name] = self._alarm(alarm)
        for composite in COMPOSITES:
            self.alarms[composite.name] = self._composite(composite)
        self.rollback: list[cw.IAlarm] = [self.alarms[name] for name in ROLLBACK]
        widgets = Widgets(self._metrics, monitored.log_group, list(self.alarms.values()), monitored.memory_mb)
        self.dashboard = cw.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"{self._prefix}-{cdk.Stack.of(self).region}",  # global in the account
            default_interval=cdk.Duration.days(2),  # events come in a daily burst
            widgets=[row for section in SECTIONS for row in widgets.section(section)],
        )
        self._queries(monitored.log_group)
        self._trace_groups(monitored.service or monitored.function_name, environment)

    def _alarm(self, alarm: model.Alarm) -> cw.Alarm:
        cdk_alarm = cw.Alarm(
            self,
            _construct_id(alarm.name),
            alarm_name=f"{self._prefix}-{alarm.name}",
            alarm_description=self._description(alarm.name, alarm.summary),
            metric=self._metrics.value(alarm.metrics, alarm.expression, alarm.period, alarm.name),
            threshold=alarm.threshold,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=alarm.within,
            datapoints_to_alarm=alarm.breaching,
            treat_missing_data=_MISSING[alarm.missing],
        )
        if alarm.notifies:
            self._notify(cdk_alarm)
        return cdk_alarm

    def _composite(self, composite: model.Composite) -> cw.CompositeAlarm:
        cdk_alarm = cw.CompositeAlarm(
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
        self._notify(cdk_alarm)
        return cdk_alarm

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
                group_name=f"{BUS}-{environment}-{group.name}",
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
