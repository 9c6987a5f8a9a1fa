"""The settings of a deployment, read from CDK's context and validated."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.values import ContextError, Values
from handler.contract import BUS, DEFAULT_SOURCE, FUNCTION_NAME
from monitoring.names import PREFIX, PREFIX_RULE, StackNames, table_name
from otel.settings import APPLICATION_SIGNALS as APPLICATION_SIGNALS_SWITCH
from otel.settings.environ import PARTITION_SUFFIXES

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
            Lambda gives CPU in proportion to it (docs/exporters.md).
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

APPLICATION_SIGNALS = ("off", "on", "discovery")
"""Whether spans are for CloudWatch Application Signals, too; `discovery` turns its discovery on, once per account."""

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

_URL = r"https?://[^\s/]+(/\S*)?"
_URL_WITH_USER = r"https?://[^\s/]*@"
_REGION = "[a-z]{2,4}(-[a-z]+)+-[0-9]+"
_TAG = "(?!aws:)[^=]{1,128}=.{0,256}"
_MEMORY_MB = range(128, 10_241)
_ECR_URI = (
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)"
    f"({'|'.join(map(re.escape, PARTITION_SUFFIXES))})/"
    r"[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
)


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
        log_level: `INFO` or `DEBUG`.
        application_signals: One of `APPLICATION_SIGNALS`.
        at_once: Whether a new version receives all events at once and no alarm stops it: for an urgent fix.
        alarm_email: The addresses that are subscribed to the alarm topic.
        runbook: The URL of the runbook, for the alarms' links; None for its path in this repository.
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
    log_level: str
    application_signals: str
    at_once: bool
    alarm_email: tuple[str, ...]
    runbook: str | None

    @property
    def name(self) -> str:
        """Return the name of the stack and of the function, the prefix of all other names."""
        return StackNames(self.environment.name, self.prefix).name

    @property
    def bus_name(self) -> str:
        """Return the name of the event bus."""
        return self.event_bus or f"{BUS}-{self.environment.name}"

    @property
    def rule_name(self) -> str:
        """Return the name of the rule and of the archive.

        It depends on an existing bus: CloudFormation replaces both when the bus changes, and cannot replace a resource
        whose name stays the same.
        """
        if self.event_bus is None:
            return self.name
        return f"{self.name}-{hashlib.sha256(self.event_bus.encode()).hexdigest()[:6]}"

    def table_name(self, base: str) -> str:
        """Return the name of a table that the stack creates: without suffix in production, for other teams."""
        return table_name(base, self.environment.name)

    @property
    def canary_minutes(self) -> int:
        """Return how long a new version receives 10 % of the events; 0 for all at once, without alarms."""
        return 0 if self.at_once else self.environment.canary_minutes

    @property
    def function_variables(self) -> dict[str, str]:
        """Return the environment variables of the function that do not depend on other resources."""
        return {
            "ENVIRONMENT": self.environment.name,
            "EVENT_SOURCE": self.event_source,
            **self.telemetry_mode.variables,
            **({} if self.application_signals == "off" else {APPLICATION_SIGNALS_SWITCH: "true"}),
        }


_KEYS: Mapping[str, str] = {
    "environment": "",
    "telemetry": "layer",
    "collector_endpoint": "",
    "memory": "",
    "architecture": ARCHITECTURES[0],
    "image_uri": "",
    "calendar_table": "",
    "audit_table": "",
    "event_bus": "",
    "event_source": DEFAULT_SOURCE,
    "log_level": LOG_LEVELS[0],
    "application_signals": APPLICATION_SIGNALS[0],
    "rollout": ROLLOUTS[0],
    "alarm_email": "",
    "runbook": "",
    "account": "",
    "region": "",
    "prefix": NAME,
    "tags": "",
    "log_retention_days": "",
    "archive_retention_days": "",
}
"""Each value and its default. The environment's file (`deploy.values`) and the context have the same keys."""


