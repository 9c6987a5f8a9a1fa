"""The function in a process of its own, in each of the export modes, and the spans that came out of it."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emulator.faults import Fault, FaultProxy, Reply, answer
from emulator.lambda_runtime.span_receiver import HEADER, SpanDict, decode_datagram
from tests.integration.harness import Services
from tests.integration.test_layer import SET_UPS
from tests.support.events import DATE, unique_event
from tests.support.export_modes import WRAPPER
from tests.support.harness import function_environ
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.thorough import THOROUGH

DIRECT, COLLECTOR = "direct", "collector"
LAYERS: Mapping[str, Mapping[str, str]] = {
    f"layer, {set_up}": {"AWS_LAMBDA_EXEC_WRAPPER": str(WRAPPER), **more} for set_up, more in SET_UPS.items()
}
MODES = (DIRECT, COLLECTOR, *LAYERS)
USUAL_MODES = tuple(mode for mode in MODES if THOROUGH or "instrumenting" not in mode)
"""Unless the run is `THOROUGH`, those that differ by more than what else is instrumented.

Only for files that the step `soak` of .ci/run runs.
"""

_ACCEPTED = Reply(200, b"", {"Content-Type": "application/x-protobuf"})
_EXPORTS = 100
"""More than any test makes."""


@dataclass(frozen=True)
class ModeSandbox:
    """One execution environment.

    Attributes:
        sandbox: Its process and output.
    """

    sandbox: Sandbox
    _services: Services
    _collector: FaultProxy

    @property
    def posted(self) -> list[bytes]:
        """The OTLP requests to the collector so far."""
        return [each.request.body for each in self._collector.requests]

    @property
    def spans(self) -> list[SpanDict]:
        """All spans so far, whatever way they came."""
        sampled = json.dumps(HEADER).encode() + b"\nT1S"  # a collector is sent no others
        posted = [sampled + base64.b64encode(body) for body in self.posted]
        return self.sandbox.spans + [span for each in posted for span in decode_datagram(each)]

    def mark_a_row(self, trace_header: str = "") -> list[SpanDict]:
        """Deliver an event for a row of its own, and return its spans.

        Args:
            trace_header: Lambda's; with an empty one, the event begins a trace.
        """
        event = unique_event()
        self._services.tables.put_row(event["detail"]["asset_symbol"], DATE)
        before = len(self.spans)
        result = self.sandbox.invoke(event, trace_header=trace_header)
        assert result.status == "ok", result.error_text()
        assert json.loads(result.payload)["outcome"] == "marked"
        return self.spans[before:]


@contextmanager
def sandbox_in_mode(
    services: Services, mode: str, *faults: Fault, handler: str = "handler.app.lambda_handler", **more: Any
) -> Iterator[ModeSandbox]:
    """Start the function.

    Args:
        services: What it writes to.
        mode: One of `MODES`.
        faults: Of its transactions, in order.
        handler: `package.module.function`.
        more: Environment variables.
    """
    with (
        FaultProxy(services.tables.url, *faults, operation="TransactWriteItems") as dynamodb,
        FaultProxy("http://127.0.0.1:1", *[answer(_ACCEPTED)] * _EXPORTS) as collector,
    ):
        of_mode = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} if mode == COLLECTOR else LAYERS.get(mode, {})
        given = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url, **of_mode, **more}
        with sandbox_process(function_environ(services.tables, services.queue, **given), handler=handler) as sandbox:
            yield ModeSandbox(sandbox, services, collector)
