"""Fixtures of the tests that run the function's container image; they need Docker."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import Rig
from tests.support.dynamodb_local import IMAGE as DYNAMODB_LOCAL
from tests.support.stores import DeadLetters, Tables

_HERE = Path(__file__).parent
_BUILD_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Docker."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.image)
            if item.get_closest_marker("timeout") is None:
                # The first of them builds the image, which has a bound of its own.
                item.add_marker(pytest.mark.timeout(func_only=True))


_LEFT_OUT: list[str] = []


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember what is left out because it needs Docker."""
    _LEFT_OUT.extend(item.nodeid for item in items if item.path.is_relative_to(_HERE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and how to run it."""
    if _LEFT_OUT and config.getoption("markexpr") == "not image":
        terminalreporter.write_line(
            f"left out: {len(_LEFT_OUT)} tests of the container image, which need Docker. `make test-image` runs them."
        )


@pytest.fixture(scope="session")
def docker_command() -> str:
    """The docker command, on a machine where an engine answers."""
    command = shutil.which("docker")
    if command is None or subprocess.run([command, "info"], capture_output=True, check=False).returncode:  # noqa: S603
        pytest.fail("no Docker engine answers (on Debian, .ci/docker installs and starts one)", pytrace=False)
    return command


@pytest.fixture(scope="session")
def docker_config() -> str:
    """The configuration with which `docker compose` and BuildKit work; empty where they do as it is."""
    result = _run(str(containers.ROOT / ".ci" / "compose"), seconds=_BUILD_SECONDS)
    if result.returncode:
        pytest.fail(f"no docker compose: {result.stderr}", pytrace=False)
    return result.stdout.strip()


def _run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, cwd=containers.ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )


def _require(docker_command: str, name: str) -> None:
    """Fail, in words, without an image that the tests start from."""
    if _run(docker_command, "image", "inspect", name, seconds=30).returncode:
        pulled = _run(docker_command, "pull", "--quiet", name, seconds=_BUILD_SECONDS)
        if pulled.returncode:
            pytest.fail(f"{name} is not here and cannot be pulled; .ci/images builds a stand-in", pytrace=False)


@pytest.fixture(scope="session")
def base_image(docker_command: str) -> str:
    """The image that the function's is built on."""
    name = containers.base_image()
    _require(docker_command, name)
    return name


@pytest.fixture(scope="session")
def image(docker_command: str, base_image: str) -> str:
    """The function's image, built from this checkout; `IMAGE` in the environment names one that is built already."""
    if built := os.environ.get("IMAGE"):
        return built
    result = _run(
        docker_command,
        "build",
        *("--build-arg", f"BASE_IMAGE={base_image}", "--tag", containers.IMAGE, "."),
        seconds=_BUILD_SECONDS,
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-30:])
        pytest.fail(f"the image does not build:\n{tail}", pytrace=False)
    return containers.IMAGE


@pytest.fixture(scope="session")
def rig(docker_command: str, image: str) -> Iterator[Rig]:  # noqa: ARG001 - without the image none of it is of use
    """DynamoDB Local and a queue in containers."""
    for name in (DYNAMODB_LOCAL, containers.queue_image()):
        _require(docker_command, name)
    with containers.rig() as made:
        yield made


@pytest.fixture
def tables(rig: Rig) -> Iterator[Tables]:
    """Two empty tables, in the rig's DynamoDB."""
    with rig.tables() as made:
        yield made


@pytest.fixture
def dead_letters(rig: Rig) -> DeadLetters:
    """An empty queue, in the rig."""
    return rig.dead_letters()


@pytest.fixture
def environment(rig: Rig, tables: Tables, dead_letters: DeadLetters) -> dict[str, str]:
    """The function's variables."""
    return rig.environment(tables, dead_letters)
