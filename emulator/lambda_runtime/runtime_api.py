"""A small Lambda Runtime API on loopback: what the real runtime client (`awslambdaric`) talks to.

One `RuntimeApi` serves one function process. It hands out invocations one at a time and reports what
the process does as `ApiEvent`s on a queue, so that one thread can wait for "it answered", "it failed
to start" and "it died" in one place (see `emulator.lambda_runtime.process`).
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
# SnapStart: asked when the function is ready for its snapshot, answered when a sandbox has been restored from it.
_RESTORE_PATH = f"/{API_VERSION}/runtime/restore/next"
_RESTORE_ERROR_PATH = f"/{API_VERSION}/runtime/restore/error"

type EventKind = Literal["ready", "taken", "response", "error", "init_error", "exited"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as Lambda hands it to a runtime.

    Attributes:
        request_id: The request ID (a UUID); an asynchronous retry carries the same one.
        payload: The event, as the bytes that were sent.
        deadline_ms: Unix time in milliseconds at which the process is ended.
        function_arn: ARN of the function that was invoked.
        trace_header: `Root=...;Parent=...;Sampled=...`.
    """

    request_id: str
    payload: bytes
    deadline_ms: int
    function_arn: str
    trace_header: str

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer to `GET /runtime/invocation/next`."""
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_header,
        }


@dataclass(frozen=True, slots=True)
class ApiEvent:
    """Something the function process did.

    Attributes:
        kind: `ready` (asked for its next invocation), `taken` (got one), `response` or `error` (its answer
            to one), `init_error` (could not start, or not go on after a restore), `exited` (the process ended; posted
            by its owner).
        request_id: The invocation it is about, empty where there is none.
        payload: The body that came with it.
    """

    kind: EventKind
    request_id: str = ""
    payload: bytes = b""


@dataclass(slots=True)
class _Channel:
    """What the HTTP handlers share with the owner of the server."""

    events: queue.SimpleQueue[ApiEvent] = field(default_factory=queue.SimpleQueue)
    invocations: queue.SimpleQueue[Invocation | None] = field(default_factory=queue.SimpleQueue)
    current: str | None = None


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    channel: _Channel

    def do_GET(self) -> None:
        if self.path == _RESTORE_PATH:  # there is no snapshot here: the process goes on as one that was restored
            self._reply(HTTPStatus.OK)
            return
        if self.path != _NEXT_PATH:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        self.channel.events.put(ApiEvent("ready"))
        invocation = self.channel.invocations.get()
        if invocation is None:  # closing: the process is gone or about to be
            self.close_connection = True
            return
        self.channel.current = invocation.request_id
        self.channel.events.put(ApiEvent("taken", invocation.request_id))
        self._reply(HTTPStatus.OK, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the process died while it answered: that is its end, not an answer
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
        # The event first: a process that exits on our reply must not be seen exiting before it answered.
        self.channel.events.put(ApiEvent("response" if kind == "response" else "error", request_id, body))
        self._reply(HTTPStatus.ACCEPTED)

    def _reply(
        self, status: HTTPStatus, body: bytes = b'{"status":"OK"}', headers: Mapping[str, str] | None = None
    ) -> None:
        self.respond(status, body, headers or {"Content-Type": "application/json"})


class RuntimeApi:
    """The Runtime API for one function process; a context manager that owns its socket and thread.

    Attributes:
        events: What the process did, in order. The owner reads it, and may put `exited` into it.
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
        """Hand `invocation` to the process, as the answer to its request for the next one."""
        self._channel.invocations.put(invocation)

    def close(self) -> None:
        """Close the API. The function process must have ended before, or this waits for it."""
        self._channel.invocations.put(None)
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
