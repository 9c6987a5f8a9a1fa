"""How events get to the function: bus, archive, rule, and what happens when one cannot be delivered."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.context import Deployment

DETAIL_TYPE = "earningsProcessed"

# EventBridge's longest, said so that nobody has to look it up.
DELIVERY_HOURS = 24
DELIVERY_RETRIES = 185


class Events(Construct):
    """The bus, and the rule that brings its events to the function.

    Attributes:
        bus: made here, or one that exists.
        archive: keeps what the rule matches, to be replayed.
        rule: delivers to the alias; after the last try to the dead-letter queue.
    """

    def __init__(
        self, scope: Construct, construct_id: str, deployment: Deployment, *, alias: lambda_.Alias, queue: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        pattern = events.EventPattern(source=[deployment.event_source], detail_type=[DETAIL_TYPE])
        self.bus = self._bus(deployment)
        self.archive = events.Archive(
            self,
            "Archive",
            archive_name=deployment.name,
            description=f"What {deployment.name} was sent, to be replayed",
            source_event_bus=self.bus,
            event_pattern=pattern,
            retention=Duration.days(deployment.stage.archive_retention_days),
        )
        self.rule = events.Rule(
            self,
            "Rule",
            rule_name=deployment.name,
            description=f"{DETAIL_TYPE} of {deployment.event_source}",
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
            description="Events of the earnings pipeline",
        )
