"""Where and with what a run was measured."""

import os
import platform
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.target import ROOT

FUNCTION_LIBRARIES = (
    "boto3",
    "botocore",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-botocore",
    "aws-opentelemetry-distro",
)
"""What V0 and the function consist of."""

LIBRARIES = (
    *FUNCTION_LIBRARIES,
    "aws-lambda-powertools",
    "aws-xray-sdk",
    "lambda-otel-lite",
    "datadog-lambda",
    "ddtrace",
)
"""What all variants consist of."""


def origin(libraries: Sequence[str]) -> dict[str, Any]:
    """Return today's date, the machine and the versions of what is measured, as JSON values.

    Args:
        libraries: The names of what is measured.

    Raises:
        KeyError: A library is not in the lock file.
    """
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "machine": machine(),
        "libraries": versions(ROOT / "uv.lock", libraries),
    }


def versions(lock: Path, libraries: Sequence[str]) -> dict[str, str]:
    """Return the locked versions of libraries.

    Raises:
        KeyError: One of them is not in the lock file.
    """
    locked = {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}
    return {name: locked[name] for name in libraries}


def machine() -> str:
    """Return the kind of this machine: cores, architecture and processor."""
    name = ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        name = platform.processor()
    return f"{os.cpu_count()} cores, {platform.machine()}" + (f", {name}" if name else "")


def place(run: Mapping[str, Any]) -> str:
    """Return when and where a recorded run was measured."""
    return f"{run['date']}, {run['machine']}, Python {run['python']}"


def described(run: Mapping[str, Any]) -> str:
    """Return the origin of a recorded run, and how instructions were counted, as one line."""
    libraries = ", ".join(f"{name} {version}" for name, version in run["libraries"].items())
    counter = run["counter"] or "instructions not counted"
    return f"{place(run)}, {counter}; {libraries}."
