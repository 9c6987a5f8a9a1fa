"""The log of the event bus: each event before the function.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-logs.html

CloudWatch Logs delivers it: a source for each kind of record, and one destination, the log group. Its name is the one
that AWS's console proposes, by which `mep trace` finds it.
"""

from itertools import pairwise

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.statements import local_arn
from deploy.stack.suppressions import acknowledge
from monitoring.names import bus_log_group

RETENTION = logs.RetentionDays.TWO_WEEKS
"""As long as a message is in the dead-letter queue."""

CONFIG = events.LogConfig(level=events.Level.INFO, include_detail=events.IncludeDetail.NONE)
"""Errors and major steps. With the detail, the log would have the content of events."""

_KINDS = ("INFO", "ERROR")
"""The kinds of records at that level."""


class BusLog(Construct):
    """Delivers the log of a bus that has `CONFIG` to a log group."""

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment, bus: events.IEventBus) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        name = bus_log_group(deployment.bus_name)
        group = logs.LogGroup(
            self, "Log", log_group_name=name, retention=RETENTION, removal_policy=RemovalPolicy.DESTROY
        )
        # Without the colon and asterisk at the end of CDK's ARN, which the delivery does not accept.
        group_arn = local_arn(self, "logs", f"log-group:{name}")
        destination = logs.CfnDeliveryDestination(
            self, "Destination", name=f"{deployment.name}-bus-log", destination_resource_arn=group_arn
        )
        destination.node.add_dependency(group)
        sources = [
            logs.CfnDeliverySource(
                self,
                f"Source{kind}",
                name=f"{deployment.name}-bus-{kind.lower()}",
                log_type=f"{kind}_LOGS",
                resource_arn=bus.event_bus_arn,
            )
            for kind in _KINDS
        ]
        policy = logs.CfnResourcePolicy(
            self,
            "Policy",
            policy_name=f"{deployment.name}-bus-log",
            policy_document=stack.to_json_string(
                iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[f"{group_arn}:log-stream:*"],
                            conditions={
                                "StringEquals": {"aws:SourceAccount": stack.account},
                                "ArnLike": {"aws:SourceArn": [source.attr_arn for source in sources]},
                            },
                        )
                    ]
                ).to_json()
            ),
        )
        deliveries = [
            logs.CfnDelivery(
                self,
                f"Delivery{kind}",
                delivery_source_name=source.name,
                delivery_destination_arn=destination.attr_arn,
            )
            for kind, source in zip(_KINDS, sources, strict=True)
        ]
        for delivery, source in zip(deliveries, sources, strict=True):
            delivery.node.add_dependency(source, policy)
        for first, second in pairwise(deliveries):  # CloudWatch Logs creates one at a time for a destination
            second.node.add_dependency(first)
        acknowledge(
            group,
            {
                "CKV_AWS_158": "No content of events: encrypted by CloudWatch Logs itself.",
                "CKV_AWS_338": "Two weeks, as long as a dead letter is kept.",
            },
        )
