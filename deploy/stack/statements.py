"""Statements of IAM policies, the ARNs and conditions in them, and the findings of cdk-nag about them."""

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from constructs import Construct


IN_A_TRANSACTION = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
"""The condition that an operation is part of a transaction."""


def all_of(values: dict[str, list[str]]) -> dict[str, Any]:
    """Return the condition that a request has these keys, and no other values of them."""
    # Without the second condition, a request without the key would meet the first.
    return {"ForAllValues:StringEquals": values, "Null": dict.fromkeys(values, "false")}


def leading_keys(keys: list[str]) -> dict[str, Any]:
    """Return the condition that a request of DynamoDB has these partition keys, and no others."""
    return all_of({"dynamodb:LeadingKeys": keys})


def local_arn(scope: "Construct", service: str, rest: str, *, region: str | None = None) -> str:
    """Return an ARN of this account, and of the stack's region unless there is another, or an empty one."""
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:{service}:{stack.region if region is None else region}:{stack.account}:{rest}"


def finding(scope: "Construct", service: str, resource: str) -> str:
    """Return the ID of cdk-nag's finding on a wildcard in an ARN of this account and region."""
    stack = Stack.of(scope)
    region, account = (
        placeholder if Token.is_unresolved(value) else value
        for value, placeholder in ((stack.region, "<AWS::Region>"), (stack.account, "<AWS::AccountId>"))
    )
    arn = f"arn:<AWS::Partition>:{service}:{region}:{account}:{resource}"
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}]"


def allow(
    sid: str, actions: list[str], resources: list[str], conditions: dict[str, Any] | None = None
) -> iam.PolicyStatement:
    """Return a statement that allows actions on resources, under conditions."""
    return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)


def handle_dead_letters(queue_arn: str) -> iam.PolicyStatement:
    """Return the statement that allows to find the dead-letter queue, and to receive and delete its messages."""
    actions = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"]
    return allow("HandleDeadLetters", [f"sqs:{action}" for action in actions], [queue_arn])


def write_log(log_group_arn: str) -> iam.PolicyStatement:
    """Return the statement that allows a function to write its log."""
    return allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group_arn])


def lambda_role(
    scope: "Construct", policy: str, statements: list[iam.PolicyStatement], *, description: str
) -> iam.Role:
    """Return the role of a function, with one inline policy.

    Args:
        scope: The construct that it belongs to.
        policy: The name of the policy.
        statements: What it allows.
        description: The description of the role.
    """
    return iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=description,
        inline_policies={policy: iam.PolicyDocument(statements=statements)},
    )
