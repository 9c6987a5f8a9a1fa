"""The stand."""

from collections.abc import Iterator

import pytest

from tests.unit.handler.stand import Stand


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """The function on scripted AWS."""
    with Stand().connected() as ready:
        yield ready
