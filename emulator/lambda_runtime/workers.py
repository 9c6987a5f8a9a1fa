"""Several workers side by side."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import Worker


def start_workers(workers: Sequence[Worker]) -> None:
    """Start the function's processes at the same time.

    Raises:
        EmulatorError: One did not start; the text is what the function said.
    """
    with ThreadPoolExecutor(len(workers)) as executor:
        for failure in executor.map(Worker.start, workers):
            if failure is not None:
                raise EmulatorError(f"the function does not start: {failure.error_text()}")
