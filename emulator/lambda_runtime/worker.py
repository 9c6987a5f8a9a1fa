"""A worker: one Lambda execution environment, with a real deadline and real process death."""

import json
import queue
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

from emulator.environment import FunctionConfig
from emulator.lambda_runtime.process import FunctionProcess, LineSink
from emulator.lambda_runtime.runtime_api import ApiEvent, Invocation
from handler.validation import format_utc

type Status = Literal["ok", "error", "timeout", "crashed", "init_error", "throttled", "system_error"]


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended.

    Attributes:
        status: `ok` (the handler returned), `error` (it raised), `timeout` (the deadline came, the process was
            killed), `crashed` (the process died on the way) or `init_error` (it did not even start). `throttled` and
            `system_error` come from what stands in for Lambda itself: the function did not run.
        payload: What the function answered; where it could not, the error body that Lambda would answer.
        request_id: The invocation's request ID.
        duration_s: Seconds from the hand-over to the function until the end.
        cold_start: Whether a new process was started for it.
    """

    status: Status
    payload: bytes
    request_id: str
    duration_s: float
    cold_start: bool

    def error_text(self) -> str:
        """Return `errorType: errorMessage` of a failed invocation, on one line."""
        try:
            body = json.loads(self.payload)
            text = f"{body.get('errorType') or self.status}: {body.get('errorMessage')}"
        except (ValueError, AttributeError):
            text = f"{self.status}: {self.payload[:200]!r}"
        return " ".join(text.split())


class Worker:
    """Runs invocations of a function one after another, in a process that is kept warm between them.

    At the deadline, and when the process dies, the next invocation starts a new one: a cold start.

    Args:
        config: How the function is configured.
        sink: Called with every line that the function prints (`stdout` or `stderr`, the text). All lines printed
            before the function answered have been handed over when `invoke` returns.
        init_timeout_s: Seconds that a new process has until it asks for work. Lambda gives 10; a busy laptop
            may need more.
    """

    def __init__(self, config: FunctionConfig, sink: LineSink, *, init_timeout_s: float = 30) -> None:
        self._config = config
        self._sink = sink
        self._init_timeout_s = init_timeout_s
        self._process: FunctionProcess | None = None

    @property
    def pid(self) -> int | None:
        """The ID of the function's process, if one is alive and warm."""
        return self._process.pid if self._process else None

    def start(self) -> InvocationResult | None:
        """Start the process ahead of the first invocation.

        Returns:
            None when it is ready, else the `init_error`.
        """
        if self._process is not None:
            return None
        started = time.monotonic()
        self._process = FunctionProcess(self._config, self._sink)
        event = _wait(self._process, {"ready", "init_error", "exited"}, started + self._init_timeout_s)
        if event is not None and event.kind == "ready":
            return None
        if event is None:
            body = _error("Sandbox.Timedout", f"Init phase timed out after {self._init_timeout_s:.2f} seconds")
        elif event.kind == "init_error":
            body = event.payload
        else:
            body = _error("Runtime.ExitError", self._process.exit_description())
        self.close()
        return InvocationResult("init_error", body, "", time.monotonic() - started, cold_start=True)

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Invoke the function once and wait for the end.

        Args:
            payload: The event, JSON as bytes.
            trace_header: The X-Ray trace header (`emulator.environment.new_trace_header`).
            request_id: The request ID; a new one if None. A retry passes the first try's.
            timeout_s: The function's timeout in seconds; its process is killed when it is over.
        """
        request_id = request_id or str(uuid.uuid4())
        while True:
            cold_start = self._process is None
            if (failure := self.start()) is not None:
                return InvocationResult("init_error", failure.payload, request_id, failure.duration_s, cold_start=True)
            result = self._run(payload, trace_header, request_id, timeout_s, cold_start=cold_start)
            if result is not None:
                return result
            # The warm process had died since its last answer: Lambda would not have sent it anything.

    def _run(
        self, payload: bytes, trace_header: str, request_id: str, timeout_s: float, *, cold_start: bool
    ) -> InvocationResult | None:
        process = self._process
        assert process is not None  # noqa: S101 - start() came before
        started = time.monotonic()
        deadline = started + timeout_s
        process.api.offer(
            Invocation(
                request_id=request_id,
                payload=payload,
                deadline_ms=int((time.time() + timeout_s) * 1000),
                function_arn=self._config.arn,
                trace_header=trace_header,
            )
        )
        taken = _wait(process, {"taken", "exited"}, deadline)
        if taken is not None and taken.kind == "exited" and not cold_start:
            self.close()
            return None
        event = taken
        if taken is not None and taken.kind == "taken":
            event = _wait(process, {"response", "error", "exited"}, deadline)
        duration_s = time.monotonic() - started
        status, body = self._outcome(process, event, request_id, timeout_s)
        process.flush_output()
        if status in {"timeout", "crashed"}:
            self.close()
        return InvocationResult(status, body, request_id, duration_s, cold_start=cold_start)

    @staticmethod
    def _outcome(
        process: FunctionProcess, event: ApiEvent | None, request_id: str, timeout_s: float
    ) -> tuple[Status, bytes]:
        if event is None:
            now = format_utc(datetime.now(UTC), "milliseconds")
            text = f"{now} {request_id} Task timed out after {timeout_s:.2f} seconds"
            return "timeout", _error("Sandbox.Timedout", text)
        if event.kind == "exited":
            text = f"RequestId: {request_id} Error: {process.exit_description()}"
            return "crashed", _error("Runtime.ExitError", text)
        return ("ok" if event.kind == "response" else "error"), event.payload

    def close(self) -> None:
        """End the process, if there is one. The worker can be used again afterwards: it starts cold."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _wait(process: FunctionProcess, kinds: set[str], deadline: float) -> ApiEvent | None:
    """Return the next event of one of `kinds`, or None when `deadline` (monotonic seconds) came first."""
    while True:
        try:
            event = process.events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if event.kind in kinds:
            return event


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()
