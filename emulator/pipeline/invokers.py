"""What runs the function for the chain: `worker.Worker`, a container, or a callable in this process."""

import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import urlsplit

from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import InvocationResult, Status

INVOCATION_PATH = "/2015-03-31/functions/function/invocations"


class Invoker(Protocol):
    """Runs invocations one after another."""

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Invoke the function once and wait for the end; see `emulator.lambda_runtime.worker.Worker.invoke`.

        A result may also be `throttled` or `system_error`: then the function did not run, and Lambda puts the event
        back.
        """


class ContainerInvoker:
    """A container image behind its Runtime Interface Emulator, which takes one request at a time.

    The emulator answers 200 to everything that ran: an error's body has an `errorMessage`, a timeout is plain text. 502
    is a function that did not start, exited or ran out of memory. It makes request ID and trace header of its own.
    The function's timeout is the container's (`AWS_LAMBDA_FUNCTION_TIMEOUT`).

    Args:
        url: Its endpoint; without a path, the emulator's is added.
        grace_s: Seconds on top of the function's timeout before it counts as one: the first invocation starts the
            function.
    """

    def __init__(self, url: str, *, grace_s: float = 30) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._path = parts.path if parts.path not in {"", "/"} else INVOCATION_PATH
        self._grace_s = grace_s
        self._cold = True

    def check(self) -> None:
        """Look whether somebody is there, without starting the function.

        Raises:
            EmulatorError: Nobody is.
        """
        try:
            with socket.create_connection((self._host, self._port or 80), timeout=5):
                return
        except OSError as error:
            raise EmulatorError(f"no function answers at http://{self._host}:{self._port or 80}: {error}") from error

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Send the event to the container; see `Invoker`. Nobody there is a `system_error`."""
        del trace_header
        started = time.monotonic()
        status, body = self._post(payload, timeout_s + self._grace_s)
        cold, self._cold = self._cold, False
        duration_s = time.monotonic() - started
        return InvocationResult(status, body, request_id or str(uuid.uuid4()), duration_s, cold_start=cold)

    def _post(self, payload: bytes, timeout_s: float) -> tuple[Status, bytes]:
        try:
            with closing(http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)) as connection:
                connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
                response = connection.getresponse()
                return _judge(response.status, response.read())
        except TimeoutError:
            return "timeout", _error("Sandbox.Timedout", f"no answer within {timeout_s:.2f} seconds")
        except (OSError, http.client.HTTPException) as error:
            return "system_error", _error("ServiceException", f"nobody answers: {type(error).__name__}")


def _judge(http_status: int, body: bytes) -> tuple[Status, bytes]:
    if http_status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled", body
    try:
        answer = json.loads(body)
    except ValueError:
        text = " ".join(body.decode(errors="replace").split())
        if "timed out" in text:
            return "timeout", _error("Sandbox.Timedout", text)
        return "crashed", _error("Runtime.ExitError", text)
    if http_status >= http.HTTPStatus.BAD_REQUEST:
        return "crashed", body
    failed = isinstance(answer, dict) and "errorMessage" in answer and "outcome" not in answer
    return ("error" if failed else "ok"), body


class DeadlineExceeded(BaseException):
    """The deadline came: Lambda would have killed the process here. Not an `Exception`, as no code survives a kill."""


class InProcessContext:
    """Lambda's context object for a function in this process, on time that passes only when it is told to.

    Attributes:
        aws_request_id: Lambda's.
        trace_header: Lambda's.
        passed_s: Seconds of simulated time that the invocation has taken so far.

    Args:
        request_id: Lambda's.
        trace_header: Lambda's.
        timeout_s: Seconds until the deadline.
    """

    def __init__(self, request_id: str, trace_header: str, timeout_s: float) -> None:
        self.aws_request_id = request_id
        self.trace_header = trace_header
        self.passed_s = 0.0
        self._timeout_s = timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline."""
        return max(0, int((self._timeout_s - self.passed_s) * 1000))

    def advance(self, seconds: float) -> None:
        """Let time pass: put this where the function would sleep.

        Raises:
            DeadlineExceeded: The deadline came first.
        """
        if self.passed_s + seconds >= self._timeout_s:
            self.passed_s = self._timeout_s
            raise DeadlineExceeded
        self.passed_s += seconds


class ProcessCrashed(BaseException):
    """Raise it inside the function to let its process die there."""


class InProcessInvoker:
    """A callable in this process, with time of its own: hours cost nothing.

    Args:
        handler: Called with the event and an `InProcessContext`. What it returns is the answer; what it raises is a
            function error, `DeadlineExceeded` a timeout and `ProcessCrashed` the death of the process.
        overhead_s: Seconds of simulated time that every invocation takes.
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
