"""The settings of a deployment, read from CDK's context and validated."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.contract import BUS, DEFAULT_SOURCE, FUNCTION_NAME
from otel.settings import APPLICATION_SIGNALS as APPLICATION_SIGNALS_SWITCH

NAME = FUNCTION_NAME
"""The service name, the prefix of every name and tag."""


DEFAULT_BUS = "default"
"""The bus that every account has. The ARNs and metrics of its rules do not contain the name of the bus."""


class ContextError(Exception):
    """A context value is invalid. The text names the value, the rule and the fix."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings that depend on the environment.

    Attributes:
        name: `dev`, `staging` or `prod`.
        log_retention_days: One of the values that CloudWatch allows.
        archive_retention_days: How long events can be replayed.
        keeps_data: Whether tables, queue and log group are retained when the stack is deleted, and the tables have
            deletion protection.
        canary_minutes: How long a new version receives 10 % of the events before it receives all; 0 for all at once.
    """

    name: str
    log_retention_days: int
    archive_retention_days: int
    keeps_data: bool
    canary_minutes: int


ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        Environment("dev", log_retention_days=14, archive_retention_days=7, keeps_data=False, canary_minutes=0),
        Environment("staging", log_retention_days=30, archive_retention_days=14, keeps_data=True, canary_minutes=5),
        Environment("prod", log_retention_days=365, archive_retention_days=90, keeps_data=True, canary_minutes=10),
    )
}


@dataclass(frozen=True, slots=True)
class TelemetryMode:
    """An export mode.

    Attributes:
        name: As in the context.
        memory_mb: The memory that the function needs to stay below 80 % utilization (docs/exporters.md).
        variables: The environment variables that select it.
    """

    name: str
    memory_mb: int
    variables: Mapping[str, str] = field(default_factory=dict)


TELEMETRY_MODES: Mapping[str, TelemetryMode] = {
    mode.name: mode
    for mode in (
        TelemetryMode("direct", memory_mb=128),
        TelemetryMode(
            "layer",
            memory_mb=128,
            variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument", "OTEL_AWS_LAMBDA_FAST_START": "true"},
        ),
        TelemetryMode(
            "layer-full",
            memory_mb=128,
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

_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_MEMORY_MB = range(128, 10_241)
_ECR_URI = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment.

    Attributes:
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
        alarm_email: An address that is subscribed to the alarm topic.
        runbook: The URL of the runbook, for the alarms' links; None for its path in this repository.
    """

    environment: Environment
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
    alarm_email: str | None
    runbook: str | None

    @property
    def name(self) -> str:
        """Return the name of the stack and of the function, the prefix of all other names."""
        return f"{NAME}-{self.environment.name}"

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
        return base if self.environment.name == "prod" else f"{base}-{self.environment.name}"

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
    "telemetry": "direct",
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
}
"""Each context value and its default."""


def read_context(context: Mapping[str, Any]) -> Deployment:
    """Read and validate the context values.

    Args:
        context: CDK's whole context. CDK's own keys contain `:` or `@` and are ignored.

    Raises:
        ContextError: Names the first invalid value.
    """
    for key in context:
        if key not in _KEYS and not re.search("[:@]", key):
            similar = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.75)
            hint = f"did you mean {similar[0]}?" if similar else f"known: {', '.join(_KEYS)}"
            raise ContextError(f"context {key} is not known: {hint}")
    given = {key: str(context.get(key, "")).strip() or default for key, default in _KEYS.items()}
    telemetry_mode = _telemetry_mode(given)
    return Deployment(
        environment=ENVIRONMENTS[_one_of(given, "environment", tuple(ENVIRONMENTS))],
        telemetry_mode=telemetry_mode,
        memory_mb=_memory(given["memory"]) if given["memory"] else telemetry_mode.memory_mb,
        architecture=_one_of(given, "architecture", ARCHITECTURES),
        image_uri=_matching(
            given,
            "image_uri",
            _ECR_URI,
            "an image in ECR, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME"
            " with :TAG or @sha256:DIGEST, since Lambda takes no other",
        ),
        calendar_table=_matching(given, "calendar_table", re.compile("[A-Za-z0-9_.-]{3,255}"), "a table's name"),
        audit_table=_matching(given, "audit_table", re.compile("[A-Za-z0-9_.-]{3,255}"), "a table's name"),
        event_bus=_matching(given, "event_bus", re.compile("[A-Za-z0-9/_.-]{1,256}"), "an event bus's name"),
        event_source=given["event_source"],
        log_level=_one_of(given, "log_level", LOG_LEVELS),
        application_signals=_application_signals(given),
        at_once=_one_of(given, "rollout", ROLLOUTS) == "at_once",
        alarm_email=_matching(given, "alarm_email", re.compile(r"[^@\s]+@[^@\s]+"), "an e-mail address"),
        runbook=_matching(given, "runbook", _URL, "a URL"),
    )


def _one_of(given: Mapping[str, str], key: str, allowed: tuple[str, ...]) -> str:
    value = given[key]
    if not value:
        raise ContextError(f"context {key} is not given: add -c {key}=... with one of {', '.join(allowed)}")
    if value not in allowed:
        raise ContextError(f"context {key}={value} is not one of {', '.join(allowed)}")
    return value


def _matching(given: Mapping[str, str], key: str, pattern: re.Pattern[str], rule: str) -> str | None:
    value = given[key]
    if value and not pattern.fullmatch(value):
        raise ContextError(f"context {key}={value} is not {rule}")
    return value or None


def _memory(text: str) -> int:
    if not text.isdecimal() or int(text) not in _MEMORY_MB:
        raise ContextError(f"context memory={text} is not a whole number of MB from 128 to 10240")
    return int(text)


def _application_signals(given: Mapping[str, str]) -> str:
    value = _one_of(given, "application_signals", APPLICATION_SIGNALS)
    if value != "off" and given["telemetry"] == "collector":
        raise ContextError(
            f"context application_signals={value} has no effect with telemetry=collector: the collector adds what"
            " Application Signals needs"
        )
    return value


def _telemetry_mode(given: Mapping[str, str]) -> TelemetryMode:
    mode = TELEMETRY_MODES[_one_of(given, "telemetry", tuple(TELEMETRY_MODES))]
    endpoint = _matching(given, "collector_endpoint", _URL, "a URL")
    if mode.name != "collector":
        if endpoint:
            raise ContextError("context collector_endpoint needs -c telemetry=collector")
        return mode
    if endpoint is None:
        raise ContextError("context telemetry=collector needs -c collector_endpoint=URL")
    return TelemetryMode(mode.name, mode.memory_mb, {**mode.variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
