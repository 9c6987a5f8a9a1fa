"""The first step of a start, before the libraries are imported."""

import subprocess
import sys

import pytest

from handler.errors import SettingsError
from handler.startup import read_settings, refuse, refused_by_opentelemetry
from tests.support.telemetry import json_lines, telemetry_settings
from tests.unit.handler.stand import ENVIRON

SECRET = "s3ntinel"


def test_blank_variables_of_the_libraries_are_removed_and_no_others() -> None:
    blank = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE")
    kept = {"https_proxy": "", "PATH": "", "_X_AMZN_TRACE_ID": " "}  # an empty proxy is a decision
    environ = ENVIRON | kept | dict.fromkeys(blank, " ") | {"AWS_PROFILE": ""}
    read_settings(environ, print)
    assert environ == ENVIRON | kept


def test_a_wrong_setting_is_one_line_and_the_end() -> None:
    lines: list[bytes] = []
    with pytest.raises(SystemExit) as caught:
        read_settings(ENVIRON | {"OTEL_SPAN_LINK_COUNT_LIMIT": SECRET, "ENVIRONMENT": "prod"}, lines.append)
    assert caught.value.code == 1
    (line,) = json_lines(b"".join(lines))
    assert (line["level"], line["environment"]) == ("FATAL", "prod")
    assert line["problems"] == ["OTEL_SPAN_LINK_COUNT_LIMIT must be a whole number from 0 to 2147483647"]


def test_an_output_that_fails_does_not_hide_the_end() -> None:
    def write(_: bytes) -> None:
        raise OSError

    with pytest.raises(SystemExit):
        refuse(SettingsError(["X must be Y"], telemetry_settings()), write)


def test_what_opentelemetry_refuses() -> None:
    environ = {"OTEL_B": SECRET, "OTEL_A": SECRET, "PATH": "/"}
    told = "OpenTelemetry refuses one of the variables "
    assert refused_by_opentelemetry(RuntimeError(SECRET), environ) == f"{told}OTEL_A, OTEL_B: RuntimeError"
    assert refused_by_opentelemetry(RuntimeError(SECRET), {}) == f"{told}OTEL_*: RuntimeError"


def test_it_imports_nothing_that_reads_variables_while_it_loads() -> None:
    code = "import handler.startup, sys; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own interpreter
    assert run.stdout == "[]\n"
