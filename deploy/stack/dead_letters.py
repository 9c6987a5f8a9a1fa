"""The dead-letter queue of the function, of Lambda and of the EventBridge rule."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.retention import kept_once_created
from deploy.stack.suppressions import acknowledge
from monitoring.names import StackNames

RETENTION_DAYS = 14
"""The maximum of SQS."""


class DeadLetterQueue(Construct):
    """An encrypted standard queue that accepts TLS only."""

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=StackNames(deployment.environment.name, deployment.prefix).dead_letter_queue,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(RETENTION_DAYS),
            removal_policy=kept_once_created(deployment),
        )
        is_dead_letter_queue = "It is the dead-letter queue itself: an operator redrives or discards its messages."
        acknowledge(
            self.queue,
            {
                "AwsSolutions::AwsSolutions-SQS3": is_dead_letter_queue,
                "Serverless::Serverless-SQSRedrivePolicy": is_dead_letter_queue,
                "CKV_AWS_27": "Encrypted by SQS itself (SSE-SQS): EventBridge and Lambda need no key policy to send.",
            },
        )
