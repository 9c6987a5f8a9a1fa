"""The one harness that runs the function in this process: every part is real, except for the time.

The adaptors add where AWS's answers come from: `tests/unit/handler/harness.py` a script, `tests/integration/harness.py`
the real services behind fault proxies. `sandbox.py` runs the function in a process, `containers.py` in its container.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
import tenacity.nap
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

from emulator.environment import ACCOUNT_ID, LOCAL_CREDENTIALS, REGION, new_trace_header
from emulator.faults import Fault, FaultProxy, Reply, answer
from handler.bootstrap import create_processor
from handler.processor import Processor
from tests.support.clock import Clock, ClockWatchdog, Invocation
from tests.support.invocation import Invoked
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import output_file
from tests.support.udp import span_socket

TIMEOUT = 30.0
"""Seconds until the deadline, as deployed."""

PATIENCE = 60
"""Seconds that a call may really take, unless the test is about that: the machines that run tests are busy."""

_NO_UPSTREAM = "http://127.0.0.1:1"
_JSON = {"Content-Type": "application/x-amz-json-1.0"}
COMMITTED = answer(Reply(200, b'{"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 2.0}]}', _JSON))
"""The transaction commits."""

_SENT = answer(Reply(200, b'{"MessageId": "message-1"}', _JSON))

_request_numbers = count(1)


class OutputCapture(Protocol):
    """Where the function's log and metric lines go."""

    def raw(self) -> bytes:
        """Return all bytes since the last `clear`."""

    def clear(self) -> None:
        """Forget what was written."""


class SpanCapture(Protocol):
    """Where the function's spans go."""

    def take_raw(self) -> list[bytes]:
        """Return the datagrams since the last call."""


def function_environ(tables: Tables, dead_letters: DeadLetters, **more: str) -> dict[str, str]:
    """Return the function's environment variables.

    Args:
        tables: The tables; `AWS_ENDPOINT_URL_DYNAMODB` in `more` puts a proxy before them.
        dead_letters: The queue; `AWS_ENDPOINT_URL_SQS` in `more` puts a proxy before it.
        more: Variables that are added or replaced.
    """
    return {
        "EARNINGS_CALENDAR_TABLE": tables.calendar_table,
        "EARNINGS_AUDIT_TABLE": tables.audit_table,
        "DEAD_LETTER_QUEUE_URL": dead_letters.queue_url,
        "AWS_ENDPOINT_URL_DYNAMODB": tables.url,
        "AWS_ENDPOINT_URL_SQS": dead_letters.url,
        **more,
    }


@dataclass
class FunctionHarness:
    """Invokes the function. A wait takes no time, but moves the clock of the deadline.

    Attributes:
        processor: The function.
        clock: The deadline's clock.
        waits: Seconds of each wait so far.
        output: Captures log and metric lines.
        spans: Captures spans.
    """

    processor: Processor
    clock: Clock
    waits: list[float]
    output: OutputCapture
    spans: SpanCapture

    def __call__(
        self,
        event: object,
        *,
        timeout: float = TIMEOUT,
        trace_header: str | None = None,
        request_id: str | None = None,
    ) -> Invoked:
        """Invoke the function.

        Args:
            event: Any JSON value.
            timeout: Seconds until the deadline.
            trace_header: Lambda's trace header; a new one if None.
            request_id: Lambda's request ID; a new one if None. An asynchronous retry has that of the first attempt.
        """
        self.output.clear()
        self._discard_spans()
        waits_before = len(self.waits)
        context = Invocation(self.clock, timeout, request_id or f"request-{next(_request_numbers)}")
        header = os.environ["_X_AMZN_TRACE_ID"] = trace_header or new_trace_header()
        answer, error = None, None
        try:
            answer = self.processor(event, context)
        except Exception as raised:
            error = raised
        output, datagrams = self.output.raw(), self.spans.take_raw()
        return Invoked(answer, error, output, datagrams, self.waits[waits_before:], context.aws_request_id, header)

    def _discard_spans(self) -> None:
        """Discard the spans of the test's own calls: the instrumentation is one for the process."""
        tracing = self.processor._telemetry._tracing
        if tracing is not None:
            tracing.spans._ended.clear()
            tracing.spans._open.clear()


