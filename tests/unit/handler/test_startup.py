"""The first step of a start, before the libraries are imported."""

import json
import subprocess
import sys

import pytest

from handler.errors import SettingsError
from handler.startup import refused_by_opentelemetry, reported
from otel.event_types import EventType
from tests.support.telemetry import json_lines, telemetry_settings
from tests.unit.handler.harness import ENVIRON

SECRET = "s3ntinel"


def begin(environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run `begin` in a process of its own, since it changes the process; standard error has what is left of environ."""
    code = """
import json, os, sys
from handler.startup import begin, reported
environ = json.loads(sys.argv[1])
write = sys.stdout.buffer.write
with reported(environ, write):
    begin(environ, write)
print(json.dumps(environ), file=sys.stderr)
print([name for name in sys.modules if name.startswith('opentelemetry')], file=sys.stderr)
"""
    command = [sys.executable, "-c", code, json.dumps(environ)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def test_blank_variables_of_the_libraries_are_removed_and_no_others() -> None:
    blank = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE")
    others = {"https_proxy": "", "PATH": "", "_X_AMZN_TRACE_ID": " "}  # an empty proxy is a decision
    run = begin(ENVIRON | others | dict.fromkeys(blank, " ") | {"AWS_PROFILE": ""})
    environ, modules = run.stderr.splitlines()
    assert json.loads(environ) == ENVIRON | others
    assert modules == b"[]", "a library that reads variables while it loads"


def test_a_wrong_setting_is_one_line_and_the_end() -> None:
    run = begin(ENVIRON | {"OTEL_SPAN_LINK_COUNT_LIMIT": SECRET, "ENVIRONMENT": "prod"})
    (line,) = json_lines(run.stdout)
    assert (run.returncode, run.stderr) == (1, b"")
    assert (line["level"], line["environment"]) == ("FATAL", "prod")
    assert line["problems"] == ["OTEL_SPAN_LINK_COUNT_LIMIT must be a whole number from 0 to 2147483647"]


def test_whatever_a_library_raises_is_one_line_without_its_text() -> None:
    lines: list[bytes] = []
    with pytest.raises(SystemExit) as caught, reported(ENVIRON | {"ENVIRONMENT": "\n"}, lines.append):
        raise RuntimeError(SECRET)
    assert caught.value.code == 1
    (line,) = json_lines(b"".join(lines))
    assert (line["event_type"], line["exception_type"]) == (EventType.START_FAILED, "RuntimeError")
    assert line["exception_at"].startswith("test_startup.py:")
    assert SECRET not in str(line)


def test_a_failing_output_still_ends_the_process() -> None:
    def write(_: bytes) -> None:
        raise OSError

    with pytest.raises(SystemExit), reported(ENVIRON, write):
        raise SettingsError(["X must be Y"], telemetry_settings())


def test_what_opentelemetry_refuses() -> None:
    environ = {"OTEL_B": SECRET, "OTEL_A": SECRET, "PATH": "/"}
    problem = "OpenTelemetry refuses one of the variables "
    assert refused_by_opentelemetry(RuntimeError(SECRET), environ) == f"{problem}OTEL_A, OTEL_B: RuntimeError"
    assert refused_by_opentelemetry(RuntimeError(SECRET), {}) == f"{problem}OTEL_*: RuntimeError"


def test_variables_without_effect_are_one_line_without_values() -> None:
    given = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_INSECURE": SECRET, "OTEL_TRACES_SAMPLER": "always_on"}
    run = begin(ENVIRON | given)
    (line,) = json_lines(run.stdout)
    assert run.returncode == 0
    assert (line["level"], line["event_type"]) == ("WARN", EventType.SETTINGS_WITHOUT_EFFECT)
    assert [problem.split()[0] for problem in line["problems"]] == [
        "OTEL_EXPORTER_OTLP_INSECURE",
        "OTEL_METRICS_EXPORTER",
    ]
    assert SECRET.encode() not in run.stdout
