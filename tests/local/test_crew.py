"""Several workers side by side."""

from pathlib import Path

import pytest

from local.crew import start_workers
from local.environment import FunctionConfig
from local.errors import RunError
from local.worker import Worker


def test_a_function_that_does_not_start_says_why() -> None:
    function = FunctionConfig("broken_import.handler", python_path=(Path(__file__).parent / "fixtures",))
    with (
        Worker(function, lambda *_: None) as one,
        Worker(function, lambda *_: None) as two,
        pytest.raises(RunError, match="ImportModuleError") as caught,
    ):
        start_workers([one, two])

    assert "\n" not in str(caught.value)
