"""The commands of the command line, which Typer derives from signatures."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer.testing


@pytest.fixture(scope="package", autouse=True)
def one_command_line() -> Iterator[None]:
    """Derive the commands once, instead of for each command that a test runs."""
    testing: Any = typer.testing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", cache(testing._get_command))
        yield
