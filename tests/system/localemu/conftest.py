"""Fixtures of the tests that run the function in a third-party emulator of AWS; they need Docker."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emulator.services.managed_service import LOOPBACK
from emulator.services.tables import create_tables
from tests.support.containers import IMAGE
from tests.support.dynamodb_local import IMAGE as DYNAMODB_LOCAL
from tests.support.images import require, run
from tests.support.stores import Tables
from tests.system.localemu.localemu import PACKAGES, Emulator, emulator

_HERE = Path(__file__).parent
_TIMEOUT_SECONDS = 600
"""An emulator, containers and a busy machine: it is there to end what hangs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave fixtures out of the timeout."""
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("timeout") is None:
            # The first of them builds the image and starts the emulator, which have bounds of their own.
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def emulated_image(docker_command: str, image: str) -> Iterator[str]:
    """The function's image under a name that the emulator can try to pull without asking anybody but this machine."""
    name = f"{LOOPBACK}:1/{IMAGE}:emulator-{os.getpid()}"
    assert not run(docker_command, "tag", image, name, seconds=30).returncode
    yield name
    run(docker_command, "rmi", "--no-prune", name, seconds=30)


@pytest.fixture(scope="session")
def aws(docker_command: str, emulated_image: str) -> Iterator[Emulator]:
    """The emulator of AWS."""
    if not PACKAGES.is_dir():
        pytest.fail("LocalEmu is not installed: `make test-emulator` does that", pytrace=False)
    require(docker_command, DYNAMODB_LOCAL)
    with emulator() as made:
        yield made


@pytest.fixture
def new_tables(aws: Emulator) -> Iterator[Callable[[], Tables]]:
    """Makes two empty tables of their own, in the DynamoDB Local beside the emulator."""
    with closing(aws.dynamodb()) as client:

        def make() -> Tables:
            name = uuid.uuid4().hex[:8]
            made = Tables(aws.dynamodb_url, f"calendar-{name}", f"audit-{name}", client)
            create_tables(client, made.calendar_table, made.audit_table)
            return made

        yield make
