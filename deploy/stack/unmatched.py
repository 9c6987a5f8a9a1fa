"""The rule for events of the source that the function does not get, because their detail-type is another."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.statements import local_arn
from deploy.stack.suppressions import acknowledge
from handler.contract import DETAIL_TYPE

RETENTION = logs.RetentionDays.TWO_WEEKS


class UnmatchedEvents(Construct):
    """A rule whose matches an alarm counts. Its target is a log group, which gets each detail-type and nothing else."""

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        name = f"/aws/events/{deployment.unmatched_rule_name}"  # EventBridge writes to groups of this prefix only
        log_group = logs.LogGroup(
            self, "Log", log_group_name=name, retention=RETENTION, removal_policy=RemovalPolicy.DESTROY
        )
        log_arn = local_arn(self, "logs", f"log-group:{name}")
        rule = events.CfnRule(
            self,
            "Rule",
            name=deployment.unmatched_rule_name,
            description=f"Events of {deployment.event_source} that are not {DETAIL_TYPE}",
            event_bus_name=deployment.bus_name,
            event_pattern={
                "source": [deployment.event_source],
                "detail-type": [{"anything-but": [DETAIL_TYPE, *deployment.other_detail_types]}],
            },
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    arn=log_arn,
                    id="Log",
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map={"time": "$.time", "type": "$.detail-type"},
                        input_template='{"timestamp": <time>, "message": <type>}',
                    ),
                )
            ],
        )
        rule.node.add_dependency(log_group)
        logs.CfnResourcePolicy(
            self,
            "Policy",
            policy_name=deployment.unmatched_rule_name,
            policy_document=stack.to_json_string(
                iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            principals=[
                                iam.ServicePrincipal("events.amazonaws.com"),
                                iam.ServicePrincipal("delivery.logs.amazonaws.com"),
                            ],
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[f"{log_arn}:*"],
                            conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
                        )
                    ]
                ).to_json()
            ),
        )
        acknowledge(
            log_group,
            {
                "CKV_AWS_158": "The names of detail types: encrypted by CloudWatch Logs itself.",
                "CKV_AWS_338": "Two weeks are enough to find out who publishes them.",
            },
        )
        lost = "The alarm counts the rule's matches: a detail-type that is lost on its way to the log harms nothing."
        acknowledge(rule, {"Serverless::Serverless-EventBusDLQ": lost})
