"""Fixtures: the automatic redrive with everything around it."""

from collections.abc import Iterator

import pytest

from tests.support.redriver_harness import RedriverHarness, redriver_harness
from tests.support.stores import DeadLetters, Tables


@pytest.fixture
def harness(tables: Tables, dead_letters: DeadLetters) -> Iterator[RedriverHarness]:
    """The automatic redrive."""
    with redriver_harness(tables, dead_letters) as harness:
        yield harness
