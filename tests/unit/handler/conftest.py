"""The stands: one without tracing, and one with."""

from collections.abc import Iterator

import pytest

from tests.unit.handler.stand import Stand


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """The function on scripted AWS, without spans."""
    with Stand(tracing=False).connected() as ready:
        yield ready


@pytest.fixture(scope="module")
def traced() -> Iterator[Stand]:
    """The function on scripted AWS, with spans."""
    with Stand(tracing=True).connected() as ready:
        yield ready
