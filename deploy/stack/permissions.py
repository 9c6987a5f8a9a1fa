"""Who may do what: the function's role, and the operators' policy. Nothing else in the stack adds to either."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.context import DEFAULT_BUS
from deploy.stack.suppressions import acknowledge
from deploy.stack.tables import CORRELATION_INDEX
from otel.semconv import NAMESPACE

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

    from deploy.context import Deployment


@dataclass(frozen=True, slots=True)
class Resources:
    """What permissions are about.

    Attributes:
        calendar: table of the rows to mark.
        audit: table of the audit entries.
        queue: the dead-letter queue.
        log_group: the function's.
    """

    calendar: "dynamodb.ITable"
    audit: "dynamodb.ITable"
    queue: "sqs.IQueue"
    log_group: "logs.ILogGroup"


def function_role(scope: "Construct", deployment: "Deployment", on: Resources) -> iam.Role:
    """The role of the function: the calls that it makes, on the resources that it makes them on.

    DynamoDB checks a transaction as the operations in it. The condition keeps the same operations from being made
    outside of one: an audit entry comes with its mark, or not at all.
    """
    in_a_transaction = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
    statements = [
        _allow("MarkRow", ["dynamodb:UpdateItem"], [on.calendar.table_arn], in_a_transaction),
        _allow("AppendAuditEntry", ["dynamodb:PutItem"], [on.audit.table_arn], in_a_transaction),
        # The handler's own dead letters, and Lambda's on-failure destination, which uses this role too.
        _allow("SendDeadLetter", ["sqs:SendMessage"], [on.queue.queue_arn]),
        _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [on.log_group.log_group_arn]),
        # X-Ray knows no resources for these. The agent in the sandbox sends with this role.
        _allow("SendTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
    ]
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=f"What {deployment.name} may do",
        inline_policies={"Function": iam.PolicyDocument(statements=statements)},
    )
    no_resources = "X-Ray's actions know no resources."
    acknowledge(
        role,
        {
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]": no_resources,
            "Serverless::Serverless-LambdaStarPermissions": no_resources,
        },
    )
    return role


def operators_policy(
    scope: "Construct", deployment: "Deployment", on: Resources, *, bus_arn: str, alias_arn: str
) -> iam.ManagedPolicy:
    """What those need who are paged: look at everything, bring dead letters back or discard them. No more."""
    stack = Stack.of(scope)

    def arn(service: str, rest: str, *, region: str = stack.region) -> str:
        return f"arn:{stack.partition}:{service}:{region}:{stack.account}:{rest}"

    archive, replays = arn("events", f"archive/{deployment.name}"), arn("events", f"replay/{deployment.name}-*")
    rules = "rule/*" if deployment.bus_name == DEFAULT_BUS else f"rule/{deployment.bus_name}/*"
    statements = [
        _allow(
            "SeeStack",
            ["cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"],
            [stack.stack_id],
        ),
        _allow(
            "SeeDashboard",
            ["cloudwatch:GetDashboard"],
            [arn("cloudwatch", f"dashboard/{deployment.name}", region="")],
        ),
        # None of these knows resources.
        _allow(
            "SeeMetricsTracesAndLists",
            [
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
        # aws/spans is where X-Ray keeps spans once Transaction Search is on.
        _allow(
            "SeeLogs",
            [
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:GetLogRecord",
                "logs:StartQuery",
            ],
            [on.log_group.log_group_arn, arn("logs", "log-group:aws/spans:*")],
        ),
        _allow("SeeRow", ["dynamodb:GetItem"], [on.calendar.table_arn]),
        _allow(
            "SeeAuditEntries",
            ["dynamodb:Query"],
            [on.audit.table_arn, f"{on.audit.table_arn}/index/{CORRELATION_INDEX}"],
        ),
        _allow(
            "HandleDeadLetters",
            [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ],
            [on.queue.queue_arn],
        ),
        _allow("BringEventsBack", ["events:PutEvents"], [bus_arn]),
        # What would become of an event: its rules, and EventBridge's judgement of them, which knows no resources.
        _allow("SeeTargets", ["events:ListTargetsByRule"], [arn("events", rules)]),
        # What fell out of every net comes back from the archive. Its copies go to the bus that they came from, and only
        # there: StartReplay is asked about all three.
        _allow("SeeArchive", ["events:DescribeArchive"], [archive]),
        _allow("SeeReplays", ["events:CancelReplay", "events:DescribeReplay"], [replays]),
        _allow("ReplayArchive", ["events:StartReplay"], [archive, bus_arn, replays]),
        _allow("InvokeFunction", ["lambda:InvokeFunction"], [alias_arn]),
        _allow("RecordDiscards", ["dynamodb:PutItem"], [on.audit.table_arn]),
        _allow(
            "CountRedrives",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": NAMESPACE}},
        ),
    ]
    policy = iam.ManagedPolicy(
        scope,
        "Operators",
        managed_policy_name=f"{deployment.name}-operators",
        description=f"Look at {deployment.name}, bring its dead letters back or discard them",
        document=iam.PolicyDocument(statements=statements),
    )
    acknowledge(
        policy,
        {
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]": "Lists, metrics, query results and traces know no "
            "resources; PutMetricData is bound to one namespace by a condition.",
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:"
            "log-group:aws/spans:*]": "A log group's ARN ends with :*, which stands for its streams.",
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:"
            f"replay/{deployment.name}-*]": "A replay gets its name when it is started.",
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:"
            f"{rules}]": "All rules of the bus: redriving asks which of them takes the event.",
        },
    )
    return policy


def _allow(
    sid: str, actions: list[str], resources: list[str], conditions: dict[str, Any] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)
