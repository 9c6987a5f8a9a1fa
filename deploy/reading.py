"""Read the settings of a deployment from its environment's file and CDK's context, and validate them."""

import re
from collections.abc import Mapping
from typing import Any

from deploy.context import (
    APPLICATION_SIGNALS,
    ARCHITECTURES,
    ENVIRONMENTS,
    LOG_LEVELS,
    LOG_RETENTION_DAYS,
    NAME,
    ROLLOUTS,
    TELEMETRY_MODES,
    Deployment,
    TelemetryMode,
)
from deploy.values import ContextError, Values
from handler.contract import DEFAULT_SOURCE
from monitoring.names import PREFIX, PREFIX_RULE
from otel.settings.environ import PARTITION_SUFFIXES

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
