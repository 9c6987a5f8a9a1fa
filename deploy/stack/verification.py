"""The role of `mep verify`, with `--full` or without: its calls on these resources, on the reserved rows only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.context import DEFAULT_BUS
from deploy.stack.permissions import Resources
from deploy.stack.statements import all_of, allow, finding, handle_dead_letters, leading_keys, local_arn
from deploy.stack.suppressions import acknowledge
from handler.contract import DETAIL_TYPE
from monitoring import round_trip
from monitoring.names import StackNames

if TYPE_CHECKING:
    from constructs import Construct

    from deploy.context import Deployment


@dataclass(frozen=True, slots=True)
class Reached:
    """What a verification reaches besides the function's own resources, by ARN.

    Attributes:
        bus: The event bus.
        alias: The function's alias.
        topics: The topics of the alarms.
    """

    bus: str
    alias: str
    topics: Sequence[str]


def verification_role(scope: "Construct", deployment: "Deployment", on: Resources, reached: Reached) -> iam.Role:
    """Return the role. Whoever may assume roles of this account by their own policies can assume it."""
    arn = partial(local_arn, scope)
    rules = "rule/*" if deployment.bus_name == DEFAULT_BUS else f"rule/{deployment.bus_name}/*"
    alarm = StackNames(deployment.environment.name, deployment.prefix).alarm(round_trip.ALARM)
    reserved_rows = leading_keys(round_trip.reserved_keys())
    statements = [
        # By name, as one asks: the ARN ends with the ID, which nobody knows.
        allow("SeeStack", ["cloudformation:DescribeStacks"], [arn("cloudformation", f"stack/{deployment.name}/*")]),
        allow("ReadRows", ["dynamodb:GetItem"], [on.calendar.table_arn], reserved_rows),
        allow("WriteRows", ["dynamodb:PutItem", "dynamodb:DeleteItem"], [on.calendar.table_arn], reserved_rows),
        allow(
            "ReadAndAppendAuditEntries",
            ["dynamodb:Query", "dynamodb:PutItem"],
            [on.audit.table_arn],
            leading_keys(round_trip.reserved_audit_keys()),
        ),
        allow("InvokeFunction", ["lambda:InvokeFunction"], [reached.alias]),
        allow(
            "PutEvents",
            ["events:PutEvents"],
            [reached.bus],
            all_of({"events:source": [deployment.event_source], "events:detail-type": [DETAIL_TYPE]}),
        ),
        allow("SeeTargets", ["events:ListTargetsByRule"], [arn("events", rules)]),
        handle_dead_letters(on.queue.queue_arn),
        allow("SetOffAlarm", ["cloudwatch:SetAlarmState"], [arn("cloudwatch", f"alarm:{alarm}")]),
        allow("SeeSubscriptions", ["sns:ListSubscriptionsByTopic"], [*reached.topics]),
        allow("SeeLogs", ["logs:StartQuery"], [on.log_group.log_group_arn, arn("logs", "log-group:aws/spans:*")]),
        # None of these has resource-level permissions, or works on all alarms with a narrower scope.
        allow(
            "SeeMetricsTracesAndLists",
            [
                "cloudwatch:DescribeAlarmHistory",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "events:ListRules",
                "events:TestEventPattern",
                "logs:GetQueryResults",
                "logs:StopQuery",
                "xray:BatchGetTraces",
                "xray:GetTraceSummaries",
            ],
            ["*"],
        ),
    ]
    role = iam.Role(
        scope,
        "Verification",
        assumed_by=iam.AccountPrincipal(Stack.of(scope).account),
        description=f"`mep verify --full` of {deployment.name}",
        inline_policies={"Verification": iam.PolicyDocument(statements=statements)},
    )
    acknowledge(
        role,
        {
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]": "Lists, metrics, query results and traces have no "
            "resource-level permissions.",
            finding(scope, "cloudformation", f"stack/{deployment.name}/*"): "A stack's ARN ends with an ID.",
            finding(scope, "logs", "log-group:aws/spans:*"): "An ARN ends with :*, which matches its streams.",
            finding(scope, "events", rules): "All rules of the bus: it checks which of them match the event.",
        },
    )
    return role
