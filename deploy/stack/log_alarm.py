"""The log alarm: CDK has no construct for it yet, only the resource."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.stack.suppressions import acknowledge
from monitoring.log_alarms import LogAlarm

_COLON = ArnFormat.COLON_RESOURCE_NAME


def log_alarm(
    scope: Construct, construct_id: str, alarm: LogAlarm, *, name: str, description: str, log_group: logs.ILogGroup
) -> cw.CfnLogAlarm:
    """Return the log alarm, without actions, and create the two roles that it needs.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID there.
        alarm: Its definition.
        name: Its name.
        description: Its description.
        log_group: What it queries.
    """
    stack = Stack.of(scope)
    results = iam.PolicyStatement(sid="ReadResults", actions=["logs:GetQueryResults"], resources=["*"])
    query = iam.PolicyStatement(sid="Query", actions=["logs:StartQuery"], resources=[log_group.log_group_arn])
    of_query = stack.format_arn(service="logs", resource="scheduled-query", resource_name="*", arn_format=_COLON)
    of_alarm = stack.format_arn(service="cloudwatch", resource="alarm", resource_name=name, arn_format=_COLON)
    return cw.CfnLogAlarm(
        scope,
        construct_id,
        alarm_name=name,
        alarm_description=description,
        comparison_operator="GreaterThanThreshold",
        threshold=alarm.threshold,
        query_results_to_evaluate=alarm.within,
        query_results_to_alarm=1,
        treat_missing_data="notBreaching",
        scheduled_query_configuration=cw.CfnLogAlarm.ScheduledQueryConfigurationProperty(
            query_string=alarm.query,
            aggregation_expression=alarm.aggregate,
            log_group_identifiers=[log_group.log_group_name],
            scheduled_query_role_arn=_role(scope, f"{construct_id}Query", "logs", of_query, [query, results]).role_arn,
            schedule_configuration=cw.CfnLogAlarm.ScheduleConfigurationProperty(
                schedule_expression=_rate(alarm.every), start_time_offset=alarm.window
            ),
        ),
        action_log_line_count=alarm.lines,
        action_log_line_role_arn=_role(scope, f"{construct_id}Lines", "cloudwatch", of_alarm, [results]).role_arn,
    )


def _role(
    scope: Construct, construct_id: str, service: str, source: str, statements: list[iam.PolicyStatement]
) -> iam.Role:
    """Return a role that a service can assume for one resource of this account only."""
    conditions = {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}, "ArnLike": {"aws:SourceArn": source}}
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal(f"{service}.amazonaws.com", conditions=conditions),
        inline_policies={"Log": iam.PolicyDocument(statements=statements)},
    )
    reason = "The results of a query have no resource-level permissions; they are read by the ID of the query."
    acknowledge(role, {"AwsSolutions::AwsSolutions-IAM5[Resource::*]": reason})
    return role


def _rate(seconds: int) -> str:
    minutes = seconds // 60
    return f"rate({minutes} minute{'s' if minutes > 1 else ''})"
