"""What outlives the stack: the data of `staging` and `prod`.

A deployment that fails for the first time must be repeatable, although names are fixed. CloudFormation deletes what it
has just created, and the next attempt creates it again: hence the policy of queue and log group. It cannot delete a
table with deletion protection, so that tables are retained; `make recover` imports them into the next attempt. A queue
could not be imported: its identifier is its URL, which a template cannot contain.
"""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.suppressions import acknowledge


def kept_once_created(deployment: Deployment) -> RemovalPolicy:
    """Return the policy of a resource that is retained once its stack has been created."""
    keeps = deployment.environment.keeps_data
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keeps else RemovalPolicy.DESTROY


def kept_always(deployment: Deployment) -> RemovalPolicy:
    """Return the policy of a resource that is retained also when the creation of its stack fails."""
    return RemovalPolicy.RETAIN if deployment.environment.keeps_data else RemovalPolicy.DESTROY


def function_log(scope: Construct, deployment: Deployment, function: str, *, content: str) -> logs.LogGroup:
    """Return the log group of a function, which is kept as long as the environment says.

    Args:
        scope: The construct that it belongs to.
        deployment: The environment.
        function: Name of the function.
        content: Why the key of CloudWatch is enough for what the lines have.
    """
    log_group = logs.LogGroup(
        scope, "Log", log_group_name=f"/aws/lambda/{function}", removal_policy=kept_once_created(deployment)
    )
    cfn_log_group: Any = log_group.node.default_child
    cfn_log_group.retention_in_days = deployment.log_retention_days  # CDK has a name for each number
    acknowledge(
        log_group,
        {
            "CKV_AWS_158": f"Encrypted by CloudWatch; {content}.",
            "CKV_AWS_338": "A year in production; shorter where events are tests.",
        },
    )
    return log_group
