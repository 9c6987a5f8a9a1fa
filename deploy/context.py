"""The settings of a deployment, as `deploy.reading` reads them from an environment's file and CDK's context."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from handler.contract import FUNCTION_NAME
from monitoring.model import Level, Severity
from monitoring.names import StackNames, table_name
from otel.settings import APPLICATION_SIGNALS as APPLICATION_SIGNALS_SWITCH

NAME = FUNCTION_NAME
"""The service name, the prefix of every name and tag."""


DEFAULT_BUS = "default"
"""The bus that every account has. The ARNs and metrics of its rules do not contain the name of the bus."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What differs between the environments by design; what a team decides is in the environment's file.

    Attributes:
        name: `dev`, `staging` or `prod`.
        keeps_data: Whether tables, queue and log group are retained when the stack is deleted, and the tables have
            deletion protection.
        canary_minutes: How long a new version receives 10 % of the events before it receives all; 0 for all at once.
    """

    name: str
    keeps_data: bool
    canary_minutes: int


ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        Environment("dev", keeps_data=False, canary_minutes=0),
        Environment("staging", keeps_data=True, canary_minutes=5),
        Environment("prod", keeps_data=True, canary_minutes=10),
    )
}


@dataclass(frozen=True, slots=True)
class TelemetryMode:
    """An export mode.

    Attributes:
        name: As in the context.
        memory_mb: The default memory. It keeps utilization below 80 % and the start below Lambda's limit of 10 s, since
            Lambda gives CPU in proportion to it (docs/telemetry.md).
        variables: The environment variables that select it. The image sets `AWS_LAMBDA_EXEC_WRAPPER`.
    """

    name: str
    memory_mb: int
    variables: Mapping[str, str] = field(default_factory=dict)


TELEMETRY_MODES: Mapping[str, TelemetryMode] = {
    mode.name: mode
    for mode in (
        TelemetryMode("direct", memory_mb=128, variables={"AWS_LAMBDA_EXEC_WRAPPER": ""}),
        TelemetryMode(
            "layer",
            memory_mb=128,
            variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument", "OTEL_AWS_LAMBDA_FAST_START": "true"},
        ),
        TelemetryMode(
            "layer-full",
            memory_mb=512,
            variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument", "OTEL_AWS_LAMBDA_FAST_START": "false"},
        ),
        TelemetryMode("collector", memory_mb=128),  # and OTEL_EXPORTER_OTLP_ENDPOINT, from the context
    )
}

ARCHITECTURES = ("arm64", "x86_64")

# Above INFO, Lambda's log filter drops the metric lines: they have no level and count as INFO.
LOG_LEVELS = ("INFO", "DEBUG")

ROLLOUTS = ("gradual", "at_once")

LOG_ALARM = ("on", "off")
"""`off` is for a region or a partition that does not have the resource type `AWS::CloudWatch::LogAlarm`."""

BUS_LOG = ("on", "off")
"""Whether the bus of the stack has a log; one that the stack does not create has that of its owner."""

SNAPSTART = ("off", "on")
"""Whether Lambda restores sandboxes from a snapshot of each published version; its cache is billed by version."""

APPLICATION_SIGNALS = ("off", "on", "discovery")
"""Whether spans are for CloudWatch Application Signals, too; `discovery` turns its discovery on, once per account."""

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment.

    Attributes:
        account: The account that it is for; None for that of the credentials.
        region: The region that it is for; None for that of the credentials.
        prefix: Begins the name of the stack, of the function and of most resources.
        tags: Tags of all resources, besides `service` and `environment`.
        log_retention_days: One of `LOG_RETENTION_DAYS`.
        archive_retention_days: How long events can be replayed.
        memory_mb: The function's memory.
        architecture: `arm64` or `x86_64`.
        image_uri: An image in ECR; None to build the project's Dockerfile.
        calendar_table: The name of an existing table; None to create it.
        audit_table: The name of an existing table; None to create it.
        event_bus: The name of an existing bus; None to create it.
        event_source: The `source` of the events that the rule matches.
        producers: Accounts (their numbers) and roles (their ARNs) that the policy of the bus allows to put events.
        log_level: `INFO` or `DEBUG`.
        application_signals: One of `APPLICATION_SIGNALS`.
        snapstart: Whether sandboxes are restored from a snapshot of the version.
        at_once: Whether CloudFormation sets the alias, without CodeDeploy, hook and alarms: for an urgent fix.
        recipients: The addresses that are subscribed to the topic of each severity.
        runbook: The URL of the runbook, for the alarms' links; None for its path in this repository.
        auto_redrive_minutes: The time between two runs of the automatic redrive; 0 for no automatic redrive.
        monitoring: How much is monitored.
        has_bus_log: Whether the stack creates a bus, and the bus has a log.
        has_log_alarm: Whether pages carry correlation IDs, by a log alarm.
        silence_hours: Hours without an event after which the team is notified; 0 for never.
        other_detail_types: Detail types of the source that the function does not handle.
        portable: Whether the template is used without CDK or in another stack: see `as_portable`.
    """

    environment: Environment
    account: str | None
    region: str | None
    prefix: str
    tags: Mapping[str, str]
    log_retention_days: int
    archive_retention_days: int
    telemetry_mode: TelemetryMode
    memory_mb: int
    architecture: str
    image_uri: str | None
    calendar_table: str | None
    audit_table: str | None
    event_bus: str | None
    event_source: str
    producers: tuple[str, ...]
    log_level: str
    application_signals: str
    snapstart: bool
    at_once: bool
    recipients: Mapping[Severity, tuple[str, ...]]
    runbook: str | None
    auto_redrive_minutes: int
    monitoring: Level
    has_bus_log: bool
    has_log_alarm: bool
    silence_hours: int
    other_detail_types: tuple[str, ...]
    portable: bool = False

    def as_portable(self) -> Self:
        """Return the deployment for any account and region, which the stack that includes it determines.

        It has no recipients, who differ as well, and no assets, for which an account needs CDK's bucket: so it has no
        automatic redrive.
        """
        nobody: Mapping[Severity, tuple[str, ...]] = dict.fromkeys(Severity, ())
        return replace(self, account=None, region=None, recipients=nobody, auto_redrive_minutes=0, portable=True)

    @property
    def names(self) -> StackNames:
        """Return the names that the commands derive."""
        return StackNames(self.environment.name, self.prefix)

    @property
    def name(self) -> str:
        """Return the name of the stack and of the function, the prefix of all other names."""
        return self.names.name

    @property
    def bus_name(self) -> str:
        """Return the name of the event bus."""
        return self.event_bus or StackNames(self.environment.name, self.prefix).bus

    @property
    def rule_name(self) -> str:
        """Return the name of the rule and of the archive.

        It depends on an existing bus: CloudFormation replaces both when the bus changes, and cannot replace a resource
        whose name stays the same.
        """
        if self.event_bus is None:
            return self.name
        return f"{self.name}-{hashlib.sha256(self.event_bus.encode()).hexdigest()[:6]}"

    @property
    def unmatched_rule_name(self) -> str:
        """Return the name of the rule that matches the source's events of other detail types."""
        return f"{self.rule_name}-unmatched"

    def table_name(self, base: str) -> str:
        """Return the name of a table that the stack creates: without suffix in production, for other teams."""
        return table_name(base, self.environment.name)

    @property
    def function_variables(self) -> dict[str, str]:
        """Return the environment variables of the function that do not depend on other resources."""
        return {
            "ENVIRONMENT": self.environment.name,
            "EVENT_SOURCE": self.event_source,
            **self.telemetry_mode.variables,
            **({} if self.application_signals == "off" else {APPLICATION_SIGNALS_SWITCH: "true"}),
        }
