"""V0's write with lambda-otel-lite and the botocore instrumentation: spans as OTLP in a line of standard output.

As in the package's README: `init_telemetry`, and `create_traced_handler` with the default processing mode (`sync`). Its
default extractor takes a parent from HTTP headers only, so a trace starts with each event. It has spans only, so the
log line is V0's.
"""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from lambda_otel_lite import create_traced_handler, init_telemetry
from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

from bench.variants.plain_work import mark
from bench.write import correlation_id

Handler = Callable[[dict[str, Any], Any], dict[str, str]]

tracer, completion_handler = init_telemetry()
BotocoreInstrumentor().instrument()  # type: ignore[no-untyped-call]
dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
traced: Callable[[Handler], Handler] = create_traced_handler(
    name="mark-earnings-processed", completion_handler=completion_handler
)


@traced
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    span = trace.get_current_span()
    span.set_attribute("correlation_id", correlation_id(event))
    outcome = mark(dynamodb, event, context)
    span.set_attribute("outcome", outcome)
    return {"outcome": outcome, "correlation_id": correlation_id(event)}
