"""Structured logs: one JSON object a line, allow-listed fields only, every line with the IDs of its event."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from otel import names
from otel.event_types import MESSAGES, EventType
from otel.output import Write, encode
from otel.record import EventRecord
from otel.settings import TelemetrySettings

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_LEVEL_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARN", ERROR: "ERROR", CRITICAL: "FATAL"}

_SPANS = "opentelemetry.sdk.trace"

# Z for UTC, as all else here; an ID that is not str would be a defect, but a log line must not raise for it.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class Log:
    """Writes log lines. Never raises: a full disk or a closed pipe must not fail an event."""

    def __init__(self, write: Write, settings: TelemetrySettings) -> None:
        self._write = write
        self._least = settings.log_level
        self._static = {"service": settings.service, "environment": settings.environment}

    def raise_level(self, least: int) -> None:
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
        line.update((name, value) for name, value in fields.items() if name in names.LOG_FIELDS and value is not None)
        try:
            self._write(encode(line, _OPTIONS))
        except Exception:  # noqa: BLE001 - standard output is gone: there is no better place to say so
            return


class LibraryLogs(logging.Handler):
    """Brings what libraries log through Python's logging into the same form.

    Only the text before formatting is written: the arguments may hold anything, an event or a key included. Where an
    object is logged in place of a text, as in `logger.error(exception)`, that is its class.
    """

    def __init__(self, log: Log, current: Callable[[], EventRecord | None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of a library."""
        event = self._current()
        if record.name == _SPANS and record.levelno == WARNING and event is not None and event.over:
            return  # the watchdog has ended the spans, and the event's own thread, back to life, writes on them
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        level = min(record.levelno // 10 * 10, CRITICAL)  # libraries may have levels of their own in between
        self._log.line(level, EventType.LIBRARY, event, message=text, logger=record.name, exception_type=kind)


def take_over_library_logs(log: Log, current: Callable[[], EventRecord | None]) -> None:
    """Replace the root logger's handlers: Lambda's own would print arguments, as text.

    Args:
        log: where library lines go.
        current: the event that is being processed.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LibraryLogs(log, current))
