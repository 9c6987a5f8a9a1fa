"""The JSON form of OTLP."""

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def otlp_attributes(plain: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes of strings, booleans, numbers, and lists of those."""
    return [{"key": name, "value": _value(value)} for name, value in plain.items()]


def otlp_spans(content: Mapping[str, Any]) -> bytes:
    """Return spans of a golden file as the request of an exporter."""
    scopes = [{"scope": {"name": span["scope"]}, "spans": [_span(span)]} for span in content["spans"]]
    resource = {"attributes": otlp_attributes(content["resource"])}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).encode()


def _span(span: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "traceId": span["trace_id"],
        "spanId": span["span_id"],
        "parentSpanId": span["parent_span_id"],
        "name": span["name"],
        "kind": Span.SpanKind.Value(f"SPAN_KIND_{span['kind']}"),
        "startTimeUnixNano": str(span["start_time_unix_nano"]),
        "endTimeUnixNano": str(span["end_time_unix_nano"]),
        "attributes": otlp_attributes(span["attributes"]),
        "events": [
            {
                "name": event["name"],
                "timeUnixNano": str(event["time_unix_nano"]),
                "attributes": otlp_attributes(event["attributes"]),
            }
            for event in span["events"]
        ],
        "links": [
            {
                "traceId": link["trace_id"],
                "spanId": link["span_id"],
                "attributes": otlp_attributes(link["attributes"]),
            }
            for link in span["links"]
        ],
        "status": {"code": Status.StatusCode.Value(f"STATUS_CODE_{span['status']}"), "message": span["status_message"]},
    }


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": value}
