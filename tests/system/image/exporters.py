"""The export modes of spans, all from one image: the variables that select each, and its receiver."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.containers import Harness

_COLLECTOR = Path(__file__).with_name("collector.py")
_PORT = 4318


@dataclass(frozen=True)
class ExportMode:
    """One export mode.

    Attributes:
        variables: The variables of the function.
        collector: Whether spans go to a collector; otherwise to the X-Ray agent.
    """

    variables: Mapping[str, str]
    collector: bool = False

    def receiver(self, harness: Harness) -> AbstractContextManager[Any]:
        """Return the collector, if the mode needs one; the port of the agent may be closed."""
        return harness.beside(_COLLECTOR, _PORT) if self.collector else nullcontext()


EXPORT_MODES = {
    "direct": ExportMode({"AWS_LAMBDA_EXEC_WRAPPER": ""}),
    "collector": ExportMode({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{_PORT}"}, collector=True),
    "layer": ExportMode({}),
    "layer, full": ExportMode({"OTEL_AWS_LAMBDA_FAST_START": "false"}),
}