def shortest_delay(low: float, high: float) -> float:
    """Return the shortest delay that the policy allows: no jitter."""
    del high
    return low


def skip_waits(patch: pytest.MonkeyPatch, clock: Clock, waits: list[float]) -> None:
    """Make stamina's waits move the clock instead of taking time, and record them."""

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    patch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=wait))


@contextmanager
def function_harness(
    environ: Mapping[str, str], *, jitter: Callable[[float, float], float] | None = shortest_delay
) -> Iterator[FunctionHarness]:
    """Start the function as Lambda does, and close it afterwards.

    Args:
        environ: Its variables (`function_environ`); without `AWS_XRAY_DAEMON_ADDRESS` the harness receives its spans.
        jitter: Draws a delay between two bounds, seconds; None for the function's own.
    """
    with (
        output_file() as output,
        span_socket() as spans,
        lambda_environment({"AWS_XRAY_DAEMON_ADDRESS": spans.endpoint, **environ}) as patch,
    ):
        clock, waits = Clock(), list[float]()
        skip_waits(patch, clock, waits)
        with running_processor(output.write) as processor:
            if jitter is not None:
                processor._jitter = jitter
            # What a call may take in the budget's arithmetic, not what it may take on a busy machine.
            processor._settings = replace(
                processor._settings,
                connect_timeout=float(environ.get("AWS_CONNECT_TIMEOUT_SECONDS", 1)),
                read_timeout=float(environ.get("AWS_READ_TIMEOUT_SECONDS", 3)),
            )
            processor._telemetry._watchdog = ClockWatchdog(clock)
            yield FunctionHarness(processor, clock, waits, output, spans)


@contextmanager
def stubbed_function(*writes: Fault, **environ: str) -> Iterator[FunctionHarness]:
    """Start the function on stubs of DynamoDB and SQS that answer on loopback.

    Args:
        writes: The answers to the transactions, in order; all further transactions commit.
        environ: Its variables.
    """
    with (
        FaultProxy(_NO_UPSTREAM, *writes, otherwise=COMMITTED) as dynamodb,
        FaultProxy(_NO_UPSTREAM, otherwise=_SENT) as sqs,
        function_harness(
            {
                "DEAD_LETTER_QUEUE_URL": f"{sqs.url}/{ACCOUNT_ID}/dead-letters",
                "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
                "AWS_ENDPOINT_URL_SQS": sqs.url,
                **environ,
            }
        ) as function,
    ):
        yield function


@contextmanager
def lambda_environment(environ: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """Give this process the environment of a Lambda sandbox, and undo what the function changes in the process.

    Args:
        environ: Variables besides region and credentials.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    instrumentor: Any = BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    with pytest.MonkeyPatch.context() as patch:
        given = {
            "AWS_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",  # the test run's own memory counts here
            "AWS_CONNECT_TIMEOUT_SECONDS": str(PATIENCE),
            "AWS_READ_TIMEOUT_SECONDS": str(PATIENCE),
            "_X_AMZN_TRACE_ID": "",
            **LOCAL_CREDENTIALS,
            **environ,
        }
        for name, value in given.items():
            patch.setenv(name, value)
        try:
            yield patch
        finally:
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()
            root.handlers[:] = handlers
            root.setLevel(level)


@contextmanager
def running_processor(write: Callable[[bytes], None]) -> Iterator[Processor]:
    """Create the function from the environment, and close its sockets afterwards, which Lambda never does.

    Args:
        write: Takes log and metric lines.
    """
    processor = create_processor({**os.environ}, write)
    try:
        yield processor
    finally:
        processor._calendar._client.close()
        if processor._dead_letters._client is not None:
            processor._dead_letters._client.close()
        if processor._telemetry._tracing is not None:
            processor._telemetry._tracing.provider.shutdown()


def same_json(body: str, event: object) -> bool:
    """Return whether a text is the event as JSON. Python's `==` would take 1 for true and for 1.0."""
    return json.dumps(json.loads(body), sort_keys=True) == json.dumps(event, sort_keys=True)
