"""The function as Lambda wires it, in this process: every part real except for the time."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity.nap
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

from emulator.environment import LOCAL_CREDENTIALS, REGION, new_trace_header
from handler.bootstrap import create_processor
from handler.processor import Processor
from tests.support.clock import Clock, ClockWatchdog, Invocation
from tests.support.invocation import Invoked
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import Output, output_file
from tests.support.udp import SpanSocket, span_socket

TIMEOUT = 30.0
"""Seconds that an invocation has, as deployed."""

PATIENCE = 60
"""Seconds that a call may really take, unless the test is about that: machines that run tests are busy."""

_request_numbers = count(1)


def function_environ(tables: Tables, dead_letters: DeadLetters, **more: str) -> dict[str, str]:
    """The function's environment variables.

    Args:
        tables: where it writes; `AWS_ENDPOINT_URL_DYNAMODB` in `more` puts something in between.
        dead_letters: its queue; `AWS_ENDPOINT_URL_SQS`, likewise.
        more: what comes on top, or instead.
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
    """The function. A wait takes no time, but moves the clock that the deadline is on.

    Attributes:
        processor: what `handler.bootstrap.create_processor` made.
        clock: the deadline's.
        waits: seconds of each wait so far.
    """

    processor: Processor
    clock: Clock
    waits: list[float]
    _output: Output
    _spans: SpanSocket

    def __call__(
        self,
        event: object,
        *,
        timeout: float = TIMEOUT,
        trace_header: str | None = None,
        request_id: str | None = None,
    ) -> Invoked:
        """Invoke it.

        Args:
            event: any JSON value.
            timeout: seconds until the deadline.
            trace_header: Lambda's; a new one if None.
            request_id: Lambda's; a new one if None. An asynchronous retry comes with the first try's.
        """
        self._output.clear()
        self._forget_calls_of_the_test()
        before = len(self.waits)
        context = Invocation(self.clock, timeout, request_id or f"request-{next(_request_numbers)}")
        header = os.environ["_X_AMZN_TRACE_ID"] = trace_header or new_trace_header()
        answer, error = None, None
        try:
            answer = self.processor(event, context)
        except Exception as raised:  # noqa: BLE001 - the test decides what it should have been
            error = raised
        output, datagrams = self._output.raw(), self._spans.take_raw()
        return Invoked(answer, error, output, datagrams, self.waits[before:], context.aws_request_id, header)

    def _forget_calls_of_the_test(self) -> None:
        """The instrumentation is one for the process: preparing a table makes spans, too."""
        tracing = self.processor._telemetry._tracing
        if tracing is not None:
            tracing.spans._ended.clear()
            tracing.spans._open.clear()


def shortest_delay(low: float, high: float) -> float:
    """No jitter: each delay is the shortest that the rules allow."""
    del high
    return low


@contextmanager
def function_harness(
    environ: Mapping[str, str], *, jitter: Callable[[float, float], float] | None = shortest_delay
) -> Iterator[FunctionHarness]:
    """Build the function as it is built when the sandbox starts, and take it apart again.

    Args:
        environ: its own variables (`function_environ`); spans go to a socket of the test's unless they say otherwise.
        jitter: draws a delay between two bounds, seconds; None for the function's own.
    """
    with (
        output_file() as output,
        span_socket() as spans,
        lambda_environment({"AWS_XRAY_DAEMON_ADDRESS": spans.endpoint, **environ}) as patch,
    ):
        clock, waits = Clock(), list[float]()

        def wait(seconds: float) -> None:
            waits.append(seconds)
            clock.advance(seconds)

        patch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=wait))  # where stamina's waits end up
        with running_processor(output.write) as processor:
            if jitter is not None:
                processor._jitter = jitter
            # How long a call may take in the arithmetic of the deadline is one thing, a busy machine another.
            processor._settings = replace(
                processor._settings,
                connect_timeout=float(environ.get("AWS_CONNECT_TIMEOUT_SECONDS", 1)),
                read_timeout=float(environ.get("AWS_READ_TIMEOUT_SECONDS", 3)),
            )
            processor._telemetry._watchdog = ClockWatchdog(clock)
            yield FunctionHarness(processor, clock, waits, output, spans)


@contextmanager
def lambda_environment(environ: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """This process with a Lambda sandbox's environment; nothing global of the function's is left behind.

    Args:
        environ: variables on top of region, credentials and the like.
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
    """What `handler.bootstrap.create_processor` makes of the environment, closed afterwards, which Lambda never does.

    Args:
        write: takes log and metric lines.
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
    """Whether a text is the event as JSON. Python's own `==` would take 1 for true and 1.0."""
    return json.dumps(json.loads(body), sort_keys=True) == json.dumps(event, sort_keys=True)
