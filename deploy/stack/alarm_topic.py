"""The SNS topic of the alarms."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.suppressions import acknowledge


class AlarmTopic(Construct):
    """A topic that the CloudWatch alarms of this account may publish to, over TLS only."""

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{deployment.name}-alarms",
            display_name=f"Alarms of {deployment.name}",
            enforce_ssl=True,
        )
        # The policy replaces the default policy of SNS, which allows alarms to publish.
        account = Stack.of(self).account
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            )
        )
        for address in deployment.alarm_email:
            subscription = self.topic.add_subscription(subscriptions.EmailSubscription(address))
            acknowledge(
                subscription,
                {
                    "Serverless::Serverless-SNSRedrivePolicy": "SNS retries e-mail for hours, and the dashboard shows "
                    "the alarm: a queue of unread notifications adds nothing.",
                },
            )
        acknowledge(
            self.topic,
            {
                "CKV_AWS_26": "A message names an alarm and its state, no event. CloudWatch cannot publish with the "
                "AWS-managed key, and a customer-managed key is one more cause of lost notifications.",
            },
        )
