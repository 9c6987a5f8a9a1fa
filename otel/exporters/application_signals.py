"""What CloudWatch Application Signals needs on spans in `direct` mode, as ADOT's fast start adds it at export.

Imported only if `OTEL_AWS_APPLICATION_SIGNALS_ENABLED` is `true`. In `layer` mode ADOT adds the same attributes under
the same variable. Values and names are those of `_inject_app_signals_attributes` in its `opentelemetry_lite_sdk`; a
test compares both on the same spans.
"""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel.tracing.redaction import copied
from otel.tracing.span_processor import SpanExporter

LOCAL_ENVIRONMENT = "lambda:default"
"""What Application Signals expects as the environment of every function."""


class ApplicationSignalsExporter:
    """Adds the attributes of Application Signals to spans, and exports them with another exporter.

    Args:
        exporter: Exports the spans.
        function_name: Name of the function.
    """

    def __init__(self, exporter: SpanExporter, function_name: str) -> None:
        self._exporter = exporter
        self._operation = f"{function_name}/FunctionHandler"

    def export(self, spans: Sequence[ReadableSpan], seconds: float = 1.0, all_sampled: bool = False) -> int:
        """Export the spans with the attributes; return how many were lost.

        Args:
            spans: Spans that have ended.
            seconds: Limit of the other exporter.
            all_sampled: Whether to send unsampled spans as sampled.
        """
        return self._exporter.export([self._with_attributes(span) for span in spans], seconds, all_sampled)

    def close(self) -> None:
        """Close the other exporter."""
        self._exporter.close()

    def _with_attributes(self, span: ReadableSpan) -> ReadableSpan:
        attributes = {
            **(span.attributes or {}),
            "aws.local.service": span.resource.attributes.get("service.name", ""),
            "aws.local.operation": self._operation,
            "aws.local.environment": LOCAL_ENVIRONMENT,
        }
        if span.kind in {SpanKind.CLIENT, SpanKind.PRODUCER}:
            # Calls of AWS: the function instruments no other client.
            service = attributes.get("rpc.service")
            attributes["aws.remote.service"] = f"AWS::{service}" if service else "UnknownRemoteService"
            attributes["aws.remote.operation"] = attributes.get("rpc.method") or "UnknownRemoteOperation"
        return copied(span, attributes=attributes)
