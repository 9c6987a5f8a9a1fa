"""Lambda handlers that have spans of somebody else's around the function; each in a process of its own."""

import os
from typing import Any

from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator

from handler import app

_tracer = trace.get_tracer("around")


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """One event, inside a span of somebody else's."""
    parent = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]})
    with _tracer.start_as_current_span("around", context=parent, kind=trace.SpanKind.SERVER):
        return app.lambda_handler(event, context)


def with_many_spans(event: object, context: Any) -> dict[str, Any]:
    """One event, and a lot of spans before it."""
    for number in range(int(os.environ["SPANS_BEFORE"])):
        _tracer.start_span(f"span {number}", attributes={"text": "x" * 800}).end()
    return app.lambda_handler(event, context)
