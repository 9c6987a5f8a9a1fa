"""Redaction of what libraries log, of warnings and of uncaught exceptions.

The message of a library may contain any value: a header with a token, a resource attribute, a URL with a password. A
log line shows the message if it is a constant in the source, with arguments of type int and float; of other arguments
it shows the type, and of an exception the class. A message that is composed before it is logged (an f-string) is
withheld: the line names the place in the source instead.
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

WITHHELD = "message withheld: it may contain values"

_SPANS = "opentelemetry.sdk.trace"
_PUBLIC = {MESSAGE_ID}
"""Arguments that are shown: names, by which a filter in `otel.tracing.botocore` recognises a warning."""
_NOT_CALLERS = {logging.Logger.handle.__code__.co_filename, (lambda: None).__code__.co_filename}
"""The source files of `logging` and of this module."""


class LibraryLogHandler(logging.Handler):
    """Writes the log records of libraries as JSON lines."""

    def __init__(self, log: JsonLogger, current: Callable[[], EventRecord | None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of a library."""
        event = self._current()
        if record.name == _SPANS and record.levelno == WARNING and event is not None and event.closed:
            return  # the watchdog has ended the spans, and the event's own thread has resumed and sets attributes
        if isinstance(record, RedactedRecord):
            text, exception_type, placeholder = record.text, record.exception_type, record.placeholder
        else:  # in a process without `redact_process`
            text, exception_type = _redacted(record.msg, record.args), _exception_type(record)
            placeholder = _placeholder(record.msg)
        at = f"{record.filename}:{record.lineno}" if text is None else None
        level = min(record.levelno // 10 * 10, CRITICAL)  # libraries may define levels in between
        self.line(level, text or placeholder, logger=record.name, exception_type=exception_type, logged_at=at)

    def line(self, level: int, message: str, **fields: Any) -> None:
        """Write one line, with the IDs of the current event if there is one."""
        self._log.line(level, EventType.LIBRARY, self._current(), message=message, **fields)


class RedactedRecord(logging.LogRecord):
    """A log record that is redacted when it is created.

    Libraries may add handlers of their own, which print or export message and arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.text = _redacted(self.msg, self.args)
        self.exception_type = _exception_type(self)
        self.placeholder = _placeholder(self.msg)
        self.msg = self.text or self.placeholder
        self.args = self.exc_info = None


def redirect_library_logs(log: JsonLogger, current: Callable[[], EventRecord | None]) -> None:
    """Replace the root logger's handlers: Lambda's own prints arguments.

    Args:
        log: Writes the lines.
        current: Returns the current event.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LibraryLogHandler(log, current))


def redact_process(log: JsonLogger) -> None:
    """Redact what libraries log, warn of and raise in this process: call this before the first of them is imported.

    Args:
        log: Writes the lines until `redirect_library_logs` is called again.
    """
    redirect_library_logs(log, lambda: None)
    logging.setLogRecordFactory(RedactedRecord)
    logging.raiseExceptions = False  # a failing handler would print the record and the exception
    warnings.showwarning = _show_warning
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda raised: _uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: _uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def location(traceback: TracebackType | None) -> str:
    """Return the file and line where an exception was raised, never its message."""
    if traceback is None:
        return "unknown"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}"


class _TypeName(str):
    """The name of an argument's type, in place of the argument."""

    __slots__ = ()
    __repr__ = str.__str__


class _Named(dict[str, object]):
    """Named arguments, redacted. As one argument, as in `logger.error("%s", {...})`, it shows its type."""

    def __init__(self, arguments: Mapping[str, object]) -> None:
        super().__init__({name: _shown(value) for name, value in arguments.items()})
        self._type = type(arguments).__name__

    def __repr__(self) -> str:
        return self._type


def _redacted(message: object, args: object) -> str | None:
    """Return the message with redacted arguments; None if it must be withheld."""
    try:
        if type(message) is not str or not _is_constant(message):
            return None
        if not args:
            return message
        if isinstance(args, Mapping):
            return message % _Named(args)
        return message % tuple(map(_shown, args if isinstance(args, tuple) else (args,)))
    except Exception:  # noqa: BLE001 - a library's arguments may raise anything, and a log line must not
        # A conversion for numbers only, or a wrong number of arguments: the message without arguments.
        return message if isinstance(message, str) and _is_constant(message) else None


def _shown(value: object) -> object:
    # Not a subclass, since that may have a text of its own, as members of an enumeration do.
    if type(value) in {int, float} or (type(value) is str and value in _PUBLIC):
        return value
    return _TypeName(type(value).__name__)


def _placeholder(message: object) -> str:
    """Return what is shown instead of a withheld text, or of an object as in `logger.error(exception)`."""
    return WITHHELD if isinstance(message, str) else type(message).__name__


def _is_constant(message: str) -> bool:
    """Whether the code that logs the message has it as a literal, or its module has it as a constant."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - `logging` finds its callers in this way, too
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
