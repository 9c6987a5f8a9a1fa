"""The CDK construct that creates alarms, dashboard, saved queries and X-Ray groups from their definitions."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_xray as xray
from constructs import Construct

from deploy.stack.log_alarm import log_alarm
from deploy.stack.metrics import MetricFactory, MonitoredResources
from deploy.stack.widgets import Widgets
from handler.contract import BUS, FUNCTION_NAME
from monitoring import model
from monitoring.alarms import ROLLBACK, alarms, anchor, composites, notifications
from monitoring.dashboard import SECTIONS
from monitoring.log_alarms import LOG_ALARM
from monitoring.queries import QUERIES, TRACE_GROUPS

RUNBOOK = "docs/runbook.md"
"""What an alarm's description links to, unless the context has a URL."""


class Monitoring(Construct):
    """Alarms, dashboard, saved queries and X-Ray groups of one environment.

    Args:
        monitored: The monitored resources.
        environment: The value of the dimension `Environment`.
        topics: Receive a message when an alarm of their severity goes into ALARM and when it returns to OK.
        prefix: The prefix of all names; by default `mark-earnings-processed-ENVIRONMENT`.
        runbook: The URL or path of the runbook. Each alarm's description links to its section.
        level: How much is monitored.
        with_log_alarm: Whether the page carries correlation IDs, by a log alarm. Not at the level `minimal`.

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
        topics: Mapping[model.Severity, sns.ITopic],
        prefix: str | None = None,
        runbook: str = RUNBOOK,
        level: model.Level = model.Level.FULL,
        with_log_alarm: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        self._metrics = MetricFactory(monitored, environment, topics)
        self._topics = topics
        self._actions = {severity: actions.SnsAction(topic) for severity, topic in topics.items()}
        self._notifications = notifications(monitored.limits, level)
        self._prefix = prefix or f"{FUNCTION_NAME}-{environment}"
        self._runbook = runbook
        self.alarms: dict[str, cw.IAlarm] = {}
        for alarm in alarms(monitored.limits, level):
            self.alarms[alarm.name] = self._alarm(alarm)
        with_log_alarm &= level is model.Level.FULL
        if with_log_alarm:
            self.alarms[LOG_ALARM.name] = self._log_alarm(monitored.log_group)
        for composite in composites(level, with_log_alarm=with_log_alarm):
            self.alarms[composite.name] = self._composite(composite)
        self.rollback: list[cw.IAlarm] = [self.alarms[name] for name in ROLLBACK if name in self.alarms]
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
            alarm_description=describe(alarm.severity, alarm.summary, alarm.name, self._runbook),
            metric=self._metrics.value(alarm.metrics, alarm.expression, alarm.period, alarm.name),
            threshold=alarm.threshold,
            comparison_operator=cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=alarm.within,
            datapoints_to_alarm=alarm.breaching,
            treat_missing_data=_MISSING[alarm.missing],
        )
        self._notify(alarm.name, cdk_alarm)
        return cdk_alarm

    def _composite(self, composite: model.Composite) -> cw.CompositeAlarm:
        suppression = composite.suppression
        cdk_alarm = cw.CompositeAlarm(
            self,
            _construct_id(composite.name),
            composite_alarm_name=f"{self._prefix}-{composite.name}",
            alarm_description=describe(composite.severity, composite.summary, composite.name, self._runbook),
            alarm_rule=cw.AlarmRule.all_of(
                *(
                    cw.AlarmRule.any_of(
                        *(cw.AlarmRule.from_alarm(self.alarms[name], cw.AlarmState.ALARM) for name in group)
                    )
                    for group in composite.groups
                )
            ),
            actions_suppressor=None if suppression is None else self.alarms[suppression.by],
            actions_suppressor_wait_period=None if suppression is None else cdk.Duration.seconds(suppression.wait),
            actions_suppressor_extension_period=(
                None if suppression is None else cdk.Duration.seconds(suppression.extension)
            ),
        )
        self._notify(composite.name, cdk_alarm, reports_recovery=composite.reports_recovery)
        return cdk_alarm

    def _log_alarm(self, log_group: logs.ILogGroup) -> cw.IAlarm:
        description = describe(LOG_ALARM.severity, LOG_ALARM.summary, LOG_ALARM.name, self._runbook)
        name = f"{self._prefix}-{LOG_ALARM.name}"
        resource = log_alarm(
            self, _construct_id(LOG_ALARM.name), LOG_ALARM, name=name, description=description, log_group=log_group
        )
        resource.alarm_actions = [self._topics[LOG_ALARM.severity].topic_arn]
        return cw.Alarm.from_alarm_arn(self, "FailedEventsByArn", resource.attr_arn)

    def _notify(self, name: str, alarm: cw.AlarmBase, *, reports_recovery: bool = True) -> None:
        severity = self._notifications[name]
        if severity is None:
            return
        alarm.add_alarm_action(self._actions[severity])
        if reports_recovery:
            alarm.add_ok_action(self._actions[severity])

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


def describe(severity: model.Severity, summary: str, name: str, runbook: str) -> str:
    """Return the description of an alarm: its severity, what it means, and where the runbook says what to do."""
    return f"{severity.value.capitalize()}. {summary} What to do: {runbook}#{anchor(name)}"


_MISSING: Mapping[model.Missing, cw.TreatMissingData] = {
    model.Missing.NOT_BREACHING: cw.TreatMissingData.NOT_BREACHING,
    model.Missing.BREACHING: cw.TreatMissingData.BREACHING,
    model.Missing.IGNORE: cw.TreatMissingData.IGNORE,
    model.Missing.MISSING: cw.TreatMissingData.MISSING,
}


def _construct_id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
