"""Fixtures: Docker, and the images that tests start from. A plugin of tests/conftest.py."""

import os
import shutil
import subprocess

import pytest

from tests.support import containers

BUILD_SECONDS = 600


@pytest.fixture(scope="session")
def docker_command() -> str:
    """The docker command, on a machine where an engine answers."""
    command = shutil.which("docker")
    if command is None or subprocess.run([command, "info"], capture_output=True, check=False).returncode:
        pytest.fail("no Docker engine answers (on Debian, .ci/docker installs and starts one)", pytrace=False)
    return command


def run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command at the project's root, whatever its exit status."""
    return subprocess.run(command, cwd=containers.ROOT, capture_output=True, text=True, timeout=seconds, check=False)


def require(docker_command: str, name: str) -> None:
    """Fail, in words, without an image that the tests start from."""
    if run(docker_command, "image", "inspect", name, seconds=30).returncode:
        pulled = run(docker_command, "pull", "--quiet", name, seconds=BUILD_SECONDS)
        if pulled.returncode:
            pytest.fail(f"{name} is not here and cannot be pulled; .ci/images builds a replacement", pytrace=False)


@pytest.fixture(scope="session")
def base_image(docker_command: str) -> str:
    """The image that the function's is built on."""
    name = containers.base_image()
    require(docker_command, name)
    return name


@pytest.fixture(scope="session")
def image(docker_command: str, base_image: str) -> str:
    """The function's image, built from this checkout; `IMAGE` in the environment names one that is built already."""
    if built := os.environ.get("IMAGE"):
        return built
    result = run(
        docker_command,
        "build",
        *("--build-arg", f"BASE_IMAGE={base_image}", "--tag", containers.IMAGE, "."),
        seconds=BUILD_SECONDS,
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-30:])
        pytest.fail(f"the image does not build:\n{tail}", pytrace=False)
    return containers.IMAGE
