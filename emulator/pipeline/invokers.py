"""What runs the function for the pipeline: a worker process, a container, or a callable in this process."""

import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from emulator.environment import INVOCATION_PATH
from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import InvocationResult, Status


class Invoker(Protocol):
    """Runs invocations one after another."""

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Invoke the function once and wait for the result; see `emulator.lambda_runtime.worker.Worker.invoke`.

        The status may also be `throttled` or `system_error`: the function did not run, and Lambda queues the event
        again.
        """


class ContainerInvoker:
    """A container image behind its Runtime Interface Emulator, which accepts one request at a time.

    The emulator answers 200 for every function that ran: the body of an error has an `errorMessage`, that of a timeout
    is plain text. It answers 502 for a function that did not start, exited or ran out of memory. It generates the
    request ID and the trace header. The container sets the function's timeout (`AWS_LAMBDA_FUNCTION_TIMEOUT`).

    Args:
        url: The endpoint; the emulator's path is added where it has none.
        grace_s: Seconds beyond the function's timeout after which the invocation has timed out: the first one also
            starts the function.
    """

    def __init__(self, url: str, *, grace_s: float = 30) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._path = parts.path if parts.path not in {"", "/"} else INVOCATION_PATH
        self._grace_s = grace_s
        self._cold = True
        self._connection: http.client.HTTPConnection | None = None

    def check(self) -> None:
        """Check that the endpoint accepts connections, without starting the function.

        Raises:
            EmulatorError: It does not.
        """
        try:
            with socket.create_connection((self._host, self._port or 80), timeout=5):
                return
        except OSError as error:
            raise EmulatorError(f"no function answers at http://{self._host}:{self._port or 80}: {error}") from error

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Send the event to the container; see `Invoker`. A refused connection is a `system_error`."""
        del trace_header
        started = time.monotonic()
        status, body = self._post(payload, timeout_s + self._grace_s)
        cold, self._cold = self._cold, False
        duration_s = time.monotonic() - started
        return InvocationResult(status, body, request_id or str(uuid.uuid4()), duration_s, cold_start=cold)

    def abandon(self) -> None:
        """Disconnect from another thread: an invocation in progress ends as `system_error`; the container goes on."""
        if self._connection is not None and (connected := self._connection.sock) is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def _post(self, payload: bytes, timeout_s: float) -> tuple[Status, bytes]:
        try:
            with closing(http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)) as connection:
                self._connection = connection
                connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
                response = connection.getresponse()
                return _classify(response.status, response.read())
        except TimeoutError:
            return "timeout", _error("Sandbox.Timedout", f"no response within {timeout_s:.2f} seconds")
        except (OSError, http.client.HTTPException) as error:
            return "system_error", _error("ServiceException", f"no response: {type(error).__name__}")


def _classify(http_status: int, body: bytes) -> tuple[Status, bytes]:
    if http_status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled", body
    try:
        response = json.loads(body)
    except ValueError:
        text = " ".join(body.decode(errors="replace").split())
        if "timed out" in text:
            return "timeout", _error("Sandbox.Timedout", text)
        return "crashed", _error("Runtime.ExitError", text)
    if http_status >= http.HTTPStatus.BAD_REQUEST:
        return "crashed", body
    failed = isinstance(response, dict) and "errorMessage" in response and "outcome" not in response
    return ("error" if failed else "ok"), body


class DeadlineExceeded(BaseException):
    """The deadline was reached. Not an `Exception`: Lambda kills the process, and no code may catch that."""


class InProcessContext:
    """Lambda's context object for a function in this process, in simulated time.

    Args:
        request_id: Lambda's request ID.
        trace_header: The X-Ray trace header.
        timeout_s: Seconds until the deadline.

    Attributes:
        passed_s: Simulated seconds since the start of the invocation.
    """

    def __init__(self, request_id: str, trace_header: str, timeout_s: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = ""
        self.trace_header = trace_header
        self.passed_s = 0.0
        self._timeout_s = timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline."""
        return max(0, int((self._timeout_s - self.passed_s) * 1000))

    def advance(self, seconds: float) -> None:
        """Advance the simulated time, in place of a sleep.

        Raises:
            DeadlineExceeded: The deadline is reached first.
        """
        if self.passed_s + seconds >= self._timeout_s:
            self.passed_s = self._timeout_s
            raise DeadlineExceeded
        self.passed_s += seconds


class ProcessCrashed(BaseException):
    """Raised inside the function to simulate the death of its process."""


class InProcessInvoker:
    """A callable in this process as the function, in simulated time.

    Args:
        handler: Called with the event and an `InProcessContext`. An exception is a function error, `DeadlineExceeded`
            a timeout, and `ProcessCrashed` the death of the process.
        overhead_s: Simulated seconds that every invocation takes.
    """

    def __init__(self, handler: Callable[[Any, InProcessContext], Any], *, overhead_s: float = 0.01) -> None:
        self._handler = handler
        self._overhead_s = overhead_s

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Call the handler; see `Invoker`."""
        request_id = request_id or str(uuid.uuid4())
        context = InProcessContext(request_id, trace_header, timeout_s)
        status: Status = "ok"
        try:
            context.advance(self._overhead_s)
            body = json.dumps(self._handler(json.loads(payload), context)).encode()
        except DeadlineExceeded:
            status, body = "timeout", _error("Sandbox.Timedout", f"Task timed out after {timeout_s:.2f} seconds")
        except ProcessCrashed:
            status, body = "crashed", _error("Runtime.ExitError", "Runtime exited with error: signal: killed")
        except Exception as error:  # noqa: BLE001 - as Lambda's runtime does
            status, body = "error", _error(type(error).__name__, str(error))
        return InvocationResult(status, body, request_id, context.passed_s, cold_start=False)


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()
