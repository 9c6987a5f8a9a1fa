"""The function on scripted AWS: the harness without sockets, so that a test can afford thousands of invocations."""

import base64
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from handler.aws import dynamodb_client, sqs_client
from handler.calendar_store import CalendarStore
from handler.classification import classify_exception, classify_response
from handler.dead_letters import DeadLetterQueue
from handler.errors import EventNotProcessed
from handler.outcome import INSTRUMENTATION
from handler.processor import Processor
from handler.settings import Settings, load_settings
from otel.exporters.xray_udp import HEADER, XRayUdpExporter
from otel.telemetry import Telemetry
from otel.tracing.botocore import instrument
from otel.tracing.provider import create_tracing
from tests.support.clock import Clock, ClockWatchdog
from tests.support.harness import FunctionHarness, skip_waits
from tests.support.invocation import Invoked
from tests.support.scripted_aws import COMMITTED, SENT, Request, ScriptedAws, Step
from tests.support.telemetry import botocore_instrumentation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/111122223333/earnings-dead-letters"
ENVIRON = {"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": QUEUE_URL}
NOW = datetime(2025, 7, 31, 20, 5, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Run(Invoked):
    """One invocation of the function.

    Attributes:
        requests: Every attempt at a call, in order.
        remaining: Seconds that were left before the deadline.
    """

    requests: list[Request]
    remaining: float

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of each attempt at an operation."""
        return [request.parameters for request in self.requests if request.operation == operation]

    @property
    def backoffs(self) -> list[tuple[str, float]]:
        """Category and seconds of each wait, from the log."""
        return [(line["error_category"], line["delay_ms"] / 1000) for line in self.logs if "delay_ms" in line]


class LineBuffer:
    """Standard output in memory."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self.write = self._lines.append

    def raw(self) -> bytes:
        """Return all bytes since the last `clear`."""
        return b"".join(self._lines)

    def clear(self) -> None:
        """Forget what was written."""
        self._lines.clear()


class InMemoryExporter(XRayUdpExporter):
    """Encodes datagrams as the function does, and retains them instead of sending them."""

    def __init__(self) -> None:
        super().__init__(("", 0))
        self._datagrams: list[bytes] = []

    def take_raw(self) -> list[bytes]:
        """Return the datagrams since the last call."""
        taken, self._datagrams = self._datagrams, []
        return taken

    def _connect(self, seconds: float) -> bool:
        del seconds
        return True

    def _send(self, kind: bytes, payload: bytes) -> bool:
        self._datagrams.append(HEADER + kind + base64.b64encode(payload))
        return True


def settings(**environ: str) -> Settings:
    """Return the settings of a valid environment with these variables."""
    return load_settings(ENVIRON | environ)


@functools.cache
def clients() -> tuple["DynamoDBClient", "SQSClient"]:
    """Return both clients as the function makes them; cached, since making them takes long."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        return dynamodb_client(settings()), sqs_client(settings())


class HandlerHarness:
    """Runs the function, one invocation after another, each in a new sandbox unless the test passes one.

    Attributes:
        clock: The time.
        aws: Answers the calls.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.aws = ScriptedAws(self.clock)
        self.dynamodb, self.sqs = clients()
        self._exporter = InMemoryExporter()
        self._tracing = create_tracing(settings().telemetry, INSTRUMENTATION, self._exporter)
        self._waits: list[float] = []

    @contextmanager
    def connected(self) -> Iterator["HandlerHarness"]:
        """Answer the clients' calls, trace them, and make waits move the clock."""
        with (
            botocore_instrumentation(self._instrument),
            pytest.MonkeyPatch.context() as patch,
            self.aws.connected(self.dynamodb, self.sqs),
        ):
            patch.setenv("_X_AMZN_TRACE_ID", "")
            skip_waits(patch, self.clock, self._waits)
            yield self

    def invoke(
        self,
        event: object,
        *,
        dynamodb: Sequence[Step] = (COMMITTED,),
        sqs: Sequence[Step] = (SENT,),
        timeout: float = 30.0,
        sandbox: FunctionHarness | None = None,
    ) -> Run:
        """Run the function once.

        Args:
            event: Any JSON value.
            dynamodb: The answers to the attempts to write; the last one is repeated.
            sqs: The answers to the attempts to send a dead letter; the last one is repeated.
            timeout: Seconds until the deadline.
            sandbox: An execution environment that is reused.
        """
        sandbox = sandbox or self.sandbox()
        self.aws.script(dynamodb, sqs)
        self._exporter.take_raw()
        started = self.clock.now
        invoked = sandbox(event, timeout=timeout, request_id="request-1")
        if invoked.error is not None and not isinstance(invoked.error, EventNotProcessed):
            raise invoked.error
        return Run(**vars(invoked), requests=self.aws.requests, remaining=started + timeout - self.clock.now)

    def sandbox(
        self,
        using: Settings | None = None,
        *,
        jitter: Callable[[float, float], float] = min,
        dead_letters: Callable[[], "SQSClient"] | None = None,
        traced: bool = True,
    ) -> FunctionHarness:
        """Start the function.

        Args:
            using: Its settings.
            jitter: Draws a delay between two bounds, seconds.
            dead_letters: Makes the SQS client.
            traced: Whether it makes spans.
        """
        using = using or settings()
        output = LineBuffer()
        telemetry = Telemetry(
            using.telemetry,
            INSTRUMENTATION,
            write=output.write,
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
        return FunctionHarness(processor, self.clock, self._waits, output, self._exporter)

    def _instrument(self) -> None:
        instrument(self._tracing.provider, classify_response, classify_exception)
