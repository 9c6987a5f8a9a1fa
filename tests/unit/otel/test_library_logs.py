"""Log records of libraries in a real file: their messages, and none of their values."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.json_logs import JsonLogger
from otel.library_logs import (
    WITHHELD,
    LibraryLogHandler,
    RedactedRecord,
    location,
    redact_process,
    redirect_library_logs,
)
from tests.support.telemetry import Output, event_record, output_file, telemetry_settings
from tests.unit.otel.test_json_logs import ALWAYS_THERE

HEADER_INVALID = "header is invalid: %s"
"""A constant of the module, as OpenTelemetry has its messages."""


def new_log(output: Output, **changes: Any) -> JsonLogger:
    return JsonLogger(output.write, telemetry_settings(**changes))


@pytest.fixture(params=[False, True], ids=["any process", "redacted process"])
def library(output: Output, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """A library's logger without pytest's handlers; its records are redacted when they are created or written."""
    if request.param:
        monkeypatch.setattr(logging, "_logRecordFactory", RedactedRecord)
    logger = logging.Logger("a.library")
    logger.addHandler(LibraryLogHandler(new_log(output), lambda: None))
    return logger


@pytest.fixture
def redacted(output: Output, root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A library's logger in a redacted process, which is restored afterwards."""
    del root_logger
    for thing, name in (
        (logging, "raiseExceptions"),
        (warnings, "showwarning"),
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
    ):
        monkeypatch.setattr(thing, name, getattr(thing, name))
    factory = logging.getLogRecordFactory()
    redact_process(new_log(output))
    yield logging.getLogger("a.library")
    logging.setLogRecordFactory(factory)


def messages(output: Output) -> list[str]:
    return [line["message"] for line in output.logs()]


# ---- fields ------------------------------------------------------------------------------------------


def test_a_librarys_line_has_the_same_fields(library: logging.Logger, output: Output) -> None:
    library.warning("Connection pool is full")

    (line,) = output.lines()
    assert list(line) == [*ALWAYS_THERE, "logger"]
    assert (line["level"], line["message"], line["logger"]) == ("WARN", "Connection pool is full", "a.library")


@pytest.mark.parametrize(("level", "name"), [(30, "WARN"), (35, "WARN"), (40, "ERROR"), (49, "ERROR"), (99, "FATAL")])
def test_a_level_of_its_own_is_the_one_below(level: int, name: str, library: logging.Logger, output: Output) -> None:
    library.log(level, "text")

    assert output.lines()[0]["level"] == name


def test_below_warning_nothing_is_written(library: logging.Logger, output: Output) -> None:
    library.debug("detail")
    library.info("detail")

    assert output.lines() == []


def test_its_line_has_the_ids_of_the_current_event(output: Output, root_logger: logging.Logger) -> None:
    del root_logger
    in_work = [None]
    redirect_library_logs(new_log(output), lambda: in_work[0])
    library = logging.getLogger("a.library")

    library.warning("between events")
    in_work[0] = event_record(correlation_id="follow-me")  # type: ignore[call-overload]
    library.warning("during an event")

    assert [line["correlation_id"] for line in output.lines()] == [None, "follow-me"]


def test_existing_handlers_are_removed(output: Output, root_logger: logging.Logger, tmp_path: Any) -> None:
    """Lambda's runtime client installs one that prints arguments."""
    other = logging.FileHandler(tmp_path / "theirs.log")
    root_logger.addHandler(other)
    redirect_library_logs(new_log(output), lambda: None)

    logging.getLogger("a.library").warning("text %s", "s3cret")
    other.close()

    assert [type(handler) for handler in root_logger.handlers] == [LibraryLogHandler]
    assert (tmp_path / "theirs.log").read_text() == ""
    assert len(output.lines()) == 1


# ---- messages ----------------------------------------------------------------------------------


class Code(IntEnum):
    """Its text differs from the text of its number."""

    S3CRET = 1


class Odd:
    """A class that a library may pass."""

    def __str__(self) -> str:
        return "s3cret"

    def __repr__(self) -> str:
        raise RuntimeError("s3cret")


