"""The build: on both builders, and for both architectures."""

import hashlib
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import ROOT
from tests.system.image.file_system import Image

_BUILD_SECONDS = 600
_AARCH64 = 183


@pytest.mark.timeout(_BUILD_SECONDS, func_only=True)
def test_both_builders_make_the_same_image(docker_command: str, docker_config: str, image: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    if docker_config:
        environment["DOCKER_CONFIG"] = docker_config
    other = f"{image}:buildkit"
    subprocess.run(
        [docker_command, "build", "--tag", other, "."], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    first, second = (
        {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        for files in (_files(Image.of(name, tmp_path)) for name in (image, other))
    )
    assert len(first) > 500
    assert first == second


def _files(image: Image) -> dict[str, bytes]:
    return image.read_all("", below="var/task") | image.read_all("", below="opt")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-layer.txt"])
@pytest.mark.timeout(_BUILD_SECONDS, func_only=True)
def test_the_packages_are_to_be_had_for_arm64(docker_command: str, base_image: str, name: str, tmp_path: Path) -> None:
    """By the very command of the Dockerfile, on a machine that says it is another: pip checks every hash."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    commands = re.findall(r"^RUN (python3\.13 -m pip install (?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    [command_line] = [command for command in commands if f"/build/{name} " in command]
    command_line = command_line.replace("/opt/adot/python", "/target")
    (tmp_path / "uname").write_text("#!/bin/sh\necho aarch64\n")
    (tmp_path / "uname").chmod(0o755)
    target = tmp_path / "task"
    target.mkdir()
    shutil.copy(ROOT / "deploy" / "image" / name, tmp_path)
    mounts = [f"--volume={tmp_path}:/build", f"--volume={target}:/target", "--env=LAMBDA_TASK_ROOT=/target"]
    command = [docker_command, "run", "--rm", *mounts, "--entrypoint=sh", base_image]
    subprocess.run([*command, "-c", f"PATH=/build:$PATH; {command_line}"], check=True, capture_output=True)
    libraries = list(target.rglob("*.so"))
    assert {struct.unpack("<H", path.read_bytes()[18:20])[0] for path in libraries} == {_AARCH64}
    for path in libraries:
        needed = {tuple(map(int, found)) for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", path.read_bytes())}
        assert max(needed) <= (2, 34), path
