"""Read the settings of a deployment from its environment's file and CDK's context, and validate them."""

import re
from collections.abc import Mapping
from typing import Any

from deploy.context import (
    APPLICATION_SIGNALS,
    ARCHITECTURES,
    BUS_LOG,
    ENVIRONMENTS,
    LOG_ALARM,
    LOG_LEVELS,
    LOG_RETENTION_DAYS,
    NAME,
    ROLLOUTS,
    SNAPSTART,
    TELEMETRY_MODES,
    Deployment,
    TelemetryMode,
)
from deploy.values import Kind, Values
from handler.contract import DEFAULT_SOURCE, DETAIL_TYPE
from monitoring.model import Level, Severity
from monitoring.names import PREFIX, PREFIX_RULE
from otel.settings.environ import PARTITION_SUFFIXES

_URL = r"https?://[^\s/]+(/\S*)?"
_URL_WITH_USER = r"https?://[^\s/]*@"
_REGION = "[a-z]{2,4}(-[a-z]+)+-[0-9]+"
_PRODUCER = "[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=.@_/-]{1,512}"
_TAG = "(?!aws:)[^=]{1,128}=.{0,256}"
# Of AWS's documentation, and the domains that nobody has (RFC 2606).
_EXAMPLE = r"111122223333|.*[@/](.*\.)?example\.[a-z]{3}(/.*)?"
# Longer than a run of the automatic redrive, whose messages are visible again before the next one.
_AUTO_REDRIVE_MINUTES = (0, *range(10, 61))
_SILENCE_HOURS = range(7 * 24 + 1)
_OTHER_DETAIL_TYPE = f"a detail-type without a comma, other than {DETAIL_TYPE}"
_MEMORY_MB = range(128, 10_241)
_ECR_URI = (
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)"
    f"({'|'.join(map(re.escape, PARTITION_SUFFIXES))})/"
    r"[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
)

_KINDS: Mapping[str, Kind] = {
    "environment": Kind.TEXT,
    "telemetry": Kind.TEXT,
    "collector_endpoint": Kind.TEXT,
    "memory": Kind.NUMBER,
    "architecture": Kind.TEXT,
    "image_uri": Kind.TEXT,
    "calendar_table": Kind.TEXT,
    "audit_table": Kind.TEXT,
    "event_bus": Kind.TEXT,
    "event_source": Kind.TEXT,
    "producers": Kind.LIST,
    "log_level": Kind.TEXT,
    "application_signals": Kind.TEXT,
    "snapstart": Kind.TEXT,
    "rollout": Kind.TEXT,
    "alarm_email": Kind.LIST,
    "page_email": Kind.LIST,
    "ticket_email": Kind.LIST,
    "runbook": Kind.TEXT,
    "monitoring": Kind.TEXT,
    "log_alarm": Kind.TEXT,
    "bus_log": Kind.TEXT,
    "silence_hours": Kind.NUMBER,
    "other_detail_types": Kind.LIST,
    "account": Kind.TEXT,
    "region": Kind.TEXT,
    "prefix": Kind.TEXT,
    "tags": Kind.OBJECT,
    "log_retention_days": Kind.NUMBER,
    "archive_retention_days": Kind.NUMBER,
    "auto_redrive_minutes": Kind.NUMBER,
}
"""Each key, with its type in the environment's file (`deploy.values`). The context has the same keys."""

_DEFAULTS: Mapping[str, str] = {
    "telemetry": "layer",
    "architecture": ARCHITECTURES[0],
    "event_source": DEFAULT_SOURCE,
    "log_level": LOG_LEVELS[0],
    "application_signals": APPLICATION_SIGNALS[0],
    "snapstart": SNAPSTART[0],
    "rollout": ROLLOUTS[0],
    "monitoring": Level.FULL.value,
    "log_alarm": LOG_ALARM[0],
    "bus_log": BUS_LOG[0],
    "prefix": NAME,
}


def read_context(context: Mapping[str, Any]) -> Deployment:
    """Read and validate the values of the environment's file and, over them, the context values.

    Args:
        context: CDK's whole context. CDK's own keys contain `:` or `@` and are ignored.

    Raises:
        ContextError: Names every invalid value, one a line.
    """
    values = Values(_KINDS, _DEFAULTS, context)
    environment = ENVIRONMENTS[values.one_of("environment", ENVIRONMENTS)]
    if not values.accepted("environment"):
        values.check()
    values.read_file(environment.name)
    telemetry_mode = _telemetry_mode(values)
    deployment = Deployment(
        environment=environment,
        account=values.matching("account", "[0-9]{12}", "the number of an AWS account: 12 digits"),
        region=values.matching("region", _REGION, "the name of a region such as eu-central-1"),
        prefix=values.matching("prefix", PREFIX, f"a prefix of names: {PREFIX_RULE}") or NAME,
        tags=dict(part.split("=", 1) for part in values.listed("tags", _TAG, "a tag KEY=VALUE without a comma")),
        log_retention_days=values.required_number(
            "log_retention_days", LOG_RETENTION_DAYS, f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}"
        ),
        archive_retention_days=values.required_number("archive_retention_days", range(1, 3651), "1 to 3650 days"),
        telemetry_mode=telemetry_mode,
        memory_mb=values.number("memory", _MEMORY_MB, "a whole number of MB from 128 to 10240")
        or telemetry_mode.memory_mb,
        architecture=values.one_of("architecture", ARCHITECTURES),
        image_uri=_image(values),
        calendar_table=values.matching("calendar_table", "[A-Za-z0-9_.-]{3,255}", "a table's name"),
        audit_table=values.matching("audit_table", "[A-Za-z0-9_.-]{3,255}", "a table's name"),
        event_bus=values.matching("event_bus", "[A-Za-z0-9/_.-]{1,256}", "an event bus's name"),
        event_source=values["event_source"],
        producers=_producers(values),
        log_level=values.one_of("log_level", LOG_LEVELS),
        application_signals=_application_signals(values),
        snapstart=values.one_of("snapstart", SNAPSTART) == "on",
        at_once=values.one_of("rollout", ROLLOUTS) == "at_once",
        recipients=_recipients(values),
        runbook=values.matching("runbook", _URL, "a URL"),
        auto_redrive_minutes=values.number(
            "auto_redrive_minutes", _AUTO_REDRIVE_MINUTES, "0 for no automatic redrive, or 10 to 60 minutes"
        )
        or 0,
        monitoring=Level(values.one_of("monitoring", Level)),
        has_bus_log=values.one_of("bus_log", BUS_LOG) == "on" and not values["event_bus"],
        has_log_alarm=values.one_of("log_alarm", LOG_ALARM) == "on",
        silence_hours=values.number("silence_hours", _SILENCE_HOURS, "0 (off) to 168 hours, CloudWatch's limit") or 0,
        other_detail_types=values.listed("other_detail_types", f"(?!{DETAIL_TYPE}$).{{1,128}}", _OTHER_DETAIL_TYPE),
    )
    _check_pinned(values, deployment)
    values.check()
    return deployment


