"""OTLP/JSON of a trace request, which any OpenTelemetry tool reads.

As in the file exporter's format, one request is one line:
https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

import base64
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(request: ExportTraceServiceRequest) -> dict[str, Any]:
    """Return a request as OTLP/JSON: that of Protobuf, but IDs in hexadecimal digits and enumerations as numbers.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    value = MessageToDict(request, use_integers_for_enums=True)
    for resource_spans in value.get("resourceSpans", ()):
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                for item in (span, *span.get("links", ())):
                    item.update({name: base64.b64decode(item[name]).hex() for name in _IDS if name in item})
    return dict(value)
