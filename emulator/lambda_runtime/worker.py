"""A worker: one Lambda execution environment, whose process is killed at the deadline."""

import json
import queue
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Self

from emulator.environment import FunctionConfig
from emulator.errors import EmulatorError
from emulator.lambda_runtime.platform_log import PlatformSink, ReportStatus, report_line, start_line
from emulator.lambda_runtime.process import FunctionProcess, LineSink
from emulator.lambda_runtime.runtime_api import ApiEvent, Invocation
from handler.validation import format_utc

type Status = Literal["ok", "error", "timeout", "crashed", "init_error", "throttled", "system_error"]

_REPORTED: dict[Status, ReportStatus] = {"ok": "success", "timeout": "timeout"}
"""What Lambda's report names a status; every other is an error."""


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The result of an invocation.

    Attributes:
        status: `ok` (the handler returned), `error` (it raised), `timeout` (the deadline was reached and the process
            was killed), `crashed` (the process died) or `init_error` (it did not start). `throttled` and
            `system_error` are Lambda's own: the function did not run.
        payload: The function's response, or the error that Lambda would respond.
        duration_s: Seconds from the start of the invocation to its end.
        cold_start: Whether a process was started for it.
    """

    status: Status
    payload: bytes
    request_id: str
    duration_s: float
    cold_start: bool

    @property
    def is_refused(self) -> bool:
        """Whether Lambda did not run the function: it throttled the invocation, or had an error of its own."""
        return self.status in {"throttled", "system_error"}

    def error_text(self) -> str:
        """Return `errorType: errorMessage` of a failed invocation as one line."""
        try:
            body = json.loads(self.payload)
            text = f"{body.get('errorType') or self.status}: {body.get('errorMessage')}"
        except (ValueError, AttributeError):
            text = f"{self.status}: {self.payload[:200]!r}"
        return " ".join(text.split())


class Worker:
    """Runs invocations of a function one after another, in a process that stays warm between them.

    After a timeout or a crash, the next invocation starts a new process: a cold start.

    Args:
        config: The function's configuration.
        sink: Called with the stream (`stdout` or `stderr`) and the text of each line of output. `invoke` returns after
            the lines that were printed before the response.
        platform_sink: Called with Lambda's own lines: one before the output of each invocation, and one after it.
        init_timeout_s: Seconds until a new process must ask for an invocation. Lambda allows 10; a busy machine may
            need more.
    """

    def __init__(
        self,
        config: FunctionConfig,
        sink: LineSink,
        *,
        platform_sink: PlatformSink = lambda _: None,
        init_timeout_s: float = 30,
    ) -> None:
        self._config = config
        self._sink = sink
        self._platform_sink = platform_sink
        self._init_timeout_s = init_timeout_s
        self._process: FunctionProcess | None = None
        self._request_id: str | None = None
        self._abandoned = False

    @property
    def pid(self) -> int | None:
        """The process ID of the warm function; None without one."""
        return self._process.pid if self._process else None

    def start(self) -> InvocationResult | None:
        """Start the process before the first invocation.

        Returns:
            None if it is ready, else the `init_error`.
        """
        if self._process is not None:
            return None
        started = time.monotonic()
        self._process = FunctionProcess(self._config, self._sink)
        if self._abandoned:
            self._process.kill()
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
        """Invoke the function once and wait for the result.

        Args:
            payload: The event, JSON.
            trace_header: The X-Ray trace header (`emulator.environment.new_trace_header`).
            request_id: The request ID; None for a new one. A retry has that of the first attempt.
            timeout_s: The function's timeout in seconds, after which its process is killed.
        """
        request_id = request_id or str(uuid.uuid4())
        result: InvocationResult | None = None
        init_s: float | None = None
        is_announced = False
        while result is None:
            cold_start, began = self._process is None, time.monotonic()
            failure = self.start()
            init_s = time.monotonic() - began if cold_start else init_s
            if not is_announced:
                self._platform_sink(start_line(request_id))
                is_announced = True
            if failure is not None:
                result, init_s = replace(failure, request_id=request_id), None
                break
            result = self._run(payload, trace_header, request_id, timeout_s, cold_start=cold_start)
            if result is None and self._abandoned:
                result = InvocationResult("crashed", b"{}", request_id, 0, cold_start=cold_start)
            # Without a result, the warm process died after its last response. Lambda would not have invoked it.
        self._report(result, trace_header, init_s)
        return result

    def _report(self, result: InvocationResult, trace_header: str, init_s: float | None) -> None:
        """Write Lambda's report of an invocation, after everything that the function has written."""
        line = report_line(
            result.request_id,
            _REPORTED.get(result.status, "error"),
            duration_s=result.duration_s,
            memory_mb=self._config.memory_mb,
            trace_header=trace_header,
            init_s=init_s,
            error_type="Runtime.ExitError" if result.status == "crashed" else None,
        )
        self._platform_sink(line)

    def _run(
        self, payload: bytes, trace_header: str, request_id: str, timeout_s: float, *, cold_start: bool
    ) -> InvocationResult | None:
        """Run one invocation in the started process; None if that had already died."""
        if self._process is None:
            raise RuntimeError("the worker was not started")
        process, started = self._process, time.monotonic()
        self._request_id = request_id
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
        event = _wait(process, {"taken", "exited"}, deadline)
        if event is not None and event.kind == "exited" and not cold_start:
            self.close()
            return None
        if event is not None and event.kind == "taken":
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

    def crash(self, request_id: str) -> None:
        """Kill the process if its last invocation has this request ID. Any thread may call this."""
        process = self._process
        if process is not None and self._request_id == request_id:
            process.kill()

    def abandon(self) -> None:
        """Kill the process from another thread: an invocation in progress ends as `crashed`, and so does each later."""
        self._abandoned = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Kill the process, if there is one. The next invocation is a cold start."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _wait(process: FunctionProcess, kinds: set[str], deadline: float) -> ApiEvent | None:
    """Return the next event of one of `kinds`; None after `deadline` (monotonic seconds)."""
    while True:
        try:
            event = process.events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if event.kind in kinds:
            return event


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def start_workers(workers: Sequence[Worker]) -> None:
    """Start the processes of several workers at the same time.

    Raises:
        EmulatorError: One did not start; the message is the function's error.
    """
    with ThreadPoolExecutor(len(workers)) as executor:
        for failure in executor.map(Worker.start, workers):
            if failure is not None:
                raise EmulatorError(f"the function does not start: {failure.error_text()}")
