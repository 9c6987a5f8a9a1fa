"""The locked environments of the variants: one per group of packages, all from `uv.lock`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.measure import BenchError
from bench.target import ROOT

FUNCTION = "function"
"""The environment of the real function, with the packages of its image."""

LAYER = "layer"
"""The same with the packages of the ADOT layer."""

# The layer does not contain the gRPC exporter.
_NO_GRPC = (
    *("--no-install-package", "opentelemetry-exporter-otlp-proto-grpc"),
    *("--no-install-package", "grpcio"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    FUNCTION: ("--no-default-groups", "--no-install-project"),
    "plain": ("--only-group", "bench-plain"),
    "xray": ("--only-group", "bench-xray"),
    "powertools": ("--only-group", "bench-powertools"),
    "otel": ("--only-group", "bench-otel"),
    "otel-lite": ("--only-group", "bench-otel-lite"),
    "datadog": ("--only-group", "bench-datadog"),
    "adot": ("--only-group", "bench-adot", *_NO_GRPC),
    LAYER: ("--no-default-groups", "--no-install-project", "--group", "bench-adot", *_NO_GRPC),
}
"""The arguments of `uv sync` per environment."""


def interpreter(name: str) -> Path:
    """Return the path of an environment's interpreter, whether it exists or not."""
    return ROOT / ".cache" / "bench" / name / "bin" / "python"


def site_packages(name: str) -> Path:
    """Return the path of an environment's packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return interpreter(name).parent.parent / "lib" / version / "site-packages"


def install(name: str) -> None:
    """Install an environment from the lock file, with the interpreter of this process.

    Raises:
        BenchError: Uv is missing or fails.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise BenchError("uv is not on the PATH, and the variable UV does not name it")
    command = [uv, "sync", "--locked", "--quiet", "--python", str(Path(sys.executable).resolve()), *GROUPS[name]]
    environ = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(interpreter(name).parent.parent)}
    environ.pop("VIRTUAL_ENV", None)
    try:
        result = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchError(f"uv does not start: {error}") from None
    if result.returncode != 0:
        errors = result.stderr.strip().splitlines() or ["no message"]
        raise BenchError(f"uv does not make the environment {name}: {errors[-1]}")