def test_numbers_are_shown_and_other_arguments_by_type(library: logging.Logger, output: Output) -> None:
    library.error("Failed to export span batch code: %s, reason: %s", 403, "Forbidden s3cret")
    library.error("%s of %d in %.2fs: %r", 3, 5, 0.5, "s3cret")
    library.error("%(status)d from %(host)s", {"status": 503, "host": "s3cret", "else": "s3cret"})
    library.error("%s %s %s %s", None, b"s3cret", ["s3cret"], {"s3cret": "s3cret"})
    library.error("%s %r", Odd(), Odd())
    library.error("%s", {"s3cret": 1})

    assert messages(output) == [
        "Failed to export span batch code: 403, reason: str",
        "3 of 5 in 0.50s: str",
        "503 from str",
        "NoneType bytes list dict",
        "Odd Odd",
        "dict",  # logging takes a lone one for arguments by name
    ]
    assert b"s3cret" not in output.raw()


def test_a_subclass_of_int_is_shown_by_type(library: logging.Logger, output: Output) -> None:
    library.error("%s %s %s", True, HTTPStatus.FORBIDDEN, Code.S3CRET)

    assert messages(output) == ["bool HTTPStatus Code"]


@pytest.mark.parametrize("conversion", ["%s", "%r", "%a", "%.300s", "%-9s", "%(a)s %%", "%(a)r"])
def test_no_conversion_shows_a_dict(conversion: str, library: logging.Logger, output: Output) -> None:
    code = compile(f"library.error({conversion!r}, {{'s3cret': 's3cret', 'a': 's3cret'}})", "x.py", "exec")
    exec(code, {"library": library})  # noqa: S102 - so that the text is a constant of its source

    assert b"s3cret" not in output.raw()
    assert messages(output)[0].strip() in {"dict", "str %", "str"}


def test_a_wrong_format_is_shown_unformatted(library: logging.Logger, output: Output) -> None:
    library.error("%d", "s3cret")
    library.error("%s and %s", "s3cret")
    library.error("nothing", "s3cret")
    library.error("%(missing)s", {"other": "s3cret"})
    library.error("100 %", "s3cret")
    library.error("%y %s", "s3cret")

    assert messages(output) == ["%d", "%s and %s", "nothing", "%(missing)s", "100 %", "%y %s"]
    assert b"s3cret" not in output.raw()


@pytest.mark.parametrize("arguments", [(), ("x",), ({"name": "x"},)], ids=["none", "one", "named"])
def test_a_composed_message_is_withheld(arguments: tuple[Any, ...], library: logging.Logger, output: Output) -> None:
    value = "s3cret".upper()
    library.error(f"could not send {value}", *arguments)
    library.error("could not send " + value, *arguments)
    library.error("could not send %s" % value, *arguments)  # noqa: UP031 - as libraries do
    library.error("could not send {}".format(value), *arguments)  # noqa: UP032 - as libraries do
    library.error(value, *arguments)

    lines = output.lines()
    assert [line["message"] for line in lines] == [WITHHELD] * 5
    assert all(line["logged_at"].startswith("test_library_logs.py:") for line in lines)
    assert len({line["logged_at"] for line in lines}) == 5
    assert b"S3CRET" not in output.raw()


def test_a_constant_message_is_shown(library: logging.Logger, output: Output) -> None:
    local = "a name in the function"
    library.error(local)
    library.error("in two parts")
    library.error("added " + "up")
    library.error(HEADER_INVALID, "s3cret")
    threading.Thread(target=lambda: library.error("in a lambda")).run()
    [library.error("in a comprehension") for _ in range(1)]  # type: ignore[func-returns-value]

    assert messages(output) == [
        "a name in the function",
        "in two parts",
        "added up",
        "header is invalid: str",
        "in a lambda",
        "in a comprehension",
    ]


lower_case = "s3cret-" + os.sep


def test_a_lower_case_name_is_not_a_constant(library: logging.Logger, output: Output) -> None:
    library.error(lower_case)

    assert messages(output) == [WITHHELD]


