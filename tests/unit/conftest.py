"""Unit tests use no service: `make test-unit` takes a minute of CPU."""

from typing import NoReturn

import pytest

_ADVICE = "a unit test uses no service: move it to tests/integration"


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> NoReturn:
    """Refuse."""
    pytest.fail(_ADVICE, pytrace=False)


@pytest.fixture(scope="session")
def queue_endpoint() -> NoReturn:
    """Refuse."""
    pytest.fail(_ADVICE, pytrace=False)
