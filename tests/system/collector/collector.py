"""The collector that `make test-collector` builds: its process and its output."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from emulator.environment import PROJECT_ROOT
from emulator.services.managed_service import LOOPBACK, free_port

BINARY = PROJECT_ROOT / ".cache" / "collector" / "build" / "collector"
CONFIG = PROJECT_ROOT / "deploy" / "compose" / "collector.yaml"

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


def validate(environ: Mapping[str, str], *changes: str) -> subprocess.CompletedProcess[str]:
    """Let the collector judge the configuration; 0 if it is right.

    Args:
        environ: The collector's environment variables.
        changes: Settings that replace the file's, `exporters.awsxray.region=eu-west-1` for example.
    """
    return subprocess.run(
        [BINARY, "validate", *_arguments(changes)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def running(environ: Mapping[str, str], *changes: str) -> Iterator[str]:
    """Run the collector with the configuration; its ports are others, on loopback only.

    When the block is left, it is stopped the friendly way: what it has received, it has passed on then.

    Args:
        environ: Environment variables on top of `AWS_CONFIG`.
        changes: Settings that replace the file's.

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
            [BINARY, *_arguments((*ours, *changes))],
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


def _arguments(changes: Sequence[str]) -> list[str | Path]:
    return ["--config", CONFIG, *(f"--set={change}" for change in changes)]


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