def find_examples(context: Mapping[str, Any]) -> list[str]:
    """Return a line for each value that is still an example, of a context that `read_context` accepts."""
    values = Values(_KINDS, _DEFAULTS, context)
    values.read_file(values["environment"])
    return [
        f"{values.place(key)}={part} is an example: set it to what is yours, or remove it"
        for key in _KINDS
        for part in values[key].split(",")
        if re.fullmatch(_EXAMPLE, part.strip())
    ]


def _check_pinned(values: Values, deployment: Deployment) -> None:
    file = f"deploy/environments/{deployment.environment.name}.json"
    is_prod = deployment.environment.name == "prod"
    if values.accepted("account", "region"):
        if (deployment.account is None) != (deployment.region is None):
            missing, given = ("region", "account") if deployment.region is None else ("account", "region")
            values.reject(missing, f"{missing} is not given, but {given} is: set it in {file}")
        elif is_prod and deployment.account is None:
            values.reject("account", f"environment prod needs an account and a region: set them in {file}")
    without = [f"{severity.value}_email" for severity, addresses in deployment.recipients.items() if not addresses]
    if is_prod and without and values.accepted("alarm_email", *without):
        keys = " and ".join(without) if len(without) < len(Severity) else "alarm_email"
        values.reject("alarm_email", f"environment prod needs a recipient of its alarms: set {keys} in {file}")
    if deployment.environment.keeps_data and deployment.runbook is None and values.accepted("runbook"):
        values.reject(
            "runbook",
            f"environment {deployment.environment.name} needs the URL of the runbook, to which its alarms link:"
            f" set runbook in {file}",
        )


def _recipients(values: Values) -> dict[Severity, tuple[str, ...]]:
    """Return the addresses for each severity: those of its own, or else those for all alarms."""
    everything, *own = (
        values.listed(key, r"[^@\s]+@[^@\s]+", "an e-mail address")
        for key in ("alarm_email", *(f"{severity.value}_email" for severity in Severity))
    )
    return {severity: addresses or everything for severity, addresses in zip(Severity, own, strict=True)}


def _image(values: Values) -> str | None:
    uri = values.matching(
        "image_uri",
        _ECR_URI,
        "an image in ECR, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME"
        " with :TAG or @sha256:DIGEST, since Lambda takes no other",
    )
    region = values["region"]
    if uri is not None and region and values.accepted("region") and uri.split(".")[3] != region:
        values.reject(
            "image_uri",
            f"{values.place('image_uri')}={uri} is not in {region}: Lambda takes images of its own region",
        )
    return uri


def _producers(values: Values) -> tuple[str, ...]:
    producers = values.listed("producers", _PRODUCER, "the number of an account or the ARN of a role")
    place, bus, account = values.place("producers"), values["event_bus"], values["account"]
    if producers and bus:
        values.reject(
            "producers",
            f"{place} is for the stack's own bus, and the policy of {bus} belongs to its owner: remove it, and see"
            " Producers in docs/deploy.md",
        )
    elif account in producers:
        values.reject(
            "producers",
            f"{place}={account} is the account of the stack: attach the policy of the output ProducersPolicyArn to its"
            " roles instead",
        )
    return producers


def _application_signals(values: Values) -> str:
    value = values.one_of("application_signals", APPLICATION_SIGNALS)
    if value != "off" and values["telemetry"] == "collector":
        values.reject(
            "application_signals",
            f"{values.place('application_signals')}={value} has no effect with telemetry=collector: the collector adds"
            " what Application Signals needs",
        )
    return value


def _telemetry_mode(values: Values) -> TelemetryMode:
    mode = TELEMETRY_MODES[values.one_of("telemetry", TELEMETRY_MODES)]
    place = values.place("collector_endpoint")
    if re.match(_URL_WITH_USER, values["collector_endpoint"]):
        values.reject(
            "collector_endpoint", f"{place} has a user or a password, which the template would show: remove it"
        )
        return mode
    endpoint = values.matching("collector_endpoint", _URL, "a URL")
    if not values.accepted("telemetry", "collector_endpoint"):
        return mode
    if mode.name != "collector":
        if endpoint:
            values.reject("collector_endpoint", f"{place} needs telemetry=collector")
        return mode
    if endpoint is None:
        values.reject("telemetry", f"{values.place('telemetry')}=collector needs collector_endpoint=URL")
        return mode
    return TelemetryMode(mode.name, mode.memory_mb, {**mode.variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
