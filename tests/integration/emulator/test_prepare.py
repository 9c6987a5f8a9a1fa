"""The script that prepares the services of docker-compose.yml, with only what its container mounts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint

# Packages of the development environment that the image does not have.
NOT_IN_THE_IMAGE = {"orjson", "google", "typer", "rich", "pytest", "awslambdaric"}

RUN = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); print(*sys.modules)"


def test_prepare_runs_twice_with_the_mounted_folders(
    dynamodb_endpoint: DynamoDBEndpoint, queue_endpoint: QueueEndpoint, tmp_path: Path
) -> None:
    service = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]["tables"]
    for volume in service["volumes"]:
        source, target, mode = volume.split(":")
        assert mode == "ro"
        shutil.copytree(PROJECT_ROOT / source, tmp_path / target.removeprefix("/"))
    script = service["entrypoint"][1].removeprefix("/")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "project"),
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_endpoint.url,
        "AWS_ENDPOINT_URL_SQS": queue_endpoint.url,
    }

    outputs = [
        subprocess.run(
            [sys.executable, "-c", RUN, script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.splitlines()
        for _ in range(2)
    ]

    assert "tables earningsCalendar and earningsAudit, " in outputs[0][0]
    assert ", 0 new rows; queue " in outputs[1][0]
    packages = {name.partition(".")[0] for name in outputs[0][1].split()}
    assert packages & {"handler", "emulator", "otel", "mep", *NOT_IN_THE_IMAGE} == {"handler", "emulator"}
