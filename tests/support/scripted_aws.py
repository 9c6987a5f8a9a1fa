"""AWS as a script, without a network: the clients are real boto3 clients, their requests are answered in the process.

The script answers at botocore's `before-send` event, the last step before the network. Signing, serialization, parsing
and classification are the real ones. `emulator.faults` does the same on the wire.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient

from tests.support.clock import Clock

WRITE, DEAD_LETTER = "TransactWriteItems", "SendMessage"


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to one request.

    Attributes:
        status: The HTTP status.
        body: The body of the response.
        headers: The headers of the response.
        error: Makes the exception that is raised instead of a response.
        seconds: How long the answer takes.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Callable[[], Exception] | None = None
    seconds: float = 0.0

    def taking(self, seconds: float) -> "Step":
        """Return the same answer, after so many seconds."""
        return replace(self, seconds=seconds)


def reply(members: Any, status: int = 200) -> Step:
    """Answer with JSON."""
    return Step(status, json.dumps(members).encode())


def aws_error(code: str, status: int = 400, *, service: str = "dynamodb.v20120810", **members: Any) -> Step:
    """Answer with an AWS error; `members` are further members of its body, and may hold what `orjson` refuses."""
    return reply({"__type": f"com.amazonaws.{service}#{code}", "message": "injected"} | members, status)


def cancelled(*reasons: str | dict[str, Any] | None) -> Step:
    """Answer with a cancelled transaction: a code, a whole reason or None for each of its items."""
    details = [reason if isinstance(reason, dict) else {"Code": reason or "None"} for reason in reasons]
    return aws_error("TransactionCanceledException", CancellationReasons=details)


def already(event_id: str = "another-event") -> Step:
    """Answer that the row has been marked by that event."""
    row = {"is_processed": {"BOOL": True}, "processed_by_event": {"S": event_id}}
    return cancelled({"Code": "ConditionalCheckFailed", "Item": row}, None)


def raising(error: Callable[[], Exception]) -> Step:
    """Raise instead of answering."""
    return Step(error=error)


COMMITTED = reply({"ConsumedCapacity": [{"TableName": "earningsCalendar", "CapacityUnits": 2.0}]})
NO_SUCH_ROW = cancelled("ConditionalCheckFailed", None)
THROTTLED = aws_error("ThrottlingException")
SENT = reply({"MessageId": "message-1", "MD5OfMessageBody": "0"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request that reached the script.

    Attributes:
        operation: AWS's name of the operation.
        parameters: The body.
    """

    operation: str
    parameters: dict[str, Any]


class ScriptedAws:
    """Answers what clients send.

    Args:
        clock: Advances by the seconds that an answer takes.

    Attributes:
        requests: The requests since the last `script`, in order.
    """

    def __init__(self, clock: Clock) -> None:
        self.requests: list[Request] = []
        self._clock = clock
        self._scripts: dict[str, Iterator[Step]] = {}

    def script(self, dynamodb: Sequence[Step] = (COMMITTED,), sqs: Sequence[Step] = (SENT,)) -> None:
        """Set the answers of each service; the last one is repeated."""
        self.requests = []
        self._scripts = {WRITE: _repeat_last(dynamodb), DEAD_LETTER: _repeat_last(sqs)}

    @contextmanager
    def connected(self, *clients: BaseClient) -> Iterator[None]:
        """Answer the requests of these clients."""
        answer: Any = self._answer  # botocore takes an answer from the handler; its stubs do not
        for client in clients:
            client.meta.events.register("before-send", answer)
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("before-send", answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = _text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        self.requests.append(Request(operation, json.loads(_text(request.body))))
        step = next(self._scripts[operation])
        self._clock.advance(step.seconds)
        if step.error is not None:
            raise step.error()
        headers: Any = dict(step.headers)
        return AWSResponse(request.url, step.status, headers, _RawBody(step.body))


class _RawBody(io.BytesIO):
    """A body as botocore reads it from the network."""

    def stream(self) -> Iterator[bytes]:
        """Return all of it."""
        yield self.read()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _repeat_last(steps: Sequence[Step]) -> Iterator[Step]:
    yield from steps
    while True:
        yield steps[-1]
