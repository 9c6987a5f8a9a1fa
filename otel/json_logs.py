"""Structured logs: one JSON object a line, allow-listed fields only, every line with the IDs of its event."""

from datetime import UTC, datetime
from typing import Any

import orjson

from otel import semconv
from otel.event_types import MESSAGES, EventType
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.stdout import Writer, encode

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_LEVEL_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARN", ERROR: "ERROR", CRITICAL: "FATAL"}

# Z for UTC, as all else here; an ID that is not str would be a defect, but a log line must not raise for it.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JsonLogger:
    """Writes log lines. Never raises: a full disk or a closed pipe must not fail an event."""

    def __init__(self, write: Writer, settings: TelemetrySettings) -> None:
        self._write = write
        self._least = settings.log_level
        self._static = {"service": settings.service, "environment": settings.environment}

    def set_minimum_level(self, least: int) -> None:
        """Shed lines below a level, as under memory pressure."""
        self._least = max(self._least, least)

    def line(
        self,
        level: int,
        event_type: EventType,
        record: EventRecord | None = None,
        *,
        message: str | None = None,
        **fields: Any,
    ) -> None:
        """Write one line.

        Args:
            level: as Python's logging counts.
            event_type: the kind of line.
            record: the event that the line is about.
            message: a constant text; what varies goes into fields. None for the kind's own.
            fields: what the line is about; names that are not in `names.LOG_FIELDS` are left out.
        """
        if level < self._least:
            return
        line: dict[str, Any] = {
            "timestamp": datetime.now(UTC),
            "level": _LEVEL_NAMES.get(level, "INFO"),
            "event_type": event_type,
            "message": MESSAGES[event_type] if message is None else message,
            **self._static,
            "correlation_id": record.correlation_id if record else None,
            "event_id": record.event_id if record else None,
            "request_id": record.request_id if record else None,
            "trace_id": record.trace_id if record else None,
            "span_id": record.span_id if record else None,
            "cold_start": record.cold_start if record else None,
        }
        line.update((name, value) for name, value in fields.items() if name in semconv.LOG_FIELDS and value is not None)
        try:
            self._write(encode(line, _OPTIONS))
        except Exception:  # noqa: BLE001 - standard output is gone: there is no better place to say so
            return
