"""Who may put events: a managed policy for roles of this account, and the bus's policy for everybody else."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from deploy.context import Deployment

_SID = "PutEvents"


class Producers(Construct):
    """Permissions to put events of the deployment's source on the bus, and no others.

    The policy of a bus that is not this stack's belongs to its owner: it is not changed.

    Attributes:
        policy: For roles of this account; their owners attach it.
    """

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment, *, bus: events.IEventBus) -> None:
        super().__init__(scope, construct_id)
        region = Stack.of(self).region
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=f"{deployment.name}-producers-{region}",  # global in the account
            description=f"Put events of {deployment.event_source} for {deployment.name}",
            statements=[_put_events(deployment, bus)],
        )
        principals = [_principal(producer) for producer in deployment.producers]
        if principals:
            statement = _put_events(deployment, bus, principals)
            events.CfnEventBusPolicy(
                self,
                "BusPolicy",
                event_bus_name=bus.event_bus_name,
                statement_id=_SID,
                statement=statement.to_statement_json(),
            )


def _put_events(
    deployment: Deployment, bus: events.IEventBus, principals: list[iam.IPrincipal] | None = None
) -> iam.PolicyStatement:
    """Return the permission to put events of the deployment's source.

    A request has up to ten entries, so that the key has several values: all of them must be the source. Without the
    second condition, a request without the key would meet the first.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-example-policy-cross-account-custom-bus-source.html
    """
    conditions: dict[str, Any] = {
        "ForAllValues:StringEquals": {"events:source": [deployment.event_source]},
        "Null": {"events:source": "false"},
    }
    return iam.PolicyStatement(
        sid=_SID,
        actions=["events:PutEvents"],
        resources=[bus.event_bus_arn],
        principals=principals,
        conditions=conditions,
    )


def _principal(producer: str) -> iam.IPrincipal:
    """Return an account or a role as a principal."""
    return iam.ArnPrincipal(producer) if producer.startswith("arn:") else iam.AccountPrincipal(producer)
