"""The hook before traffic: its function, with the role, the log group and the archive of its code."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import Deployment
from deploy.pre_traffic import hook
from deploy.stack.function import Function
from deploy.stack.retention import kept_once_created
from deploy.stack.suppressions import acknowledge
from handler.contract import AUDIT, CALENDAR
from monitoring import probe

FILES: Mapping[str, str] = {
    "hook.py": "deploy/pre_traffic/hook.py",
    **{
        name: name
        for name in (
            "handler/__init__.py",
            "handler/contract.py",
            "handler/validation.py",
            "monitoring/__init__.py",
            "monitoring/probe.py",
        )
    },
}
"""The files of the archive, with their sources: what the hook imports. No other change makes a new archive."""

MEMORY_MB = 256

_ROOT = Path(__file__).parents[2]


class PreTrafficHook(Construct):
    """The function that CodeDeploy invokes before it shifts traffic to a new version.

    Attributes:
        function: It.
    """

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment, *, function: Function) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{hook_name(deployment)}",
            removal_policy=kept_once_created(deployment),
        )
        cfn_log_group: Any = log_group.node.default_child
        cfn_log_group.retention_in_days = deployment.log_retention_days
        acknowledge(
            log_group,
            {
                "CKV_AWS_158": "Encrypted by CloudWatch; lines name a version and its answer to the probe.",
                "CKV_AWS_338": "A year in production; shorter where events are tests.",
            },
        )
        with _archive() as folder:
            self.function = self._function(deployment, function, log_group, folder)
        same_python = "The Python of the image, which also runs the tests of the hook."
        no_dead_letters = "CodeDeploy gets the result as a report; an invocation has no event to keep."
        acknowledge(
            self.function,
            {
                "Serverless::Serverless-LambdaDLQ": no_dead_letters,
                "CKV_AWS_116": no_dead_letters,
                "CKV_AWS_115": "CodeDeploy invokes it once in a deployment.",
                "CKV_AWS_117": "It calls CodeDeploy, DynamoDB and Lambda only, over TLS.",
                "CKV_AWS_173": "Its environment variables are names, no secrets.",
                "AwsSolutions::AwsSolutions-L1": same_python,
                "Serverless::Serverless-LambdaLatestVersion": same_python,
                "Serverless::Serverless-LambdaTracing": "The probe is traced by the function; the rest is in the log.",
            },
        )

    def _function(
        self, deployment: Deployment, function: Function, log_group: logs.ILogGroup, folder: str
    ) -> lambda_.Function:
        return lambda_.Function(
            self,
            "Function",
            function_name=hook_name(deployment),
            description=f"Probes a new version of {deployment.name} before it gets events",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=function.function.architecture,
            handler="hook.handle",
            code=lambda_.Code.from_asset(folder),
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(hook.TIMEOUT_SECONDS),
            # CDK would add wider permissions than the hook needs.
            role=self._role(deployment, function, log_group).without_policy_updates(),
            environment={
                hook.VERSION_VARIABLE: function.function.current_version.function_arn,
                hook.SOURCE_VARIABLE: deployment.event_source,
                CALENDAR.variable: function.resources.calendar.table_name,
                AUDIT.variable: function.resources.audit.table_name,
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.INFO,
        )

    def _role(self, deployment: Deployment, function: Function, log_group: logs.ILogGroup) -> iam.Role:
        """Return the hook's role, which allows exactly the calls that it makes."""
        stack, resources = Stack.of(self), function.resources
        group = f"deploymentgroup:{deployment.name}/{deployment.name}"
        group_arn = f"arn:{stack.partition}:codedeploy:{stack.region}:{stack.account}:{group}"
        in_a_transaction = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}

        def of_the_row(key: str) -> dict[str, Any]:
            # Without the second condition, a request without keys would meet the first.
            return {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [key]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            }

        symbol = probe.KEY[CALENDAR.key[0]]
        statements: list[tuple[str, list[str], str, dict[str, Any] | None]] = [
            (
                "Report",
                ["codedeploy:GetDeployment", "codedeploy:PutLifecycleEventHookExecutionStatus"],
                group_arn,
                None,
            ),
            # All versions: a permission that changed with each version could arrive after the version.
            ("InvokeVersion", ["lambda:InvokeFunction"], f"{function.function.function_arn}:*", None),
            ("SeeReservedRow", ["dynamodb:GetItem"], resources.calendar.table_arn, of_the_row(symbol)),
            (
                "PutReservedRow",
                ["dynamodb:PutItem"],
                resources.calendar.table_arn,
                {**of_the_row(symbol), **in_a_transaction},
            ),
            (
                "AppendAuditEntry",
                ["dynamodb:PutItem"],
                resources.audit.table_arn,
                {**of_the_row(probe.AUDIT_KEY), **in_a_transaction},
            ),
            ("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log_group.log_group_arn, None),
        ]
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Permissions of the hook before traffic of {deployment.name}",
            inline_policies={
                "Hook": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(sid=sid, actions=actions, resources=[resource], conditions=conditions)
                        for sid, actions, resource, conditions in statements
                    ]
                )
            },
        )
        cfn_function: Any = function.function.node.default_child
        versions = f"<{stack.get_logical_id(cfn_function)}.Arn>:*"
        acknowledge(role, {f"AwsSolutions::AwsSolutions-IAM5[Resource::{versions}]": "All versions, of this function."})
        return role


def hook_name(deployment: Deployment) -> str:
    """Return the name of the hook's function."""
    return f"{deployment.name}-pre-traffic"


@contextmanager
def _archive() -> Iterator[str]:
    """Yield a folder with the files of the archive, which CDK copies into the cloud assembly."""
    with tempfile.TemporaryDirectory(prefix="pre-traffic-") as folder:
        for name, source in FILES.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / source, target)
        yield folder
