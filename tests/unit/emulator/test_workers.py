"""Several workers side by side."""

from pathlib import Path

import pytest

from emulator.environment import FunctionConfig
from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import Worker
from emulator.lambda_runtime.workers import start_workers


def test_a_function_that_does_not_start_says_why() -> None:
    function = FunctionConfig("broken_import.handler", python_path=(Path(__file__).parent / "fixtures",))
    with (
        Worker(function, lambda *_: None) as one,
        Worker(function, lambda *_: None) as two,
        pytest.raises(EmulatorError, match="ImportModuleError") as caught,
    ):
        start_workers([one, two])

    assert "\n" not in str(caught.value)
