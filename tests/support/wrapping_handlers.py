"""Lambda handlers that wrap the function; each runs in a process of its own."""

import os
import signal
from copy import replace
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator

from handler import app

_tracer = trace.get_tracer("around")


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Handle an event inside the span of another tracer."""
    parent = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]})
    with _tracer.start_as_current_span("around", context=parent, kind=trace.SpanKind.SERVER):
        return app.lambda_handler(event, context)


def with_many_spans(event: object, context: Any) -> dict[str, Any]:
    """Handle an event after many spans of another tracer."""
    for number in range(int(os.environ["SPANS_BEFORE"])):
        _tracer.start_span(f"span {number}", attributes={"text": "x" * 800}).end()
    return app.lambda_handler(event, context)


def report_before_return(event: object, context: Any) -> dict[str, Any]:
    """Handle an event, and call `RETURN_POINT` (host:port) before the function returns or raises."""
    try:
        return app.lambda_handler(event, context)
    finally:
        connection = HTTPConnection(os.environ["RETURN_POINT"], timeout=60)
        connection.request("GET", "/", headers={"X-Amz-Target": "Function.Return"})
        connection.getresponse().read()
        connection.close()


def frozen_after_signing(event: object, context: Any) -> dict[str, Any]:
    """Handle an event; the process is stopped between signing its first DynamoDB request and sending it."""
    events = app._processor._calendar._client.meta.events

    def freeze(**_: Any) -> None:
        events.unregister("before-send.dynamodb", freeze)
        os.kill(os.getpid(), signal.SIGSTOP)

    events.register("before-send.dynamodb", freeze)
    return app.lambda_handler(event, context)


def twice_before_return(event: object, context: Any) -> dict[str, Any]:
    """Handle the event twice: one call more than the function makes."""
    app.lambda_handler(event, context)
    return report_before_return(event, context)


def without_waits(event: object, context: Any) -> dict[str, Any]:
    """Handle an event with 30 s until a deadline that only waits bring nearer; with less than 10 s, as it is.

    An attempt counts for 1 s, however long the clients wait on a busy machine.
    """
    app._processor._settings = replace(app._processor._settings, connect_timeout=0.5, read_timeout=0.5)
    if context.get_remaining_time_in_millis() < 10_000:
        return app.lambda_handler(event, context)
    import tenacity.nap

    from tests.support.clock import Clock, Invocation

    clock = Clock()
    vars(tenacity.nap)["time"] = SimpleNamespace(sleep=clock.advance)  # where stamina's waits end up
    app._processor._jitter = lambda low, _high: low
    return app.lambda_handler(event, Invocation(clock, 30, context.aws_request_id))
