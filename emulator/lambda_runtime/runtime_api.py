"""A Lambda Runtime API on loopback, for AWS's runtime client (`awslambdaric`).

One `RuntimeApi` serves one function process. It offers one invocation at a time and reports what the process does as
`ApiEvent`s on a queue, so that one thread can wait for a response, a failed start and an exit in one place (see
`emulator.lambda_runtime.process`).
"""

import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Self

from emulator.http_server import LoopbackServer, QuietHandler

API_VERSION = "2018-06-01"

_INVOCATION_PATH = re.compile(rf"/{API_VERSION}/runtime/invocation/([^/]+)/(response|error)")
_NEXT_PATH = f"/{API_VERSION}/runtime/invocation/next"
_INIT_ERROR_PATH = f"/{API_VERSION}/runtime/init/error"
# SnapStart: called when the function is ready for its snapshot, answered when a sandbox was restored from it.
_RESTORE_PATH = f"/{API_VERSION}/runtime/restore/next"
_RESTORE_ERROR_PATH = f"/{API_VERSION}/runtime/restore/error"

type EventKind = Literal["ready", "taken", "response", "error", "init_error", "exited"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation in Lambda's Runtime API.

    Attributes:
        request_id: The request ID, a UUID; all attempts of an asynchronous invocation share it.
        payload: The event, JSON.
        deadline_ms: The deadline, Unix time in milliseconds.
        trace_header: `Root=...;Parent=...;Sampled=...`.
    """

    request_id: str
    payload: bytes
    deadline_ms: int
    function_arn: str
    trace_header: str

    def headers(self) -> dict[str, str]:
        """Return the headers of the response to `GET /runtime/invocation/next`."""
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_header,
        }


@dataclass(frozen=True, slots=True)
class ApiEvent:
    """An action of the function process.

    Attributes:
        kind: `ready` (it asked for the next invocation), `taken` (it received one), `response` or `error` (it answered
            one), `init_error` (it could not start, or not continue after a restore), `exited` (it ended; put by the
            owner of the process).
        request_id: The request ID of the invocation; empty where there is none.
        payload: The body of the request.
    """

    kind: EventKind
    request_id: str = ""
    payload: bytes = b""


@dataclass(slots=True)
class _Channel:
    """The state that the request handlers share with the owner of the server."""

    events: queue.SimpleQueue[ApiEvent] = field(default_factory=queue.SimpleQueue)
    invocations: queue.SimpleQueue[Invocation | None] = field(default_factory=queue.SimpleQueue)
    current: str | None = None


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    channel: _Channel

    def do_GET(self) -> None:
        if self.path == _RESTORE_PATH:  # there is no snapshot: the process continues as if it was restored
            self._reply(HTTPStatus.OK)
            return
        if self.path != _NEXT_PATH:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        self.channel.events.put(ApiEvent("ready"))
        invocation = self.channel.invocations.get()
        if invocation is None:  # the API closes: the process has ended or is about to
            self.close_connection = True
            return
        self.channel.current = invocation.request_id
        self.channel.events.put(ApiEvent("taken", invocation.request_id))
        self._reply(HTTPStatus.OK, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        body = self.read_body()
        if len(body) < int(
            self.headers.get("Content-Length") or 0
        ):  # the process died while it answered: an exit, not a response
            self.close_connection = True
            return
        if self.path in {_INIT_ERROR_PATH, _RESTORE_ERROR_PATH}:
            self.channel.events.put(ApiEvent("init_error", payload=body))
            self._reply(HTTPStatus.ACCEPTED)
            return
        match = _INVOCATION_PATH.fullmatch(self.path)
        if match is None:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        request_id, kind = match.groups()
        if request_id != self.channel.current:
            self._reply(HTTPStatus.BAD_REQUEST, b'{"errorType":"InvalidRequestID"}')
            return
        self.channel.current = None
        # The event first: the process may exit after the reply, and must not be seen to exit before its response.
        self.channel.events.put(ApiEvent("response" if kind == "response" else "error", request_id, body))
        self._reply(HTTPStatus.ACCEPTED)

    def _reply(
        self, status: HTTPStatus, body: bytes = b'{"status":"OK"}', headers: Mapping[str, str] | None = None
    ) -> None:
        self.respond(status, body, headers or {"Content-Type": "application/json"})


class RuntimeApi:
    """The Runtime API for one function process; a context manager that owns its socket and thread.

    Attributes:
        events: The actions of the process in order. The owner reads them, and may put `exited`.
    """

    def __init__(self) -> None:
        self._channel = _Channel()
        self.events = self._channel.events
        # Connections are joined on close: nothing may outlive the worker.
        self._server = LoopbackServer(_Handler, name="runtime-api", join_connections=True, channel=self._channel)

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`: host and port."""
        return self._server.address

    def offer(self, invocation: Invocation) -> None:
        """Offer an invocation: the response to the process's request for the next one."""
        self._channel.invocations.put(invocation)

    def close(self) -> None:
        """Close the API. Waits for the function process if it has not ended."""
        self._channel.invocations.put(None)
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
