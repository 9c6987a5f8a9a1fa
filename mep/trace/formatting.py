"""What of a moment is worth a person's first look; JSON has everything."""

from collections.abc import Mapping, Sequence
from typing import Any

from handler.contract import AUDIT, CALENDAR
from mep.trace.entries import Entry

_LEFT_OUT = frozenset(
    {
        *("correlation_id", "request_id", "trace_id", "span_id", "aws.xray.annotations", "kind", "cold_start"),
        *("rpc.system", "rpc.service", "rpc.method", "db.system", "db.operation", "cloud.region", "retry_attempts"),
        *("server.address", "server.port", "net.peer.name", "faas.trigger", "faas.invocation_id", "operation"),
        *("messaging.system", "messaging.url", "messaging.destination.name", "messaging.message.id", "aws.queue_url"),
        *(*CALENDAR.key, *AUDIT.key),
        *("action", "previous_state", "function_version", "body", "attempt", "queue_url"),
        "event_type",
    }
)
"""Facts that the place of a moment tells already, or that only a machine has use for."""

_FALSE_IS_NO_NEWS = frozenset({"faas.coldstart", "error", "fault", "throttle"})


def displayed_attributes(entry: Entry) -> list[tuple[str, str]]:
    """Names and values, short."""
    told = []
    for name, value in entry.attributes.items():
        if name in _LEFT_OUT or value is None or (value is False and name in _FALSE_IS_NO_NEWS):
            continue
        if name == "delay_ms" and entry.kind == "backoff":  # its length
            continue
        told.append((name, text_of(value)))
    return told


def text_of(value: Any) -> str:
    """A value as text: lists by commas, objects as `name value`."""
    match value:
        case str():
            return value
        case Mapping():
            return ", ".join(f"{name} {text_of(each)}" for name, each in value.items())
        case Sequence():
            return "; ".join(text_of(each) for each in value)
        case float():
            return f"{value:g}"
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)


def milliseconds(value: float) -> str:
    """A length or an offset, with the precision that its size deserves."""
    if abs(value) >= 60_000:
        minutes, seconds = divmod(value / 1000, 60)
        return f"{minutes:.0f} min {seconds:.0f} s"
    if abs(value) >= 10_000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if abs(value) >= 100 else f"{value:.1f} ms"
