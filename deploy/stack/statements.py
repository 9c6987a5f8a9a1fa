"""Statements of IAM policies, and the findings of cdk-nag about them."""

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from constructs import Construct


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
