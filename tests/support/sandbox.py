"""The function as Lambda runs it, for tests: a process of its own, and everything that comes out of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from emulator.environment import LOCAL_CREDENTIALS, FunctionConfig, new_trace_header
from emulator.lambda_runtime.span_receiver import SpanDict, decode_datagram
from emulator.lambda_runtime.worker import InvocationResult, Worker
from tests.support.telemetry import json_lines
from tests.support.udp import SpanSocket, span_socket

PATIENCE = 120
"""Seconds that an invocation has unless the test is about that: machines that run tests are busy."""


@dataclass
class Sandbox:
    """One execution environment.

    Attributes:
        worker: Runs its process.
        stdout: Lines so far.
        stderr: Lines so far.
    """

    worker: Worker
    stdout: list[str]
    stderr: list[str]
    _spans: SpanSocket
    datagrams: list[bytes] = field(default_factory=list)
    _decoded: list[list[SpanDict]] = field(default_factory=list)

    def invoke(
        self,
        event: object,
        *,
        timeout_s: float = PATIENCE,
        request_id: str | None = None,
        trace_header: str | None = None,
    ) -> InvocationResult:
        """Invoke the function with an event, or with bytes as they are; with a trace header of its own if None."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        header = new_trace_header() if trace_header is None else trace_header
        result = self.worker.invoke(payload, trace_header=header, timeout_s=timeout_s, request_id=request_id)
        self.datagrams += self._spans.take_raw()
        return result

    @property
    def spans(self) -> list[SpanDict]:
        """All spans so far."""
        self._decoded += map(decode_datagram, self.datagrams[len(self._decoded) :])
        return [span for spans in self._decoded for span in spans]

    @property
    def logs(self) -> list[dict[str, Any]]:
        """All log lines so far."""
        return [line for line in self._lines() if "_aws" not in line]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All metric lines so far."""
        return [line for line in self._lines() if "_aws" in line]

    def _lines(self) -> list[dict[str, Any]]:
        return json_lines("".join(f"{line}\n" for line in self.stdout).encode())


@contextmanager
def sandbox_process(
    settings: Mapping[str, str],
    *,
    credentials: Mapping[str, str] = LOCAL_CREDENTIALS,
    handler: str = "handler.app.lambda_handler",
) -> Iterator[Sandbox]:
    """An execution environment; its process starts with the first invocation.

    Args:
        settings: The function's environment variables; spans come to the test unless they say otherwise.
        credentials: Of its role.
        handler: `package.module.function`.
    """
    with span_socket() as spans:
        given = {
            "AWS_XRAY_DAEMON_ADDRESS": spans.endpoint,
            "AWS_CONNECT_TIMEOUT_SECONDS": "30",
            "AWS_READ_TIMEOUT_SECONDS": "60",
            **settings,
        }
        outputs: dict[str, list[str]] = {"stdout": [], "stderr": []}
        config = FunctionConfig(handler, credentials=credentials, settings=given)
        with Worker(config, lambda stream, line: outputs[stream].append(line)) as worker:
            yield Sandbox(worker, outputs["stdout"], outputs["stderr"], spans)
