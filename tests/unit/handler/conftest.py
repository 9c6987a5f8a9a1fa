"""The harness as a fixture."""

from collections.abc import Iterator

import pytest

from tests.unit.handler.harness import HandlerHarness


@pytest.fixture(scope="module")
def harness() -> Iterator[HandlerHarness]:
    """The function on scripted AWS."""
    with HandlerHarness().connected() as ready:
        yield ready
