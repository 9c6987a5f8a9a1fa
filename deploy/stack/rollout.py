"""How a new version takes over: first a tenth of the events, then all; back when an alarm rings."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.function import ALIAS
from deploy.stack.suppressions import acknowledge

_CONFIGS = {
    0: codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
    5: codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    10: codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_10_MINUTES,
}


class Rollout(Construct):
    """CodeDeploy's part: it moves the alias, and moves it back.

    Attributes:
        group: CodeDeploy's deployment group.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        deployment: Deployment,
        *,
        alias: lambda_.Alias,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            application=codedeploy.LambdaApplication(self, "Application", application_name=deployment.name),
            deployment_group_name=deployment.name,
            alias=alias,
            deployment_config=_CONFIGS[deployment.canary_minutes],
            alarms=list(alarms),
            # Otherwise an alarm that rings already stops the roll-out of its own repair.
            ignore_alarm_configuration=deployment.canary_minutes == 0,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        role = self.group.role
        if role is not None:
            acknowledge(
                role,
                {
                    "AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                    "AWSCodeDeployRoleForLambdaLimited]": "AWS's narrowest policy for this; only CodeDeploy can use it."
                },
            )


def failing_version_alarm(scope: Construct, deployment: Deployment, function: lambda_.Function) -> cloudwatch.Alarm:
    """An alarm on the first invocation that fails in the version which is rolled out.

    The environment's error rates cannot tell: the new version has a tenth of the events. Lambda counts by version
    (`ExecutedVersion`) only while the alias has two. An invocation fails for what is transient or a defect of ours: a
    bad event is dead-lettered and returns.
    """
    return cloudwatch.Alarm(
        scope,
        "FailingVersion",
        alarm_name=f"{deployment.name}-failing-version",
        alarm_description=f"An invocation of the new version of {deployment.name} failed: its roll-out is turned back.",
        metric=cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions_map={
                "FunctionName": function.function_name,
                "Resource": f"{function.function_name}:{ALIAS}",
                "ExecutedVersion": function.current_version.version,
            },
            period=Duration.minutes(1),
            statistic="Sum",
        ),
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
