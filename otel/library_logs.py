"""What libraries say, redacted: log lines, warnings, and exceptions that nobody catches.

A library's message may hold any value that it was given: a header with its token, a resource attribute, a URL with a
password. A log line shows its text, where that is a constant of the source, with the arguments of type int and float;
of any other argument it shows the type, and of an exception the class. A text that was put together before it was
logged (an f-string) is not shown: the line then says where in the source it was logged.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any

from otel.event_types import EventType
from otel.json_logs import CRITICAL, ERROR, WARNING, JsonLogger
from otel.record import EventRecord
from otel.semconv import MESSAGE_ID

WITHHELD = "message of a library, not shown: its text may hold values"

_SPANS = "opentelemetry.sdk.trace"
_PUBLIC = {MESSAGE_ID}
"""Arguments that are shown as they are: names, by which a filter of ours knows a warning (`otel.tracing.botocore`)."""
_NOT_CALLERS = {logging.Logger.handle.__code__.co_filename, (lambda: None).__code__.co_filename}
"""The source of `logging`, and this one."""


class LibraryLogHandler(logging.Handler):
    """Brings what libraries log through Python's logging into the form of our own lines."""

    def __init__(self, log: JsonLogger, current: Callable[[], EventRecord | None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of a library."""
        event = self._current()
        if record.name == _SPANS and record.levelno == WARNING and event is not None and event.closed:
            return  # the watchdog has ended the spans, and the event's own thread, back to life, writes on them
        if isinstance(record, RedactedRecord):
            text, kind, stand_in = record.text, record.exception_type, record.stand_in
        else:  # in a process where `redact_process` was not called
            text, kind = _redacted(record.msg, record.args), _exception_type(record)
            stand_in = _stand_in(record.msg)
        at = f"{record.filename}:{record.lineno}" if text is None else None
        level = min(record.levelno // 10 * 10, CRITICAL)  # libraries may have levels of their own in between
        self.line(level, text or stand_in, logger=record.name, exception_type=kind, logged_at=at)

    def line(self, level: int, message: str, **fields: Any) -> None:
        """Write one line, about the event that is being processed if there is one."""
        self._log.line(level, EventType.LIBRARY, self._current(), message=message, **fields)


class RedactedRecord(logging.LogRecord):
    """A log record that is redacted when it is made, whatever handler it goes to.

    Libraries add handlers of their own, which print or export text and arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.text = _redacted(self.msg, self.args)
        self.exception_type = _exception_type(self)
        self.stand_in = _stand_in(self.msg)
        self.msg = self.text or self.stand_in
        self.args = self.exc_info = None


def redirect_library_logs(log: JsonLogger, current: Callable[[], EventRecord | None]) -> None:
    """Replace the root logger's handlers: Lambda's own would print arguments, as text.

    Args:
        log: where library lines go.
        current: the event that is being processed.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LibraryLogHandler(log, current))


def redact_process(log: JsonLogger) -> None:
    """Redact all that libraries say in this process from now on: call it before the first of them is imported.

    Args:
        log: where their lines go until `redirect_library_logs` is called again.
    """
    redirect_library_logs(log, lambda: None)
    logging.setLogRecordFactory(RedactedRecord)
    logging.raiseExceptions = False  # a handler that fails would print the record, and the exception's message
    warnings.showwarning = _show_warning
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda raised: _uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: _uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def location(traceback: TracebackType | None) -> str:
    """Where an exception came from: file and line, never its message."""
    if traceback is None:
        return "unknown"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}"


class _TypeName(str):
    """Stands for an argument."""

    __slots__ = ()
    __repr__ = str.__str__


class _Named(dict[str, object]):
    """Stands for arguments by name; as a whole, as in `logger.error("%s", {...})`, it is an argument like others."""

    def __init__(self, arguments: Mapping[str, object]) -> None:
        super().__init__({name: _shown(value) for name, value in arguments.items()})
        self._type = type(arguments).__name__

    def __repr__(self) -> str:
        return self._type


def _redacted(message: object, args: object) -> str | None:
    """A message as it may be shown; None where its text may not."""
    try:
        if type(message) is not str or not _is_constant(message):
            return None
        if not args:
            return message
        if isinstance(args, Mapping):
            return message % _Named(args)
        return message % tuple(map(_shown, args if isinstance(args, tuple) else (args,)))
    except Exception:  # noqa: BLE001 - whatever a library's arguments do: a log line must not raise
        # A conversion that takes numbers only, or a wrong number of arguments: the text as it is in the source.
        return message if isinstance(message, str) and _is_constant(message) else None


def _shown(value: object) -> object:
    # Not a subclass: the text of an enumeration's member, and of bool's, is its own.
    if type(value) in {int, float} or (type(value) is str and value in _PUBLIC):
        return value
    return _TypeName(type(value).__name__)


def _stand_in(message: object) -> str:
    """In place of a text that may not be shown, or of an object that was logged as in `logger.error(exception)`."""
    return WITHHELD if isinstance(message, str) else type(message).__name__


def _is_constant(message: str) -> bool:
    """Whether the code that logs this text has it as a constant: in itself, or as a module's name in capitals."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as logging finds its callers
    while frame is not None and frame.f_code.co_filename in _NOT_CALLERS:
        frame = frame.f_back
    if frame is None:
        return False
    if any(type(constant) is str and constant == message for constant in frame.f_code.co_consts):
        return True
    return any(value is message for name, value in list(frame.f_globals.items()) if name.isupper())


def _exception_type(record: logging.LogRecord) -> str | None:
    return record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    del message, file, line
    at = f"{filename.rpartition('/')[2]}:{lineno}"
    for logs in _installed():
        logs.line(WARNING, "a Python warning", logger="py.warnings", exception_type=category.__name__, logged_at=at)


def _uncaught(kind: type[BaseException], _error: object, traceback: TracebackType | None) -> None:
    at = location(traceback)
    for logs in _installed():
        logs.line(ERROR, "an exception that nobody caught", exception_type=kind.__name__, exception_at=at)


def _installed() -> list[LibraryLogHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LibraryLogHandler)]
