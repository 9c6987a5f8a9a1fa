"""Fixtures of the tests that run the function's container image; they need Docker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import Harness
from tests.support.dynamodb_local import IMAGE as DYNAMODB_LOCAL
from tests.support.images import BUILD_SECONDS, require, run
from tests.support.stores import DeadLetters, Tables

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave fixtures out of the timeout."""
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("timeout") is None:
            # The first of them builds the image, which has a bound of its own.
            item.add_marker(pytest.mark.timeout(func_only=True))


@pytest.fixture(scope="session")
def docker_config() -> str:
    """The configuration with which `docker compose` and BuildKit work; empty where they do as it is."""
    result = run(str(containers.ROOT / ".ci" / "compose"), seconds=BUILD_SECONDS)
    if result.returncode:
        pytest.fail(f"no docker compose: {result.stderr}", pytrace=False)
    return result.stdout.strip()


@pytest.fixture(scope="session")
def harness(docker_command: str, image: str) -> Iterator[Harness]:
    """DynamoDB Local and a queue in containers."""
    for name in (DYNAMODB_LOCAL, containers.queue_image()):
        require(docker_command, name)
    with containers.harness() as made:
        yield made


@pytest.fixture
def tables(harness: Harness) -> Iterator[Tables]:
    """Two empty tables, in the harness's DynamoDB."""
    with harness.tables() as made:
        yield made


@pytest.fixture
def dead_letters(harness: Harness) -> DeadLetters:
    """An empty queue of the harness."""
    return harness.dead_letters()


@pytest.fixture
def environment(harness: Harness, tables: Tables, dead_letters: DeadLetters) -> dict[str, str]:
    """The function's variables."""
    return harness.environment(tables, dead_letters)