def test_an_exception_is_logged_by_class(library: logging.Logger, output: Output) -> None:
    try:
        os.kill(0, -1)  # no such signal
    except OSError as error:
        library.exception("it failed")
        library.error(error)  # some do

    first, second = output.lines()
    assert (first["message"], first["exception_type"]) == ("it failed", "OSError")
    assert second["message"] == "OSError"
    assert second["logged_at"].startswith("test_library_logs.py:")
    assert b"Invalid argument" not in output.raw()


def test_no_exception_to_log(library: logging.Logger, output: Output) -> None:
    library.error("no exception", exc_info=True)

    assert "exception_type" not in output.lines()[0]


@given(st.text(), st.recursive(st.text() | st.none() | st.integers(), st.lists, max_leaves=3))
def test_nothing_is_raised(text: str, argument: Any) -> None:
    with output_file() as output:
        handler = LibraryLogHandler(new_log(output), lambda: None)
        for arguments in ((), (argument,), (argument, argument), ({text: argument},)):
            record = logging.LogRecord("a.library", logging.ERROR, "x.py", 1, text, arguments, None)
            handler.handle(record)

        assert len(output.lines()) == 4


# ---- a redacted process ------------------------------------------------------------------------------------------


def test_a_redacted_record_has_the_text_of_the_line(redacted: logging.Logger, output: Output) -> None:
    seen: list[logging.LogRecord] = []

    class Theirs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    theirs = Theirs()
    redacted.addHandler(theirs)
    try:
        raise ValueError("s3cret")  # noqa: TRY301 - for the line that logs it
    except ValueError:
        redacted.exception("%d failed for %s", 3, "s3cret")
    redacted.removeHandler(theirs)

    (record,), (line,) = seen, output.logs()
    assert isinstance(record, RedactedRecord)
    assert record.getMessage() == line["message"] == "3 failed for str"
    assert (record.args, record.exc_info, line["exception_type"]) == (None, None, "ValueError")


def test_a_handler_that_fails_prints_nothing(redacted: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                raise ValueError("s3cret")  # noqa: TRY301 - logging prints the one being handled
            except ValueError:
                self.handleError(record)

    broken = Broken()
    redacted.addHandler(broken)
    redacted.error("text")
    redacted.removeHandler(broken)

    assert capfd.readouterr() == ("", "")


def test_a_warning_is_logged_by_class_and_location(
    redacted: logging.Logger, output: Output, capfd: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(redacted, logging.Logger)
    shown = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = shown  # pytest collects them otherwise
        warnings.warn("could not send s3cret", RuntimeWarning, stacklevel=1)

    (line,) = output.logs()
    assert (line["level"], line["logger"], line["exception_type"]) == ("WARN", "py.warnings", "RuntimeWarning")
    assert line["logged_at"].startswith("test_library_logs.py:")
    assert b"s3cret" not in output.raw()
    assert capfd.readouterr() == ("", "")


def test_an_uncaught_exception_is_logged_by_class(
    redacted: logging.Logger, output: Output, capfd: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(redacted, logging.Logger)

    def fail() -> None:
        raise ValueError("s3cret")

    class Fails:
        def __del__(self) -> None:
            fail()

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Fails()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    lines = output.logs()
    assert [(line["level"], line["exception_type"]) for line in lines] == [("ERROR", "ValueError")] * 3
    assert all(line["exception_at"].startswith("test_library_logs.py:") for line in lines)
    assert b"s3cret" not in output.raw()
    assert capfd.readouterr() == ("", "")


def test_the_location_without_a_traceback() -> None:
    assert location(None) == "unknown"


def test_a_record_made_elsewhere_shows_nothing(redacted: logging.Logger, output: Output) -> None:
    made: Mapping[str, Any] = {"msg": "s3cret %s", "args": ("s3cret",), "levelno": 40, "name": "a.library"}
    redacted.handle(logging.makeLogRecord(made))

    assert b"s3cret" not in output.raw()
