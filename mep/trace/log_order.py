"""Puts the lines of a log group into the order in which they were written.

The function's own lines have microseconds, CloudWatch Logs and Lambda's lines milliseconds. The runtime client's line
about an exception has whole seconds, and CloudWatch Logs may take its time from it.
"""

from collections.abc import Iterable
from typing import Any

from mep.trace.aws_sources import LogLine
from mep.trace.entries import nanoseconds

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000


def in_order(lines: Iterable[LogLine]) -> list[LogLine]:
    """Return log lines in the order in which they were written.

    A line with whole seconds follows the last own line of its request in that second.

    Args:
        lines: Log lines and when CloudWatch Logs received each.
    """
    lines = list(lines)
    own: dict[str, list[int]] = {}
    for line, received_at in lines:
        if "request_id" in line:
            own.setdefault(str(line["request_id"]), []).append(_time(line, received_at))

    def key(item: LogLine) -> tuple[int, int]:
        line, received_at = item
        at = _time(line, received_at)
        if line.get("type") == "platform.start":
            return at, 0
        if line.get("type") == "platform.report":
            return at + _MILLISECOND, 3
        if "errorMessage" in line and "event_type" not in line:
            at = max(at, received_at or 0)
            window = _SECOND if at % _SECOND == 0 else _MILLISECOND
            before = [time for time in own.get(str(line.get("requestId")), ()) if at <= time < at + window]
            return max(before, default=at), 2
        return at, 1

    return sorted(lines, key=key)


def _time(line: dict[str, Any], received_at: int | None) -> int:
    return nanoseconds(line.get("timestamp") or line.get("time")) or received_at or 0
