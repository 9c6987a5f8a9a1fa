"""The gradual deployment of a new version: 10 % of the events first, then all, with rollback on an alarm."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.monitoring import RUNBOOK, describe
from deploy.stack.suppressions import acknowledge
from monitoring.alarms import FAILING_VERSION, FAILING_VERSION_SEVERITY
from monitoring.names import ALIAS

_CONFIGS = {
    0: codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
    5: codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    10: codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_10_MINUTES,
}


class Rollout(Construct):
    """The CodeDeploy deployment group, which shifts the traffic of the alias and rolls it back.

    An urgent fix (`rollout=at_once`) does without CodeDeploy, alarms and hook: CloudFormation sets the alias by itself.
    This works also where the alias was moved by hand, which CodeDeploy refuses.

    Args:
        hook: Invoked before traffic shifts; None for a portable template, which cannot have the archive of its code.
        alarms: Each rolls the deployment back when it goes into ALARM.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        deployment: Deployment,
        *,
        alias: lambda_.Alias,
        hook: lambda_.Function | None,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        canary_minutes = deployment.environment.canary_minutes
        self.group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            application=codedeploy.LambdaApplication(self, "Application", application_name=deployment.name),
            deployment_group_name=deployment.name,
            alias=alias,
            deployment_config=_CONFIGS[canary_minutes],
            pre_hook=hook,
            role=_role(self, deployment, hook).without_policy_updates(),
            alarms=list(alarms),
            # Without a canary, no event reaches the new version before the deployment ends: only what was in ALARM
            # before would stop it.
            ignore_alarm_configuration=canary_minutes == 0,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        cfn_alias: Any = alias.node.default_child
        if hook is not None:
            # It has to know the version before the alias changes; CloudFormation sees no dependency in a policy.
            cfn_alias.node.add_dependency(hook)
        if deployment.at_once:
            cfn_alias.add_deletion_override("UpdatePolicy")


def _role(scope: Construct, deployment: Deployment, hook: lambda_.Function | None) -> iam.Role:
    """Return CodeDeploy's role. AWS's policy allows functions with names of its own only to be hooks."""
    policies = {}
    if hook is not None:
        invoke = iam.PolicyStatement(sid="InvokeHook", actions=["lambda:InvokeFunction"], resources=[hook.function_arn])
        policies["Hook"] = iam.PolicyDocument(statements=[invoke])
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
        description=f"Shifts the traffic of {deployment.name}",
        managed_policies=[
            iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSCodeDeployRoleForLambdaLimited")
        ],
        inline_policies=policies,
    )
    acknowledge(
        role,
        {
            "AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AWSCodeDeployRoleForLambdaLimited]": "AWS's narrowest policy for this; only CodeDeploy can use it."
        },
    )
    return role


def failing_version_alarm(scope: Construct, deployment: Deployment, function: lambda_.Function) -> cloudwatch.Alarm:
    """Return an alarm on the first failed invocation of the version that is deployed.

    The environment's error rates are too coarse: the new version receives 10 % of the events. Lambda counts by version
    (`ExecutedVersion`) only while the alias has two. An invocation fails on transient errors and on defects of the
    function; an invalid event is dead-lettered and the invocation succeeds.
    """
    return cloudwatch.Alarm(
        scope,
        "FailingVersion",
        alarm_name=f"{deployment.name}-{FAILING_VERSION}",
        alarm_description=describe(
            FAILING_VERSION_SEVERITY,
            f"An invocation of the new version of {deployment.name} failed: it is rolled back.",
            FAILING_VERSION,
            deployment.runbook or RUNBOOK,
        ),
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
