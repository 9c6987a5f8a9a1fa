"""The export modes of the image: the variables that select each, and the receiver of its spans."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.containers import Harness

_COLLECTOR = Path(__file__).with_name("collector.py")
_PORT = 4318
LAYER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}


@dataclass(frozen=True)
class ExportMode:
    """An export mode.

    Attributes:
        variables: The function's variables that select it.
        collector: Whether spans go to a collector; otherwise to the X-Ray daemon.
    """

    variables: Mapping[str, str]
    collector: bool = False

    def receiver(self, harness: Harness) -> AbstractContextManager[Any]:
        """Return the receiver that must run. The daemon's port needs none."""
        return harness.beside(_COLLECTOR, _PORT) if self.collector else nullcontext()


EXPORT_MODES = {
    "direct": ExportMode({}),
    "collector": ExportMode({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{_PORT}"}, collector=True),
    "layer": ExportMode(LAYER),
    "layer, fast start": ExportMode({**LAYER, "OTEL_AWS_LAMBDA_FAST_START": "true"}),
}
