"""A stand for the whole function: real boto3 clients, AWS's side a script, time on a clock of the test's own.

The script answers at botocore's `before-send` event, the last step before the network: all that is signed, encoded,
parsed and classified is the real thing.
"""

import functools
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import tenacity.nap
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from opentelemetry.sdk.trace import ReadableSpan

from handler.aws import dynamodb_client, sqs_client
from handler.calendar_store import CalendarStore
from handler.classification import classify_exception, classify_response
from handler.dead_letters import DeadLetterQueue
from handler.errors import EventNotProcessed
from handler.instrumentation import INSTRUMENTATION
from handler.processor import Processor
from handler.settings import Settings, load_settings
from otel.telemetry import Telemetry
from otel.tracing.botocore import instrument
from otel.tracing.provider import create_tracing
from tests.support.clock import Clock, ClockWatchdog, Invocation
from tests.support.telemetry import botocore_instrumentation, json_lines

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/111122223333/earnings-dead-letters"
ENVIRON = {"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": QUEUE_URL}
WRITE, DEAD_LETTER = "TransactWriteItems", "SendMessage"
NOW = datetime(2025, 7, 31, 20, 5, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one request.

    Attributes:
        status: of HTTP.
        body: of the reply.
        headers: of the reply.
        error: makes what is raised instead of a reply.
        seconds: how long it takes.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Callable[[], Exception] | None = None
    seconds: float = 0.0

    def taking(self, seconds: float) -> "Step":
        """The same, but slower."""
        return replace(self, seconds=seconds)


def reply(members: Any, status: int = 200) -> Step:
    """A reply in JSON."""
    return Step(status, json.dumps(members).encode())


def aws_error(code: str, status: int = 400, *, service: str = "dynamodb.v20120810", **members: Any) -> Step:
    """An error reply as AWS words it."""
    return reply({"__type": f"com.amazonaws.{service}#{code}", "message": "injected"} | members, status)


def cancelled(*reasons: str | dict[str, Any] | None) -> Step:
    """A transaction that did not commit: for each of its items a code, a whole reason, or nothing."""
    listed = [reason if isinstance(reason, dict) else {"Code": reason or "None"} for reason in reasons]
    return aws_error("TransactionCanceledException", CancellationReasons=listed)


def already(event_id: str = "another-event") -> Step:
    """The row is processed already, by that event."""
    row = {"is_processed": {"BOOL": True}, "processed_by_event": {"S": event_id}}
    return cancelled({"Code": "ConditionalCheckFailed", "Item": row}, None)


def raising(error: Callable[[], Exception]) -> Step:
    """No reply."""
    return Step(error=error)


COMMITTED = reply({"ConsumedCapacity": [{"TableName": "earningsCalendar", "CapacityUnits": 2.0}]})
NO_SUCH_ROW = cancelled("ConditionalCheckFailed", None)
THROTTLED = aws_error("ThrottlingException")
SENT = reply({"MessageId": "message-1", "MD5OfMessageBody": "0"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request that would have gone out.

    Attributes:
        operation: AWS's name of it.
        parameters: its JSON.
    """

    operation: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What one invocation did.

    Attributes:
        answer: what the function returned; None where it raised.
        error: what it raised.
        requests: every attempt on the wire, in order.
        output: what it wrote to standard output.
        spans: what it exported.
        context: Lambda's context, as the invocation left it.
    """

    answer: dict[str, Any] | None
    error: EventNotProcessed | None
    requests: list[Request]
    output: bytes
    spans: list[ReadableSpan]
    context: Invocation

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each attempt at an operation."""
        return [request.parameters for request in self.requests if request.operation == operation]

    @functools.cached_property
    def _lines(self) -> list[dict[str, Any]]:
        return json_lines(self.output)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Log lines."""
        return [line for line in self._lines if "_aws" not in line]

    @property
    def metrics(self) -> dict[str, Any]:
        """The one line of metrics."""
        (line,) = [line for line in self._lines if "_aws" in line]
        return line

    @property
    def summary(self) -> dict[str, Any]:
        """The one log line that tells the outcome."""
        (line,) = [line for line in self.logs if line.get("event_type") == "event_outcome"]
        return line

    @property
    def waits(self) -> list[tuple[str, float]]:
        """Category and seconds of each wait, from the log."""
        return [(line["error_category"], line["delay_ms"] / 1000) for line in self.logs if "delay_ms" in line]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The function, started.

    Attributes:
        processor: takes events.
        lines: what it has written to standard output.
    """

    processor: Processor
    lines: list[bytes]


class Collector:
    """A way out for spans that keeps them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan], seconds: float) -> int:
        """Keep the spans; none is lost."""
        del seconds
        self.spans.extend(spans)
        return 0

    def close(self) -> None:
        """Nothing to let go of."""


def settings(**environ: str) -> Settings:
    """Settings from an environment that is right, but for what is given."""
    return load_settings(ENVIRON | environ)


@functools.cache
def clients() -> tuple["DynamoDBClient", "SQSClient"]:
    """Both clients as the function makes them; once, since making them takes long."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        return dynamodb_client(settings()), sqs_client(settings())


class HandlerHarness:
    """Runs the function, one invocation after another; nothing of one reaches the next."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._requests: list[Request] = []
        self._scripts: dict[str, Iterator[Step]] = {}
        self._collector = Collector()
        self._tracing = create_tracing(settings().telemetry, INSTRUMENTATION, self._collector)
        self.dynamodb, self.sqs = clients()

    @contextmanager
    def connected(self) -> Iterator["HandlerHarness"]:
        """Answer what the clients send, trace it, and let waits pass on the clock."""
        with botocore_instrumentation(self._instrument), pytest.MonkeyPatch.context() as patch:
            # Where stamina's waits end up: what it sleeps is what passes.
            patch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=self._sleep))
            answer: Any = self._answer  # the stubs know no event that wants an answer
            for client in (self.dynamodb, self.sqs):
                client.meta.events.register("before-send", answer)
            try:
                yield self
            finally:
                for client in (self.dynamodb, self.sqs):
                    client.meta.events.unregister("before-send", answer)

    def script(self, dynamodb: Sequence[Step] = (COMMITTED,), sqs: Sequence[Step] = (SENT,)) -> None:
        """Say what comes for each service; the last step is for all further requests."""
        self._requests = []
        self._scripts = {WRITE: _for_ever(dynamodb), DEAD_LETTER: _for_ever(sqs)}

    @property
    def requests(self) -> list[Request]:
        """What was sent since the last `script`."""
        return self._requests

    def invoke(
        self,
        event: object,
        *,
        dynamodb: Sequence[Step] = (COMMITTED,),
        sqs: Sequence[Step] = (SENT,),
        timeout: float = 30.0,
        sandbox: "Sandbox | None" = None,
    ) -> Run:
        """Run the function once.

        Args:
            event: what arrives.
            dynamodb: what comes of each attempt to write; the last for all further ones.
            sqs: likewise of each attempt to send a dead letter.
            timeout: seconds that Lambda gives.
            sandbox: instead of a new one.
        """
        sandbox = sandbox or self.sandbox()
        self.script(dynamodb, sqs)
        self._collector.spans.clear()
        sandbox.lines.clear()
        context = Invocation(self.clock, timeout)
        answer, error = None, None
        try:
            answer = sandbox.processor(event, context)
        except EventNotProcessed as raised:
            error = raised
        return Run(answer, error, self._requests, b"".join(sandbox.lines), list(self._collector.spans), context)

    def sandbox(
        self,
        using: Settings | None = None,
        *,
        jitter: Callable[[float, float], float] = min,
        dead_letters: Callable[[], "SQSClient"] | None = None,
        traced: bool = True,
    ) -> "Sandbox":
        """The function, started.

        Args:
            using: settings.
            jitter: draws delays.
            dead_letters: makes the SQS client.
            traced: whether it makes a root span.
        """
        using = using or settings()
        lines: list[bytes] = []
        telemetry = Telemetry(
            using.telemetry,
            INSTRUMENTATION,
            write=lines.append,
            tracing=self._tracing if traced else None,
            init_duration_ms=1.0,
            watchdog=ClockWatchdog(self.clock),
            used_mb=lambda: 64.0,  # a test run holds more than a sandbox
        )
        processor = Processor(
            using,
            calendar=CalendarStore(self.dynamodb, using, now=lambda: NOW),
            dead_letters=DeadLetterQueue(dead_letters or (lambda: self.sqs), using.dead_letter_queue_url),
            telemetry=telemetry,
            jitter=jitter,
        )
        return Sandbox(processor, lines)

    def _instrument(self) -> None:
        instrument(self._tracing.provider, classify_response, classify_exception)

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        operation = _text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        self._requests.append(Request(operation, json.loads(_text(request.body))))
        step = next(self._scripts[operation])
        self.clock.advance(step.seconds)
        if step.error is not None:
            raise step.error()
        headers: Any = dict(step.headers)
        return AWSResponse(request.url, step.status, headers, _Raw(step.body))


class _Raw(io.BytesIO):
    """A body as botocore reads it from the network."""

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _for_ever(steps: Sequence[Step]) -> Iterator[Step]:
    yield from steps
    while True:
        yield steps[-1]
