"""The hook before traffic: its function, with the role, the log group and the archive of its code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.context import Deployment
from deploy.pre_traffic import hook
from deploy.stack.archive import files_of, packed
from deploy.stack.function import Function
from deploy.stack.retention import function_log
from deploy.stack.statements import IN_A_TRANSACTION, allow, lambda_role, leading_keys, local_arn, write_log
from deploy.stack.suppressions import acknowledge
from handler.contract import AUDIT, CALENDAR
from monitoring import probe

_HOOK = Path("deploy/pre_traffic/hook.py")
_PACKAGES = {Path("deploy/__init__.py"), Path("deploy/pre_traffic/__init__.py")}
"""Those of the hook, which is at the top of its archive."""

FILES: Mapping[str, str] = {
    _HOOK.name if path == _HOOK else str(path): str(path) for path in sorted(files_of(hook.__name__) - _PACKAGES)
}
"""The files of the archive, with their sources: what the hook imports. No other change makes a new archive."""

MEMORY_MB = 256


class PreTrafficHook(Construct):
    """The function that CodeDeploy invokes before it shifts traffic to a new version.

    Attributes:
        function: It.
    """

    def __init__(self, scope: Construct, construct_id: str, deployment: Deployment, *, function: Function) -> None:
        super().__init__(scope, construct_id)
        log_group = function_log(
            self, deployment, hook_name(deployment), content="lines name a version and its answer to the probe"
        )
        with packed(FILES) as folder:
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
        resources = function.resources
        group = local_arn(self, "codedeploy", f"deploymentgroup:{deployment.name}/{deployment.name}")
        of_the_row = leading_keys([probe.KEY[CALENDAR.key[0]]])
        of_its_entries = leading_keys([probe.AUDIT_KEY])
        statements = [
            allow("Report", ["codedeploy:GetDeployment", "codedeploy:PutLifecycleEventHookExecutionStatus"], [group]),
            # All versions: a permission that changed with each version could arrive after the version.
            allow("InvokeVersion", ["lambda:InvokeFunction"], [f"{function.function.function_arn}:*"]),
            allow("SeeReservedRow", ["dynamodb:GetItem"], [resources.calendar.table_arn], of_the_row),
            allow(
                "PutReservedRow",
                ["dynamodb:PutItem"],
                [resources.calendar.table_arn],
                {**of_the_row, **IN_A_TRANSACTION},
            ),
            allow(
                "AppendAuditEntry",
                ["dynamodb:PutItem"],
                [resources.audit.table_arn],
                {**of_its_entries, **IN_A_TRANSACTION},
            ),
            write_log(log_group.log_group_arn),
        ]
        description = f"Permissions of the hook before traffic of {deployment.name}"
        role = lambda_role(self, "Hook", statements, description=description)
        cfn_function: Any = function.function.node.default_child
        versions = f"<{Stack.of(self).get_logical_id(cfn_function)}.Arn>:*"
        acknowledge(role, {f"AwsSolutions::AwsSolutions-IAM5[Resource::{versions}]": "All versions, of this function."})
        return role


def hook_name(deployment: Deployment) -> str:
    """Return the name of the hook's function."""
    return f"{deployment.name}-pre-traffic"
