"""What is deployed, and how: read from CDK's context and checked once, here."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAME = "mark-earnings-processed"
"""The service; every name and tag begins with it."""


DEFAULT_BUS = "default"
"""The bus that every account has. Rules on it go by their names alone, in their ARNs and in their metrics."""


class ContextError(Exception):
    """A context value that cannot be deployed; its text says which, which rule, and what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What follows from the environment's name.

    Attributes:
        name: `dev`, `staging` or `prod`.
        log_retention_days: how long log lines are kept; one of CloudWatch's steps.
        archive_retention_days: for how long events can be replayed.
        keeps_data: whether tables, queue and log group outlive the stack, and the tables refuse to be deleted.
        canary_minutes: how long a new version has a tenth of the events before it gets all; 0: all at once.
    """

    name: str
    log_retention_days: int
    archive_retention_days: int
    keeps_data: bool
    canary_minutes: int


ENVIRONMENTS: Mapping[str, Environment] = {
    stage.name: stage
    for stage in (
        Environment("dev", log_retention_days=14, archive_retention_days=7, keeps_data=False, canary_minutes=0),
        Environment("staging", log_retention_days=30, archive_retention_days=14, keeps_data=True, canary_minutes=5),
        Environment("prod", log_retention_days=365, archive_retention_days=90, keeps_data=True, canary_minutes=10),
    )
}


@dataclass(frozen=True, slots=True)
class TelemetryMode:
    """How spans leave the function.

    Attributes:
        name: as the context names it.
        memory_mb: what the function needs with it, so that at most 80 % are used (docs/exporters.md).
        variables: of the function's environment that choose it.
    """

    name: str
    memory_mb: int
    variables: Mapping[str, str] = field(default_factory=dict)


TELEMETRY_MODES: Mapping[str, TelemetryMode] = {
    way.name: way
    for way in (
        TelemetryMode("direct", memory_mb=128),
        TelemetryMode(
            "layer",
            memory_mb=128,
            variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument", "OTEL_AWS_LAMBDA_FAST_START": "true"},
        ),
        TelemetryMode("layer-full", memory_mb=128, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}),
        TelemetryMode("collector", memory_mb=128),  # and OTEL_EXPORTER_OTLP_ENDPOINT, which only the context knows
    )
}

ARCHITECTURES = ("arm64", "x86_64")

# Above INFO Lambda's own filter would drop the metric lines, which have no level and count as INFO.
LOG_LEVELS = ("INFO", "DEBUG")

ROLLOUTS = ("gradual", "at_once")

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
        stage: what follows from the environment.
        telemetry_mode: how spans leave the function, with its variables.
        memory_mb: of the function.
        architecture: `arm64` or `x86_64`.
        image_uri: of an image in ECR; None: built from the project's Dockerfile.
        calendar_table: name of a table that exists; None: made here.
        audit_table: likewise.
        event_bus: name of a bus that exists; None: made here.
        event_source: the `source` of the events that are taken.
        log_level: of the function's log lines.
        at_once: whether a new version gets all events at once, whatever alarm rings: to repair what is broken now.
        alarm_email: who is told of alarms, beside those who subscribe to the topic by other means.
        runbook: where the runbook can be read, for the alarms' links; None: its path in this repository.
    """

    stage: Environment
    telemetry_mode: TelemetryMode
    memory_mb: int
    architecture: str
    image_uri: str | None
    calendar_table: str | None
    audit_table: str | None
    event_bus: str | None
    event_source: str
    log_level: str
    at_once: bool
    alarm_email: str | None
    runbook: str | None

    @property
    def name(self) -> str:
        """The name of the stack and of the function; that of everything else begins with it."""
        return f"{NAME}-{self.stage.name}"

    @property
    def bus_name(self) -> str:
        """The name of the event bus, made here or not."""
        return self.event_bus or f"earnings-{self.stage.name}"

    def table_name(self, base: str) -> str:
        """The name of a table made here: the plain one in production, where other teams know it by that."""
        return base if self.stage.name == "prod" else f"{base}-{self.stage.name}"

    @property
    def canary_minutes(self) -> int:
        """How long a new version has a tenth of the events before it gets all; 0: all at once, no alarm asked."""
        return 0 if self.at_once else self.stage.canary_minutes

    @property
    def environment(self) -> dict[str, str]:
        """The function's variables that do not depend on other resources."""
        return {"ENVIRONMENT": self.stage.name, "EVENT_SOURCE": self.event_source, **self.telemetry_mode.variables}


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
    "event_source": "signal9.advisor",
    "log_level": LOG_LEVELS[0],
    "rollout": ROLLOUTS[0],
    "alarm_email": "",
    "runbook": "",
}
"""Each context value of ours and its default."""


def read_context(context: Mapping[str, Any]) -> Deployment:
    """Read and check every context value.

    Args:
        context: all of CDK's context: its own keys, which have `:` or `@` in them, are left alone.

    Raises:
        ContextError: naming the first value that is wrong.
    """
    for key in context:
        if key not in _KEYS and not re.search("[:@]", key):
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.75)
            meant = f"did you mean {near[0]}?" if near else f"known: {', '.join(_KEYS)}"
            raise ContextError(f"context {key} is not known: {meant}")
    given = {key: str(context.get(key, "")).strip() or default for key, default in _KEYS.items()}
    telemetry_mode = _telemetry_mode(given)
    return Deployment(
        stage=ENVIRONMENTS[_one_of(given, "environment", tuple(ENVIRONMENTS))],
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


def _telemetry_mode(given: Mapping[str, str]) -> TelemetryMode:
    way = TELEMETRY_MODES[_one_of(given, "telemetry", tuple(TELEMETRY_MODES))]
    endpoint = _matching(given, "collector_endpoint", _URL, "a URL")
    if way.name != "collector":
        if endpoint:
            raise ContextError("context collector_endpoint needs -c telemetry=collector")
        return way
    if endpoint is None:
        raise ContextError("context telemetry=collector needs -c collector_endpoint=URL")
    return TelemetryMode(way.name, way.memory_mb, {**way.variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
