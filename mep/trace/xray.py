"""Entries of X-Ray's segment documents and of CloudWatch's span records.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mep.trace.entries import Entry
from mep.trace.parsing import span_entries

_STATUS = {"STATUS_CODE_ERROR": "ERROR", "ERROR": "ERROR"}


def xray_id(trace_id: str) -> str:
    """Return a trace ID of 32 hexadecimal digits in X-Ray's format."""
    return f"1-{trace_id[:8]}-{trace_id[8:]}"


def segment_entries(document: str) -> Iterator[Entry]:
    """Yield the entries of one segment document: the segment, and its subsegments at every depth."""
    try:
        segment = orjson.loads(document)
    except orjson.JSONDecodeError:
        return
    if isinstance(segment, dict):
        yield from _segment(segment, str(segment.get("trace_id", "")), str(segment.get("parent_id") or ""))


def _segment(segment: Mapping[str, Any], trace_id: str, parent_id: str) -> Iterator[Entry]:
    start, end = segment.get("start_time"), segment.get("end_time")
    if not isinstance(start, int | float):
        return
    aws, metadata = _object(segment, "aws"), _object(segment, "metadata")
    attributes: dict[str, Any] = {}
    attributes.update(_object(metadata, "default"))
    attributes.update(_object(segment, "annotations"))
    attributes.update(
        {name: aws[name] for name in ("operation", "request_id", "table_names", "queue_url") if name in aws}
    )
    if segment.get("origin"):
        attributes["origin"] = segment["origin"]
    attributes.update({name: True for name in ("error", "fault", "throttle") if segment.get(name)})
    # The function's spans all have the correlation ID. Lambda's have none, and name the invocation's request.
    is_function = "correlation_id" in attributes
    request_id = attributes.get("faas.invocation_id" if is_function else "request_id", "")
    name = str(segment.get("name", "segment"))
    yield Entry(
        at=int(start * 1_000_000) * 1000,  # a double is exact to the microsecond only
        kind="span",
        title=f"{name}.{aws['operation']}" if "operation" in aws else name,
        severity="error" if segment.get("error") or segment.get("fault") else "ok",
        duration_ms=(end - start) * 1000 if isinstance(end, int | float) else None,
        trace_id="".join(trace_id.split("-")[1:]) if "-" in trace_id else trace_id,
        span_id=str(segment.get("id", "")),
        parent_id=parent_id,
        request_id=str(request_id),
        attributes=attributes,
        writer="function" if is_function else "lambda",
    )
    for child in segment.get("subsegments") or ():
        if isinstance(child, Mapping):
            yield from _segment(child, trace_id, str(segment.get("id", "")))


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def span_record_entries(record: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the entries of one record of the log group `aws/spans`, the store of X-Ray's Transaction Search.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Transaction-Search.html
    """
    if not {"traceId", "spanId", "name", "startTimeUnixNano", "endTimeUnixNano"} <= record.keys():
        return
    status = record.get("status")
    yield from span_entries(
        {
            "name": record["name"],
            "trace_id": record["traceId"],
            "span_id": record["spanId"],
            "parent_span_id": record.get("parentSpanId"),
            "kind": str(record.get("kind", "")).removeprefix("SPAN_KIND_"),
            "status": _STATUS.get(str(status.get("code")) if isinstance(status, Mapping) else "", "UNSET"),
            "attributes": record.get("attributes") or {},
            "events": [
                {
                    "name": event.get("name", ""),
                    "time_unix_nano": event.get("timeUnixNano", record["startTimeUnixNano"]),
                    "attributes": event.get("attributes") or {},
                }
                for event in record.get("events") or ()
            ],
            "links": [{"trace_id": link.get("traceId", "")} for link in record.get("links") or ()],
            "start_time_unix_nano": record["startTimeUnixNano"],
            "end_time_unix_nano": record["endTimeUnixNano"],
        }
    )
