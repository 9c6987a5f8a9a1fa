"""The ways out of spans, all from one image: what turns each on, and who receives there."""

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
class WayOut:
    """One of them.

    Attributes:
        variables: of the function.
        collector: whether spans go to a collector; otherwise to the X-Ray agent.
    """

    variables: Mapping[str, str]
    collector: bool = False

    def receiver(self, harness: Harness) -> AbstractContextManager[Any]:
        """Who must be there: nobody needs to be at the agent's port."""
        return harness.beside(_COLLECTOR, _PORT) if self.collector else nullcontext()


WAYS_OUT = {
    "direct": WayOut({}),
    "collector": WayOut({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{_PORT}"}, collector=True),
    "layer": WayOut(LAYER),
    "layer, fast start": WayOut({**LAYER, "OTEL_AWS_LAMBDA_FAST_START": "true"}),
}
