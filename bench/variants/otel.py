"""V0's write with the OpenTelemetry SDK set up by hand; `otel_http` and `otel_udp` add an exporter.

As in the SDK's documentation: a batch processor, flushed before each invocation returns, the botocore instrumentation,
and Lambda's trace header as the parent.
"""

import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from bench.variants.plain_work import mark
from bench.write import correlation_id

Handler = Callable[[dict[str, Any], Any], dict[str, str]]
resource = Resource.create()


def traced(exporter: SpanExporter, count: Callable[[str], None]) -> Handler:
    """Return a handler that exports its spans with this exporter.

    Args:
        exporter: Receives the spans of each invocation before it returns.
        count: Called with each outcome; exports it before it returns.
    """
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    BotocoreInstrumentor().instrument()  # type: ignore[no-untyped-call]
    dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    tracer = trace.get_tracer("mark-earnings-processed")
    propagator = AwsXRayPropagator()

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
        parent = propagator.extract({"X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", "")})
        with tracer.start_as_current_span(context.function_name, parent, trace.SpanKind.SERVER) as span:
            span.set_attribute("correlation_id", correlation_id(event))
            outcome = mark(dynamodb, event, context)
            span.set_attribute("outcome", outcome)
        provider.force_flush()
        count(outcome)
        return {"outcome": outcome, "correlation_id": correlation_id(event)}

    return lambda_handler
