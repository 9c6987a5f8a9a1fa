"""The responders' policy: what stops harm without a deployment, and can be undone. It adds to the operators' policy."""

from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.context import DEFAULT_BUS
from deploy.stack.permissions import Resources
from deploy.stack.statements import IN_A_TRANSACTION, all_of, allow, finding, local_arn
from deploy.stack.suppressions import acknowledge
from handler.contract import CALENDAR, PROCESSED, PROCESSED_AT, PROCESSED_BY

if TYPE_CHECKING:
    from constructs import Construct

    from deploy.context import Deployment

OF_THE_MARK = (*CALENDAR.key, PROCESSED, PROCESSED_AT, PROCESSED_BY, "correlation_id", "updated_at")
"""The attributes of a row that responders may write, with the key, which IAM counts as well."""


def responders_policy(scope: "Construct", deployment: "Deployment", on: Resources) -> iam.ManagedPolicy:
    """Return the policy of those who may intervene: alias, roll-out, rule, concurrency, a mark that is wrong.

    In dev and staging also the state of alarms, for a game day: in prod it would notify people of nothing.
    """
    arn = partial(local_arn, scope)
    function = arn("lambda", f"function:{deployment.name}")
    bus = "" if deployment.bus_name == DEFAULT_BUS else f"{deployment.bus_name}/"
    statements = [
        allow("MoveAlias", ["lambda:UpdateAlias"], [function]),
        # It has no resource-level permissions.
        allow("StopRollOut", ["codedeploy:StopDeployment"], ["*"]),
        allow(
            "PauseRule",
            ["events:DisableRule", "events:EnableRule"],
            [arn("events", f"rule/{bus}{deployment.rule_name}")],
        ),
        allow("LimitConcurrency", ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"], [function]),
        # `mep calendar unmark`: with its audit entry, or not at all.
        allow(
            "RemoveMark",
            ["dynamodb:UpdateItem"],
            [on.calendar.table_arn],
            {**IN_A_TRANSACTION, **all_of({"dynamodb:Attributes": list(OF_THE_MARK)})},
        ),
    ]
    suppressions = {"AwsSolutions::AwsSolutions-IAM5[Resource::*]": "StopDeployment has no resource-level permissions."}
    if deployment.environment.name != "prod":
        alarms = f"alarm:{deployment.name}-*"
        statements.append(allow("RehearseAlarms", ["cloudwatch:SetAlarmState"], [arn("cloudwatch", alarms)]))
        suppressions[finding(scope, "cloudwatch", alarms)] = "All alarms of the stack."
    policy = iam.ManagedPolicy(
        scope,
        "Responders",
        managed_policy_name=f"{deployment.name}-responders-{Stack.of(scope).region}",  # global in the account
        description=f"Pause {deployment.name}, limit it, return to its previous version, remove a mark",
        document=iam.PolicyDocument(statements=statements),
    )
    acknowledge(policy, suppressions)
    return policy
