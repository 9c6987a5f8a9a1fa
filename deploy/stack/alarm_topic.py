"""The SNS topics of the alarms: one per severity."""

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.suppressions import acknowledge
from monitoring.model import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping


class AlarmTopics(Construct):
    """Topics that the CloudWatch alarms of this account may publish to, over TLS only.

    Attributes:
        by_severity: The topics.
    """

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        self.by_severity: Mapping[Severity, sns.Topic] = {
            severity: self._topic(deployment, severity) for severity in Severity
        }

    def _topic(self, deployment: Deployment, severity: Severity) -> sns.Topic:
        topic = sns.Topic(
            self,
            severity.value.capitalize(),
            topic_name=deployment.names.topic(severity),
            display_name=f"{deployment.name}: {severity.value}",
            enforce_ssl=True,
        )
        # The policy replaces the default policy of SNS, which allows alarms to publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        for address in deployment.recipients[severity]:
            subscription = topic.add_subscription(subscriptions.EmailSubscription(address))
            acknowledge(
                subscription,
                {
                    "Serverless::Serverless-SNSRedrivePolicy": "SNS retries e-mail for hours, and the dashboard shows "
                    "the alarm: a queue of unread notifications adds nothing.",
                },
            )
        acknowledge(
            topic,
            {
                "CKV_AWS_26": "A message names an alarm and its state, a page also the IDs, symbols and dates of "
                "failed events. CloudWatch cannot publish with the AWS-managed key, and a customer-managed key is one "
                "more cause of lost notifications.",
            },
        )
        return topic
