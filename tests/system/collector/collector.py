"""The collectors that `make test-collector` builds: their processes and output."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from emulator.environment import PROJECT_ROOT
from emulator.services.managed_service import LOOPBACK, free_port

AWS_CONFIG: Mapping[str, str] = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

_START_SECONDS = 60
_STOP_SECONDS = 60
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector with one of the repository's configurations.

    Attributes:
        binary: The program.
        config: The file.
    """

    binary: Path
    config: Path

    def validate(self, environ: Mapping[str, str], *changes: str) -> subprocess.CompletedProcess[str]:
        """Let the collector judge the configuration; 0 if it is right.

        Args:
            environ: The collector's environment variables.
            changes: Settings that replace the file's, `exporters.awsxray.region=eu-west-1` for example.
        """
        command = [self.binary, "validate", *self._arguments(changes)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    @contextmanager
    def running(self, environ: Mapping[str, str], *changes: str, gates: str = "") -> Iterator[str]:
        """Run the collector; its ports are others, on loopback only.

        When the block is left, it is stopped the friendly way: what it has received, it has passed on then.

        Args:
            environ: Environment variables on top of `AWS_CONFIG`.
            changes: Settings that replace the file's.
            gates: Feature gates that are switched on.

        Yields:
            Its OTLP endpoint.

        Raises:
            RuntimeError: It does not start, or does not stop; with its log.
        """
        otlp, health = free_port(), free_port()
        ours = (
            f"receivers.otlp.protocols.http.endpoint={LOOPBACK}:{otlp}",
            f"extensions.health_check.endpoint={LOOPBACK}:{health}",
            "service.telemetry.metrics.level=none",  # or it listens at one more port
        )
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [self.binary, f"--feature-gates={gates}", *self._arguments((*ours, *changes))],
                env={**AWS_CONFIG, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                _wait_until_healthy(process, health)
                yield f"http://{LOOPBACK}:{otlp}"
                _stop(process)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                log.seek(0)
                raise RuntimeError(f"{error}; its log: {log.read().decode(errors='replace')[-4000:]}") from error
            finally:
                process.kill()
                process.wait()

    def _arguments(self, changes: Sequence[str]) -> list[str | Path]:
        return ["--config", self.config, *(f"--set={change}" for change in changes)]


_BUILDS = PROJECT_ROOT / ".cache" / "collector"
_CONFIGS = PROJECT_ROOT / "deploy" / "compose"
AWS_EXPORTERS = Collector(_BUILDS / "aws-exporters" / "collector", _CONFIGS / "collector.yaml")
"""X-Ray's and CloudWatch's own exporters, or another backend."""
AWS_OTLP = Collector(_BUILDS / "aws-otlp" / "collector", _CONFIGS / "collector-otlp.yaml")
"""AWS's OTLP endpoints."""


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while not _healthy(port):
        if process.poll() is not None:
            raise RuntimeError(f"the collector ended at its start with exit status {process.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"the collector is not healthy within {_START_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    if process.wait(_STOP_SECONDS) != 0:
        raise RuntimeError(f"the collector ended with exit status {process.returncode}")


def _healthy(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