def read_context(context: Mapping[str, Any]) -> Deployment:
    """Read and validate the values of the environment's file and, over them, the context values.

    Args:
        context: CDK's whole context. CDK's own keys contain `:` or `@` and are ignored.

    Raises:
        ContextError: Names the first invalid value.
    """
    values = Values(_KEYS, context)
    environment = ENVIRONMENTS[values.one_of("environment", ENVIRONMENTS)]
    values.read_file(environment.name)
    telemetry_mode = _telemetry_mode(values)
    deployment = Deployment(
        environment=environment,
        account=values.matching("account", "[0-9]{12}", "the number of an AWS account: 12 digits, as a text"),
        region=values.matching("region", _REGION, "the name of a region such as eu-central-1"),
        prefix=values.matching("prefix", PREFIX, f"a prefix of names: {PREFIX_RULE}") or NAME,
        tags=dict(part.split("=", 1) for part in values.listed("tags", _TAG, "a tag KEY=VALUE without a comma")),
        log_retention_days=values.number(
            "log_retention_days", LOG_RETENTION_DAYS, f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}"
        ),
        archive_retention_days=values.number("archive_retention_days", range(1, 3651), "1 to 3650 days"),
        telemetry_mode=telemetry_mode,
        memory_mb=_memory(values) or telemetry_mode.memory_mb,
        architecture=values.one_of("architecture", ARCHITECTURES),
        image_uri=_image(values),
        calendar_table=values.matching("calendar_table", "[A-Za-z0-9_.-]{3,255}", "a table's name"),
        audit_table=values.matching("audit_table", "[A-Za-z0-9_.-]{3,255}", "a table's name"),
        event_bus=values.matching("event_bus", "[A-Za-z0-9/_.-]{1,256}", "an event bus's name"),
        event_source=values["event_source"],
        log_level=values.one_of("log_level", LOG_LEVELS),
        application_signals=_application_signals(values),
        at_once=values.one_of("rollout", ROLLOUTS) == "at_once",
        alarm_email=values.listed("alarm_email", r"[^@\s]+@[^@\s]+", "an e-mail address"),
        runbook=values.matching("runbook", _URL, "a URL"),
    )
    _check_pinned(deployment)
    return deployment


def _check_pinned(deployment: Deployment) -> None:
    file = f"deploy/environments/{deployment.environment.name}.json"
    if (deployment.account is None) != (deployment.region is None):
        missing, given = ("region", "account") if deployment.region is None else ("account", "region")
        raise ContextError(f"{missing} is not given, but {given} is: set it in {file}")
    if deployment.environment.name == "prod":
        if deployment.account is None:
            raise ContextError(f"environment prod needs an account and a region: set them in {file}")
        if not deployment.alarm_email:
            raise ContextError(f"environment prod needs a recipient of its alarms: set alarm_email in {file}")


def _memory(values: Values) -> int | None:
    if not values["memory"]:
        return None
    return values.number("memory", _MEMORY_MB, "a whole number of MB from 128 to 10240")


def _image(values: Values) -> str | None:
    uri = values.matching(
        "image_uri",
        _ECR_URI,
        "an image in ECR, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME"
        " with :TAG or @sha256:DIGEST, since Lambda takes no other",
    )
    if uri is not None and values["region"] and uri.split(".")[3] != values["region"]:
        raise ContextError(
            f"{values.place('image_uri')}={uri} is not in {values['region']}: Lambda takes images of its own region"
        )
    return uri


def _application_signals(values: Values) -> str:
    value = values.one_of("application_signals", APPLICATION_SIGNALS)
    if value != "off" and values["telemetry"] == "collector":
        raise ContextError(
            f"{values.place('application_signals')}={value} has no effect with telemetry=collector: the collector adds"
            " what Application Signals needs"
        )
    return value


def _telemetry_mode(values: Values) -> TelemetryMode:
    mode = TELEMETRY_MODES[values.one_of("telemetry", TELEMETRY_MODES)]
    if re.match(_URL_WITH_USER, values["collector_endpoint"]):
        place = values.place("collector_endpoint")
        raise ContextError(f"{place} has a user or a password, which the template would show: remove it")
    endpoint = values.matching("collector_endpoint", _URL, "a URL")
    if mode.name != "collector":
        if endpoint:
            raise ContextError(f"{values.place('collector_endpoint')} needs telemetry=collector")
        return mode
    if endpoint is None:
        raise ContextError(f"{values.place('telemetry')}=collector needs collector_endpoint=URL")
    return TelemetryMode(mode.name, mode.memory_mb, {**mode.variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
