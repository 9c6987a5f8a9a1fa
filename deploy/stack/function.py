"""The function: image, role, log group, alias and the settings of asynchronous invocation."""

from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.context import Deployment
from deploy.stack.image import image_code, source_of
from deploy.stack.permissions import Resources, function_role
from deploy.stack.retention import function_log
from deploy.stack.suppressions import acknowledge
from deploy.stack.tables import Tables
from handler import contract
from monitoring.names import ALIAS

TIMEOUT_SECONDS = 30
ASYNC_RETRIES = 2
"""Lambda's retries, about one and two minutes later."""
MAX_EVENT_AGE_HOURS = 6
"""How long Lambda retries an event that it cannot deliver; the maximum."""

_PLATFORMS = {
    "arm64": (lambda_.Architecture.ARM_64, ecr_assets.Platform.LINUX_ARM64),
    "x86_64": (lambda_.Architecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
}
_LOG_LEVELS = {"INFO": lambda_.ApplicationLogLevel.INFO, "DEBUG": lambda_.ApplicationLogLevel.DEBUG}
_ON_FAILURE = (
    "Its on-failure destination is the dead-letter queue; a destination record contains more than a DLQ message."
)


class Function(Construct):
    """The function and the alias that events are delivered to.

    Attributes:
        resources: The resources that its role gives access to.
        alias: `live`.
    """

    def __init__(
        self, scope: Construct, construct_id: str, deployment: Deployment, *, tables: Tables, queue: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        architecture, platform = _PLATFORMS[deployment.architecture]
        log_group = function_log(
            self, deployment, deployment.name, content="lines carry allow-listed fields only, no event content"
        )
        self.resources = Resources(tables.calendar, tables.audit, queue, log_group)
        role = function_role(self, deployment, self.resources)
        failed: dict[str, Any] = {
            "on_failure": destinations.SqsDestination(queue),
            "retry_attempts": ASYNC_RETRIES,
            "max_event_age": Duration.hours(MAX_EVENT_AGE_HOURS),
        }
        # A version has the description that the function had when it was published. A new one alone makes no version.
        lambda_.Function.classify_version_property("Description", locked=False)
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=deployment.name,
            description=f"{contract.DESCRIPTION}; {source_of(deployment)}",
            code=image_code(self, deployment, platform),
            architecture=architecture,
            memory_size=deployment.memory_mb,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
            # CDK would add wider permissions than the function needs.
            role=role.without_policy_updates(),
            environment={
                **deployment.function_variables,
                contract.CALENDAR.variable: tables.calendar.table_name,
                contract.AUDIT.variable: tables.audit.table_name,
                "DEAD_LETTER_QUEUE_URL": queue.queue_url,
            },
            tracing=lambda_.Tracing.ACTIVE,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if deployment.snapstart else None,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=_LOG_LEVELS[deployment.log_level],
            system_log_level_v2=lambda_.SystemLogLevel.INFO,
            # Old versions are retained: the alias can be rolled back at once.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            **failed,
        )
        acknowledge(
            self.function,
            {
                "Serverless::Serverless-LambdaDLQ": _ON_FAILURE,
                "Annotation::@aws-cdk/aws-lambda:snapStartRequirePublish": "A deployment that changes it publishes a "
                "version.",
                "CKV_AWS_116": _ON_FAILURE,
                "CKV_AWS_115": "It uses the account's concurrency: a limit would delay events, and throttled writes "
                "are retried.",
                "CKV_AWS_117": "It calls DynamoDB, SQS and X-Ray only, over TLS: a VPC would add a cause of failure "
                "and no protection.",
                "CKV_AWS_173": "Its environment variables are names and URLs, no secrets, and Lambda encrypts them "
                "with its own key.",
            },
        )
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=self.function.current_version, **failed)
