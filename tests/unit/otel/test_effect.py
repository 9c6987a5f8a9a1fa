"""Which variables have an effect in which export mode."""

from collections.abc import Mapping

import pytest

from otel.settings import TelemetrySettings
from otel.settings.effect import COLLECTOR, DIRECT, LAYER, SET_BY_LAYER, settings_without_effect
from otel.settings.environ import EnvReader

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
FULL = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}
FAST = {**FULL, "OTEL_AWS_LAMBDA_FAST_START": "true"}


def without_effect(environ: Mapping[str, str]) -> list[str]:
    return settings_without_effect(TelemetrySettings.from_environ(EnvReader(environ), "a-function"), environ)


@pytest.mark.parametrize(
    ("mode", "effective", "other"),
    [
        ({}, DIRECT, "OTEL_EXPORTER_OTLP_HEADERS"),
        (ENDPOINT, COLLECTOR, "OTEL_EXPORTER_OTLP_INSECURE"),
        (FAST, LAYER | SET_BY_LAYER, "OTEL_SPAN_LINK_COUNT_LIMIT"),
    ],
    ids=["direct", "collector", "layer"],
)
def test_only_others_are_named(mode: dict[str, str], effective: frozenset[str], other: str) -> None:
    switches = {"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_AWS_LAMBDA_FAST_START"}
    given = {
        name: "true" if name.endswith("ENABLED") else "x"
        for name in effective - switches
        if not name.endswith("ENDPOINT")
    }
    assert without_effect(given | mode) == []
    (problem,) = without_effect(given | mode | {other: "1"})
    assert problem.startswith(f"{other} has no effect: nothing reads it in ")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("OTEL_METRICS_EXPORTER", "metrics are EMF lines on standard output, because no call leaves"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics are EMF lines on standard output, because no call leaves"),
        ("OTEL_LOGS_EXPORTER", "log lines are JSON on standard output"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "log lines are JSON on standard output"),
        ("OTEL_BSP_SCHEDULE_DELAY", "spans are exported before each invocation returns"),
    ],
)
def test_the_reason(name: str, reason: str) -> None:
    (problem,) = without_effect({name: "otlp"})
    assert problem.startswith(f"{name} has no effect: {reason}")


def test_an_exporter_that_is_none_is_as_it_is() -> None:
    assert without_effect({"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": " None "}) == []


def test_a_blank_variable_is_not_set() -> None:
    assert without_effect({"OTEL_METRICS_EXPORTER": "", "OTEL_BSP_SCHEDULE_DELAY": " "}) == []


def test_nothing_is_named_without_spans_and_in_adots_default_set_up() -> None:
    given = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_INSECURE": "true"}
    assert without_effect({**given, "OTEL_SDK_DISABLED": "true"}) == []
    assert without_effect({**given, **FULL}) == []
