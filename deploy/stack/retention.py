"""What outlives the stack: the data of `staging` and `prod`.

A deployment that fails for the first time must be repeatable, although names are fixed. CloudFormation deletes what it
has just created, and the next attempt creates it again: hence the policy of queue and log group. It cannot delete a
table with deletion protection, so that tables are retained; `make recover` imports them into the next attempt. A queue
could not be imported: its identifier is its URL, which a template cannot contain.
"""

from aws_cdk import RemovalPolicy

from deploy.context import Deployment


def kept_once_created(deployment: Deployment) -> RemovalPolicy:
    """Return the policy of a resource that is retained once its stack has been created."""
    keeps = deployment.environment.keeps_data
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keeps else RemovalPolicy.DESTROY


def kept_always(deployment: Deployment) -> RemovalPolicy:
    """Return the policy of a resource that is retained also when the creation of its stack fails."""
    return RemovalPolicy.RETAIN if deployment.environment.keeps_data else RemovalPolicy.DESTROY
