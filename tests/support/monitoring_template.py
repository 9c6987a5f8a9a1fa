"""The monitoring as CloudFormation, synthesised once for all tests."""

import json
from functools import cache
from typing import Any

from monitoring.model import Level, Severity

ENVIRONMENT = "test"
PREFIX = "mark-earnings-processed-test-"
"""Before the name of each alarm."""
FUNCTION = "mark-earnings-processed-test"
QUEUE = "mark-earnings-processed-test-dead-letters"
BUS = "earnings-test"
RULE = "earnings-processed-test"
TOPIC_ARNS = {severity: f"arn:aws:sns:us-east-1:111122223333:{severity.value}" for severity in Severity}
CALENDAR = "calendar-test"
AUDIT = "audit-test"
SILENCE_HOURS = 24
RUNBOOK = "https://runbook.example/runbook.md"


@cache
def template(level: Level = Level.FULL) -> dict[str, Any]:
    """The template of a stack with nothing but the monitoring, around resources known by name."""
    # CDK takes seconds: not for collecting tests.
    import aws_cdk as cdk
    from aws_cdk import assertions
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_sqs as sqs

    from deploy.stack.metrics import MonitoredResources
    from deploy.stack.monitoring import Monitoring

    stack = cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account="111122223333", region="us-east-1"))
    arn_of = "arn:aws:{}:us-east-1:111122223333:{}".format
    monitored = MonitoredResources(
        function=lambda_.Function.from_function_arn(stack, "Function", arn_of("lambda", f"function:{FUNCTION}")),
        queue=sqs.Queue.from_queue_arn(stack, "Queue", arn_of("sqs", QUEUE)),
        rule=RULE,
        bus=BUS,
        log_group=logs.LogGroup.from_log_group_name(stack, "Logs", f"/aws/lambda/{FUNCTION}"),
        memory_mb=128,
        calendar_table=CALENDAR,
        audit_table=AUDIT,
        unmatched_rule=f"{RULE}-unmatched",
        silence_hours=SILENCE_HOURS,
    )
    topics = {severity: sns.Topic.from_topic_arn(stack, severity.value, arn) for severity, arn in TOPIC_ARNS.items()}
    Monitoring(
        stack, "Monitoring", monitored=monitored, environment=ENVIRONMENT, topics=topics, runbook=RUNBOOK, level=level
    )
    return dict(assertions.Template.from_stack(stack).to_json())


def resources(kind: str, level: Level = Level.FULL) -> list[dict[str, Any]]:
    """Properties of all resources of a type, such as `AWS::CloudWatch::Alarm`."""
    return [each["Properties"] for each in template(level)["Resources"].values() if each["Type"] == kind]


def alarm(name: str) -> dict[str, Any]:
    """Properties of a metric alarm."""
    (found,) = [each for each in resources("AWS::CloudWatch::Alarm") if each["AlarmName"] == PREFIX + name]
    return found


def dashboard_body() -> dict[str, Any]:
    """Return the dashboard as CloudWatch receives it; every reference is `arn`."""
    (dashboard,) = resources("AWS::CloudWatch::Dashboard")
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    return dict(json.loads("".join(part if isinstance(part, str) else "arn" for part in parts)))


def dashboard_widgets() -> list[dict[str, Any]]:
    """Return the dashboard's widgets."""
    return list(dashboard_body()["widgets"])
