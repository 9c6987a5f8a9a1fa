"""The function's role and the operators' policy. Nothing else in the stack adds permissions to them.

What operators may not do, and responders may: `deploy.stack.responders`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.context import DEFAULT_BUS
from deploy.stack.statements import (
    IN_A_TRANSACTION,
    allow,
    finding,
    handle_dead_letters,
    lambda_role,
    leading_keys,
    local_arn,
    write_log,
)
from deploy.stack.suppressions import acknowledge
from handler.contract import CALENDAR, CORRELATION_INDEX
from handler.contract import DISPLAY_NAME as NAMESPACE
from monitoring import probe
from monitoring.model import Severity
from monitoring.names import bus_log_group

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

    from deploy.context import Deployment


APPLICATION_SIGNALS_LOG_GROUP = "/aws/application-signals/data"
"""Application Signals makes its metrics of what is in this log group. AWS has chosen the name."""

_HELPERS = ("auto-redrive", "pre-traffic")
"""The functions beside the function, by the end of their names: operators read their logs."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that permissions apply to.

    Attributes:
        calendar: The table of the rows to mark.
        audit: The table of the audit entries.
        queue: The dead-letter queue.
        log_group: The function's log group.
    """

    calendar: "dynamodb.ITable"
    audit: "dynamodb.ITable"
    queue: "sqs.IQueue"
    log_group: "logs.ILogGroup"


def function_role(scope: "Construct", deployment: "Deployment", on: Resources) -> iam.Role:
    """Return the function's role, which allows exactly the calls that the function makes.

    DynamoDB authorizes a transaction by the operations in it. The condition denies the same operations outside of a
    transaction: an audit entry is written together with its mark or not at all.
    """
    statements = [
        allow("MarkRow", ["dynamodb:UpdateItem"], [on.calendar.table_arn], IN_A_TRANSACTION),
        # IAM cannot require the condition of the put: without it, a put would replace an entry with the same key.
        allow("AppendAuditEntry", ["dynamodb:PutItem"], [on.audit.table_arn], IN_A_TRANSACTION),
        # For the handler's dead letters, and for Lambda's on-failure destination, which uses this role as well.
        allow("SendDeadLetter", ["sqs:SendMessage"], [on.queue.queue_arn]),
        write_log(on.log_group.log_group_arn),
        # X-Ray has no resource-level permissions for these. The daemon in the sandbox uses this role.
        allow("SendTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
    ]
    if deployment.application_signals != "off":
        # As AWS's managed policy, but in this account and region only:
        # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/CloudWatchLambdaApplicationSignalsExecutionRolePolicy.html
        data = local_arn(scope, "logs", f"log-group:{APPLICATION_SIGNALS_LOG_GROUP}:*")
        write = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        statements.append(allow("WriteApplicationSignals", write, [data]))
    role = lambda_role(scope, "Function", statements, description=f"Permissions of {deployment.name}")
    streams = "A log group's ARN ends with :*, which matches its streams."
    no_resources = "X-Ray's actions have no resource-level permissions."
    acknowledge(
        role,
        {
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]": no_resources,
            finding(scope, "logs", f"log-group:{APPLICATION_SIGNALS_LOG_GROUP}:*"): streams,
            "Serverless::Serverless-LambdaStarPermissions": no_resources,
        },
    )
    return role


def operators_policy(
    scope: "Construct", deployment: "Deployment", on: Resources, *, bus_arn: str, alias_arn: str
) -> iam.ManagedPolicy:
    """Return the policy of operators on call: read everything, redrive or discard dead letters, and no more."""
    arn, region = partial(local_arn, scope), Stack.of(scope).region
    archive, replays = arn("events", f"archive/{deployment.rule_name}"), arn("events", f"replay/{deployment.name}-*")
    unmatched = f"log-group:/aws/events/{deployment.unmatched_rule_name}:*"
    bus_log = f"log-group:{bus_log_group(deployment.bus_name)}:*"
    rules = "rule/*" if deployment.bus_name == DEFAULT_BUS else f"rule/{deployment.bus_name}/*"
    statements = [
        allow(
            "SeeStack",
            [f"cloudformation:DescribeStack{what}" for what in ("s", "Events", "Resources")],
            # By name, as one asks: the ARN ends with the ID, which nobody knows.
            [arn("cloudformation", f"stack/{deployment.name}/*")],
        ),
        allow(
            "SeeDashboard",
            ["cloudwatch:GetDashboard"],
            [arn("cloudwatch", f"dashboard/{deployment.name}-{region}", region="")],
        ),
        *_see_deployment(deployment, on, arn),
        # None of these has resource-level permissions.
        allow(
            "SeeMetricsTracesAndLists",
            [
                "cloudtrail:LookupEvents",
                "cloudwatch:DescribeAlarmHistory",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "cloudwatch:GetMetricStatistics",
                "cloudwatch:ListDashboards",
                "cloudwatch:ListMetrics",
                "events:ListArchives",
                "events:ListReplays",
                "events:ListRules",
                "events:TestEventPattern",
                "lambda:GetAccountSettings",
                "logs:DescribeLogGroups",
                "logs:DescribeQueryDefinitions",
                "logs:GetQueryResults",
                "logs:StopQuery",
                "xray:BatchGetTraces",
                "xray:GetGroup",
                "xray:GetGroups",
                "xray:GetServiceGraph",
                "xray:GetTimeSeriesServiceStatistics",
                "xray:GetTraceGraph",
                "xray:GetTraceSummaries",
            ],
            ["*"],
        ),
        # X-Ray stores spans in aws/spans when Transaction Search is enabled.
        allow(
            "SeeLogs",
            [
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:GetLogRecord",
                "logs:StartQuery",
            ],
            [
                on.log_group.log_group_arn,
                *(arn("logs", f"log-group:/aws/lambda/{deployment.name}-{helper}:*") for helper in _HELPERS),
                arn("logs", unmatched),
                arn("logs", bus_log),
                arn("logs", "log-group:aws/spans:*"),
            ],
        ),
        allow("SeeRow", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"], [on.calendar.table_arn]),
        # `mep verify` puts the row of its probe if it is missing.
        allow(
            "PutReservedRow",
            ["dynamodb:PutItem"],
            [on.calendar.table_arn],
            leading_keys([probe.KEY[CALENDAR.key[0]]]),
        ),
        allow(
            "SeeSubscriptions",
            ["sns:ListSubscriptionsByTopic"],
            [arn("sns", deployment.names.topic(severity)) for severity in Severity],
        ),
        allow(
            "SeeAuditEntries",
            ["dynamodb:Query"],
            [on.audit.table_arn, f"{on.audit.table_arn}/index/{CORRELATION_INDEX}"],
        ),
        handle_dead_letters(on.queue.queue_arn),
        # DescribeEventBus shows whether the bus has a log. The policy has no room for another statement.
        allow("RedriveToBus", ["events:DescribeEventBus", "events:PutEvents"], [bus_arn]),
        # Redrive checks first which rules match an event (TestEventPattern has no resource-level permissions).
        allow("SeeRules", ["events:DescribeRule", "events:ListTargetsByRule"], [arn("events", rules)]),
        # Events that reached no failure destination are replayed from the archive, to their own bus only. StartReplay
        # is authorized on all three.
        allow("SeeArchive", ["events:DescribeArchive"], [archive]),
        allow("SeeReplays", ["events:CancelReplay", "events:DescribeReplay"], [replays]),
        allow("ReplayArchive", ["events:StartReplay"], [archive, bus_arn, replays]),
        allow("InvokeFunction", ["lambda:InvokeFunction"], [alias_arn]),
        # IAM has no condition for "unless it exists": a put with the key of an entry replaces it. The puts of `mep`
        # have the condition; point-in-time recovery has what another put replaces.
        allow("AppendAuditEntries", ["dynamodb:PutItem"], [on.audit.table_arn]),
        allow(
            "CountRedrives",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": NAMESPACE}},
        ),
    ]
    policy = iam.ManagedPolicy(
        scope,
        "Operators",
        managed_policy_name=f"{deployment.name}-operators-{region}",  # global in the account
        description=f"Read everything about {deployment.name}; redrive or discard its dead letters",
        document=iam.PolicyDocument(statements=statements),
    )
    acknowledge(
        policy,
        {
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]": "Lists, metrics, query results and traces have no "
            "resource-level permissions; a condition limits PutMetricData to one namespace.",
            finding(scope, "cloudformation", f"stack/{deployment.name}/*"): "A stack's ARN ends with an ID.",
            finding(scope, "logs", "log-group:aws/spans:*"): "An ARN ends with :*, which matches its streams.",
            **{
                finding(scope, "logs", f"log-group:/aws/lambda/{deployment.name}-{helper}:*"): "As above."
                for helper in _HELPERS
            },
            finding(scope, "logs", unmatched): "As above.",
            finding(scope, "logs", bus_log): "As above.",
            finding(scope, "events", f"replay/{deployment.name}-*"): "A replay is named when it is started.",
            finding(scope, "lambda", f"function:{deployment.name}:*"): "All versions, and the alias.",
            finding(scope, "events", rules): "All rules of the bus: redrive checks which of them match the event.",
        },
    )
    return policy


def _see_deployment(
    deployment: "Deployment", on: Resources, arn: Callable[[str, str], str]
) -> Iterator[iam.PolicyStatement]:
    """Yield the statements for what is deployed: the function and its versions, a roll-out, the tables' settings."""
    function = arn("lambda", f"function:{deployment.name}")
    of_function = ("Alias", "FunctionConcurrency", "FunctionConfiguration", "FunctionEventInvokeConfig", "Policy")
    yield allow(
        "SeeFunction",
        [*(f"lambda:Get{what}" for what in of_function), "lambda:ListAliases", "lambda:ListVersionsByFunction"],
        [function, f"{function}:*"],
    )
    yield allow(
        "SeeRollOut",
        [f"codedeploy:{what}" for what in ("BatchGetDeploymentTargets", "GetDeployment", "ListDeployments")],
        [arn("codedeploy", f"deploymentgroup:{deployment.name}/{deployment.name}")],
    )
    yield allow(
        "SeeTables",
        ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable"],
        [on.calendar.table_arn, on.audit.table_arn],
    )
