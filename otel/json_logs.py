"""Structured logs: one JSON object per line, with the IDs of its event and allow-listed fields only."""

from collections.abc import Iterable
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


def level_name(level: int) -> str:
    """Return Lambda's name of a level."""
    return _LEVEL_NAMES.get(level, "INFO")


# An ID that is not a str would be a defect, but a log line must not raise for it.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JsonLogger:
    """Writes log lines. Never raises: a full disk or a closed pipe must not fail an event.

    Args:
        write: Takes whole lines.
        subject_keys: Log fields besides `semconv.LOG_FIELDS`.
    """

    def __init__(self, write: Writer, settings: TelemetrySettings, subject_keys: Iterable[str] = ()) -> None:
        self._write = write
        self._allowed = semconv.LOG_FIELDS.union(subject_keys)
        self._least = settings.log_level
        self._static = {
            "service": settings.service,
            "environment": settings.environment,
            semconv.FUNCTION_VERSION: settings.function_version,
        }

    def set_minimum_level(self, least: int) -> None:
        """Drop lines below a level; a lower one than before has no effect."""
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
            level: As Python's `logging` counts.
            event_type: The kind of line.
            record: The event that the line is about.
            message: A constant text, since values belong into fields; None for the one of the kind.
            fields: Further fields; those that are None or not on the allow-list are dropped.
        """
        if level < self._least:
            return
        line: dict[str, Any] = {
            "timestamp": datetime.now(UTC),
            "level": level_name(level),
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
        line.update({name: value for name, value in fields.items() if name in self._allowed and value is not None})
        try:
            self._write(encode(line, _OPTIONS))
        except Exception:  # noqa: BLE001 - standard output is gone, and there is no other place to report it
            return
