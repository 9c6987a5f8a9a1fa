"""The delivery of events to the function: bus, archive, rule and the rule's dead-letter queue."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.bus_log import CONFIG, BusLog
from handler.contract import DETAIL_TYPE, DISPLAY_NAME

# The maximum, and the default, of EventBridge.
DELIVERY_HOURS = 24
DELIVERY_RETRIES = 185


class Events(Construct):
    """The bus, its archive, and the rule that delivers events to the function.

    Attributes:
        bus: Created, or an existing one.
        archive: Retains the events that the rule matches, for replays.
        rule: Delivers to the alias, and to the dead-letter queue after the last retry.
    """

    def __init__(
        self, scope: Construct, construct_id: str, deployment: Deployment, *, alias: lambda_.Alias, queue: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        pattern = events.EventPattern(source=[deployment.event_source], detail_type=[DETAIL_TYPE])
        self.bus = self._bus(deployment)
        if deployment.has_bus_log:
            BusLog(self, "BusLog", deployment, self.bus)
        self.archive = events.Archive(
            self,
            "Archive",
            archive_name=deployment.rule_name,
            description=f"Events for {deployment.name}, for replays",
            source_event_bus=self.bus,
            event_pattern=pattern,
            retention=Duration.days(deployment.archive_retention_days),
        )
        # CDK writes an empty text, which some regions refuse: https://github.com/aws/aws-cdk/issues/37847
        archive: Any = self.archive.node.default_child
        archive.add_property_deletion_override("KmsKeyIdentifier")
        self.rule = events.Rule(
            self,
            "Rule",
            rule_name=deployment.rule_name,
            description=f"{DETAIL_TYPE} events of {deployment.event_source}",
            event_bus=self.bus,
            event_pattern=pattern,
            targets=[
                targets.LambdaFunction(
                    alias,
                    dead_letter_queue=queue,
                    max_event_age=Duration.hours(DELIVERY_HOURS),
                    retry_attempts=DELIVERY_RETRIES,
                )
            ],
        )

    def _bus(self, deployment: Deployment) -> events.IEventBus:
        if deployment.event_bus is not None:
            return events.EventBus.from_event_bus_name(self, "Bus", deployment.bus_name)
        return events.EventBus(
            self,
            "Bus",
            event_bus_name=deployment.bus_name,
            description=f"Events of {DISPLAY_NAME}",
            log_config=CONFIG if deployment.has_bus_log else None,
        )
