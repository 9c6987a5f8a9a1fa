"""Lambda's own lines about an invocation, in the JSON format of its system logs.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from handler.validation import format_utc

type PlatformSink = Callable[[dict[str, Any]], None]
"""Called with each line, a JSON object."""

type ReportStatus = Literal["success", "error", "timeout"]


def start_line(request_id: str) -> dict[str, Any]:
    """Return the line `platform.start`, at the current time."""
    return _line("platform.start", {"requestId": request_id, "version": "$LATEST"})


def report_line(
    request_id: str,
    status: ReportStatus,
    *,
    duration_s: float,
    memory_mb: int,
    trace_header: str,
    init_s: float | None = None,
    error_type: str | None = None,
) -> dict[str, Any]:
    """Return the line `platform.report`, at the current time, without the memory used, which nothing measures here.

    Args:
        request_id: Lambda's request ID.
        status: How the invocation ended.
        duration_s: Seconds from its start to its end.
        memory_mb: The function's memory size in MB.
        trace_header: The X-Ray trace header.
        init_s: Seconds that the process took to start; None where it was warm.
        error_type: Lambda's type of the error, where Lambda itself ended the invocation.
    """
    metrics: dict[str, float] = {
        "durationMs": round(duration_s * 1000, 3),
        "billedDurationMs": math.ceil(((init_s or 0) + duration_s) * 1000),
        "memorySizeMB": memory_mb,
    }
    if init_s is not None:
        metrics["initDurationMs"] = round(init_s * 1000, 3)
    record: dict[str, Any] = {"requestId": request_id, "metrics": metrics, "status": status}
    if error_type is not None:
        record["errorType"] = error_type
    parent = dict(part.partition("=")[::2] for part in trace_header.split(";")).get("Parent")
    record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": trace_header}
    if parent:
        record["tracing"]["spanId"] = parent
    return _line("platform.report", record)


def _line(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    return {"time": format_utc(datetime.now(UTC), "milliseconds"), "type": kind, "record": record}
