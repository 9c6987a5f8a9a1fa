"""All logging calls in the sources of the libraries: none of them writes a value."""

import json
import logging
from io import StringIO

import pytest

from otel import json_logs
from otel.json_logs import JsonLogger
from otel.library_logs import WITHHELD, LibraryLogHandler, RedactedRecord
from tests.integration.handler.library_calls import SECRET, library_calls
from tests.support.telemetry import output_file, telemetry_settings


def _everything(record: logging.LogRecord) -> str:
    """Everything that a handler of a library could print or export."""
    text = logging.Formatter("%(name)s %(pathname)s %(message)s").format(record)
    return text + repr({name: value for name, value in vars(record).items() if name != "pathname"})


def test_no_library_call_logs_a_value() -> None:
    """Every logging call in the sources of every package of the image, with a secret for each of its values."""
    leaking, withheld = [], []
    calls = library_calls()
    with output_file() as output:
        logger = logging.Logger("a.library", logging.DEBUG)
        log = JsonLogger(output.write, telemetry_settings(log_level=json_logs.DEBUG))
        handler = LibraryLogHandler(log, lambda: None)
        handler.setLevel(logging.NOTSET)
        logger.addHandler(handler)
        for call in calls:
            output.clear()
            call.run(logger)
            (line,) = output.lines()
            if SECRET in json.dumps(line):
                leaking.append((call.place, line))
            if call.constant is not None and line["message"] == WITHHELD:
                withheld.append((call.place, line))

    assert leaking == []
    assert withheld == [], "a text of the source can be shown"
    assert len(calls) > 1000, "or the search finds no calls any more"
    assert sum(call.constant is None for call in calls) > 20, "or these"


def test_no_library_handler_gets_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that a library adds itself gets records which are redacted when they are created."""
    monkeypatch.setattr(logging, "_logRecordFactory", RedactedRecord)
    printed = StringIO()
    handler = logging.StreamHandler(printed)
    handler.setFormatter(type("All", (logging.Formatter,), {"format": staticmethod(_everything)})())
    logger = logging.Logger("a.library", logging.DEBUG)
    logger.addHandler(handler)

    for call in library_calls():
        call.run(logger)

    assert SECRET not in printed.getvalue()
    assert printed.getvalue().count("\n") >= len(library_calls())
