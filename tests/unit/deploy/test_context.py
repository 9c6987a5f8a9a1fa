"""The context values determine the deployment, and an invalid one is reported in one line."""

import pytest

from deploy.context import APPLICATION_SIGNALS, ENVIRONMENTS, TELEMETRY_MODES
from deploy.reading import read_context
from deploy.values import ContextError

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com/mark-earnings-processed"


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_only_the_environment_is_required(name: str) -> None:
    deployment = read_context({"environment": name})

    assert deployment.environment is ENVIRONMENTS[name]
    assert deployment.name == f"mark-earnings-processed-{name}"
    assert deployment.bus_name == f"earnings-{name}"
    assert deployment.telemetry_mode is TELEMETRY_MODES["layer"]
    assert deployment.function_variables == {
        "ENVIRONMENT": name,
        "EVENT_SOURCE": "signal9.advisor",
        **TELEMETRY_MODES["layer"].variables,
    }
    assert (deployment.memory_mb, deployment.architecture) == (128, "arm64")


def test_retention_by_environment() -> None:
    dev, staging, prod = (read_context({"environment": name}) for name in ENVIRONMENTS)

    assert [each.environment.keeps_data for each in (dev, staging, prod)] == [False, True, True]
    assert dev.log_retention_days < staging.log_retention_days < prod.log_retention_days
    assert dev.archive_retention_days < staging.archive_retention_days < prod.archive_retention_days
    assert dev.environment.canary_minutes == 0 < staging.environment.canary_minutes < prod.environment.canary_minutes


def test_table_names() -> None:
    names = [read_context({"environment": environment}).table_name("earningsCalendar") for environment in ENVIRONMENTS]

    assert names == ["earningsCalendar-dev", "earningsCalendar-staging", "earningsCalendar"]


@pytest.mark.parametrize("mode", ["direct", "layer", "layer-full"])
def test_an_export_mode_sets_variables_and_memory(mode: str) -> None:
    deployment = read_context({"environment": "dev", "telemetry": mode})

    assert deployment.memory_mb == TELEMETRY_MODES[mode].memory_mb
    assert deployment.function_variables.items() >= TELEMETRY_MODES[mode].variables.items()


def test_layer_and_full_layer() -> None:
    fast, full = (
        read_context({"environment": "dev", "telemetry": mode}).function_variables for mode in ("layer", "layer-full")
    )

    assert fast["AWS_LAMBDA_EXEC_WRAPPER"] == full["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/otel-instrument"
    assert (fast["OTEL_AWS_LAMBDA_FAST_START"], full["OTEL_AWS_LAMBDA_FAST_START"]) == ("true", "false")


@pytest.mark.parametrize(("context", "memory_mb"), [({}, 512), ({"memory": "256"}, 256)])
def test_the_full_layer_has_the_cpu_for_its_start(context: dict[str, str], memory_mb: int) -> None:
    """At 128 MB it would take about the 10 s that Lambda allows."""
    assert read_context({"environment": "dev", "telemetry": "layer-full", **context}).memory_mb == memory_mb


def test_collector_endpoint() -> None:
    deployment = read_context(
        {"environment": "dev", "telemetry": "collector", "collector_endpoint": "https://collector.example:4318"}
    )

    assert deployment.function_variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://collector.example:4318"


@pytest.mark.parametrize("value", APPLICATION_SIGNALS)
def test_application_signals(value: str) -> None:
    variables = read_context({"environment": "dev", "application_signals": value}).function_variables

    assert variables.get("OTEL_AWS_APPLICATION_SIGNALS_ENABLED") == (None if value == "off" else "true")


def test_memory_as_text_or_number() -> None:
    assert [read_context({"environment": "dev", "memory": memory}).memory_mb for memory in ("512", 512)] == [512, 512]


def test_rollout_at_once() -> None:
    gradual, at_once = (
        read_context({"environment": "prod", "rollout": rollout}).at_once for rollout in ("gradual", "at_once")
    )

    assert (gradual, at_once) == (False, True)


def test_snapstart_is_off_by_default() -> None:
    assert [read_context({"environment": "dev", **given}).snapstart for given in ({}, {"snapstart": "on"})] == [
        False,
        True,
    ]


def test_cdk_keys_are_ignored() -> None:
    read_context({"environment": "dev", "aws:cdk:enable-path-metadata": True, "@aws-cdk/core:x": True})


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"environment": None}, "environment is not given: add ENVIRONMENT=... to make with one of dev, staging, prod"),
        ({"environment": "production"}, "environment=production is not one of dev, staging, prod"),
        ({"enviroment": "dev"}, "enviroment is not known: did you mean environment?"),
        ({"colour": "blue"}, "colour is not known: known: environment, telemetry"),
        ({"telemetry": "sidecar"}, "telemetry=sidecar is not one of direct, layer, layer-full, collector"),
        ({"telemetry": "collector"}, "telemetry=collector needs collector_endpoint=URL"),
        ({"collector_endpoint": "http://c:4318"}, "collector_endpoint needs telemetry=collector"),
        ({"telemetry": "collector", "collector_endpoint": "c:4318"}, "collector_endpoint=c:4318 is not a URL"),
        (
            {"telemetry": "collector", "collector_endpoint": "https://user:s3cret@c:4318"},
            "collector_endpoint has a user or a password, which the template would show: remove it",
        ),
        ({"memory": "64"}, "memory=64 is not a whole number of MB from 128 to 10240"),
        ({"memory": "lots"}, "memory=lots is not a whole number of MB from 128 to 10240"),
        ({"architecture": "amd64"}, "architecture=amd64 is not one of arm64, x86_64"),
        ({"image_uri": "mark-earnings-processed"}, "image_uri=mark-earnings-processed is not an image in ECR"),
        ({"image_uri": ECR}, f"image_uri={ECR} is not an image in ECR"),
        ({"calendar_table": "no table"}, "calendar_table=no table is not a table's name"),
        ({"audit_table": "a/b"}, "audit_table=a/b is not a table's name"),
        ({"event_bus": "a bus"}, "event_bus=a bus is not an event bus's name"),
        ({"log_level": "WARN"}, "log_level=WARN is not one of INFO, DEBUG"),
        ({"application_signals": "yes"}, "application_signals=yes is not one of off, on, discovery"),
        (
            {"telemetry": "collector", "collector_endpoint": "http://c:4318", "application_signals": "on"},
            "application_signals=on has no effect with telemetry=collector",
        ),
        ({"snapstart": "true"}, "snapstart=true is not one of off, on"),
        ({"rollout": "linear"}, "rollout=linear is not one of gradual, at_once"),
        ({"runbook": "docs/runbook.md"}, "runbook=docs/runbook.md is not a URL"),
        ({"alarm_email": "team"}, "alarm_email=team is not an e-mail address"),
    ],
)
def test_an_invalid_value_is_reported_in_one_line(context: dict[str, str | None], message: str) -> None:
    given = {key: value for key, value in {"environment": "dev", **context}.items() if value is not None}

    with pytest.raises(ContextError) as raised:
        read_context(given)

    text = str(raised.value)
    assert text.startswith(f"context {message}")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eusc-de-east-1", "amazonaws.eu"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("us-gov-west-1", "amazonaws.com"),
        ("us-iso-east-1", "c2s.ic.gov"),
    ],
)
def test_every_partition_has_regions_and_images(region: str, domain: str) -> None:
    image = f"111122223333.dkr.ecr.{region}.{domain}/mark-earnings-processed:1"
    context = {"environment": "dev", "account": "111122223333", "region": region, "image_uri": image}

    assert read_context(context).image_uri == image
