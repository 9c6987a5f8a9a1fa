"""Log lines in a real file."""

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import json_logs, semconv
from otel.event_types import EventType
from otel.json_logs import JsonLogger
from otel.stdout import fd_writer
from tests.support.telemetry import Output, event_record, json_lines, output_file, telemetry_settings

ALWAYS_THERE = [
    "timestamp",
    "level",
    "event_type",
    "message",
    "service",
    "environment",
    "function_version",
    "correlation_id",
    "event_id",
    "request_id",
    "trace_id",
    "span_id",
    "cold_start",
]
# Everything that can be in a Python text: control characters, separators, lone surrogates.
_ANY_TEXT = st.text(st.characters()) | st.sampled_from(
    ["\n", "\r\n", '"}\n{"level":"FATAL"', "\u2028", "\u2029", "\x85", "\x00", "\x1b[2J", "\ud800", "a\udfffb", "\x7f"]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.dictionaries(st.sampled_from(sorted(semconv.LOG_FIELDS - set(ALWAYS_THERE))), _ANYTHING, max_size=4)


def as_utf8(text: str) -> str:
    """Return the text with lone surrogates replaced."""
    return text.encode("utf-8", "replace").decode()


def new_log(output: Output, **changes: Any) -> JsonLogger:
    return JsonLogger(output.write, telemetry_settings(**changes))


@given(_ANY_TEXT, _FIELDS, _ANY_TEXT)
def test_any_value_is_one_line(message: str, fields: dict[str, Any], some_id: str) -> None:
    record = event_record(correlation_id=some_id, request_id=some_id, event_id=some_id)
    with output_file() as output:
        log = new_log(output)
        log.line(json_logs.ERROR, EventType.LIBRARY, record, message=message, **fields)
        raw = output.raw()
        log.line(json_logs.INFO, EventType.LIBRARY, message="the next line")

        assert raw.count(b"\n") == len(json_lines(raw)) == 1
        assert not any(byte < 0x20 for byte in raw.removesuffix(b"\n"))
        assert output.lines()[-1]["message"] == "the next line"
    (line,) = json_lines(raw)
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", as_utf8(message), as_utf8(some_id))


@given(st.text(st.characters(codec="utf-8")))
def test_text_that_is_unicode_is_always_written(text: str) -> None:
    with output_file() as output:
        new_log(output).line(json_logs.INFO, EventType.LIBRARY, message=text, error_code=text)

        (line,) = output.lines()
        assert (line["message"], line["error_code"]) == (text, text)


def test_the_fields_of_every_line(output: Output) -> None:
    record = event_record(event_id="event-1", trace_id="t" * 32, span_id="s" * 16, cold_start=True)
    new_log(output, service="svc", environment="prod").line(
        json_logs.INFO, EventType.LIBRARY, record, message="text", attempts=2
    )

    (line,) = output.lines()
    assert list(line) == [*ALWAYS_THERE, "attempts"]
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.tzinfo == UTC
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert line == {
        "level": "INFO",
        "event_type": "library",
        "message": "text",
        "service": "svc",
        "environment": "prod",
        "function_version": "7",
        "correlation_id": record.correlation_id,
        "event_id": "event-1",
        "request_id": record.request_id,
        "trace_id": "t" * 32,
        "span_id": "s" * 16,
        "cold_start": True,
        "attempts": 2,
    }
    assert set(line) <= semconv.LOG_FIELDS


def test_a_line_about_no_event_has_no_ids(output: Output) -> None:
    new_log(output).line(json_logs.INFO, EventType.LIBRARY, message="text")

    (line,) = output.lines()
    assert list(line) == ALWAYS_THERE
    assert {name for name, value in line.items() if value is None} == {
        "correlation_id",
        "event_id",
        "request_id",
        "trace_id",
        "span_id",
        "cold_start",
    }


def test_timestamps_are_utc(output: Output) -> None:
    new_log(output).line(json_logs.INFO, EventType.LIBRARY, message="text")

    assert output.lines()[0]["timestamp"].endswith("Z")


def test_only_listed_fields_are_written(output: Output) -> None:
    new_log(output).line(
        json_logs.INFO, EventType.LIBRARY, message="text", detail={"password": "s3cret"}, event="s3cret", attempts=1
    )

    assert b"s3cret" not in output.raw()
    assert list(output.lines()[0]) == [*ALWAYS_THERE, "attempts"]


def test_none_is_dropped_and_false_is_written(output: Output) -> None:
    new_log(output).line(
        json_logs.INFO, EventType.LIBRARY, message="text", same_event=False, attempts=0, error_code=None, violations=[]
    )

    assert list(output.lines()[0])[len(ALWAYS_THERE) :] == ["same_event", "attempts", "violations"]


@pytest.mark.parametrize(
    ("level", "name"),
    [(10, "DEBUG"), (20, "INFO"), (30, "WARN"), (40, "ERROR"), (50, "FATAL")],
)
def test_levels_have_lambdas_names(level: int, name: str, output: Output) -> None:
    new_log(output, log_level=10).line(level, EventType.LIBRARY, message="text")

    assert output.lines()[0]["level"] == name


@pytest.mark.parametrize("least", [10, 20, 30, 40, 50])
def test_lines_below_the_level_are_not_written(least: int, output: Output) -> None:
    log = new_log(output, log_level=least)
    for level in (10, 20, 30, 40, 50):
        log.line(level, EventType.LIBRARY, message=str(level))

    assert [int(line["message"]) for line in output.lines()] == [
        level for level in (10, 20, 30, 40, 50) if level >= least
    ]


def test_the_level_can_be_raised_but_not_lowered(output: Output) -> None:
    log = new_log(output, log_level=10)
    log.set_minimum_level(30)
    log.set_minimum_level(10)
    for level in (10, 20, 30):
        log.line(level, EventType.LIBRARY, message=str(level))

    assert [line["message"] for line in output.lines()] == ["30"]


def test_a_failing_output_does_not_raise() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        JsonLogger(fd_writer(fd), telemetry_settings()).line(json_logs.ERROR, EventType.LIBRARY, message="text")
    finally:
        os.close(fd)


@pytest.mark.parametrize("error", [OSError, ValueError, UnicodeError, MemoryError, RuntimeError])
def test_a_writer_that_raises_does_not_either(error: type[Exception]) -> None:
    def write(_: bytes) -> None:
        raise error

    JsonLogger(write, telemetry_settings()).line(json_logs.ERROR, EventType.LIBRARY, message="text")


_ENDLESS: dict[str, Any] = {}
_ENDLESS["again"] = [_ENDLESS]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a\ud800b", "a?b"),
        ({"\udcff": ["\udcff"]}, {"?": ["?"]}),
        (object(), "object"),
        (b"bytes", "bytes"),
        (2**70, "int"),
        (-(2**70), "int"),
        ({"deep": (1.5, object(), None, True)}, {"deep": [1.5, "object", None, True]}),
        ({object(): 1}, {"object": 1}),
        (float("nan"), None),
        (float("-inf"), None),
    ],
)
def test_values_that_json_cannot_represent(value: object, written: object, output: Output) -> None:
    new_log(output).line(json_logs.ERROR, EventType.LIBRARY, message="text", error_code=value)

    (line,) = output.lines()
    assert (line["message"], line["error_code"]) == ("text", written)


def test_a_recursive_value_is_truncated(output: Output) -> None:
    new_log(output).line(json_logs.ERROR, EventType.LIBRARY, message="text", error_code=_ENDLESS)

    (line,) = output.lines()
    assert line["message"] == "text"


@pytest.mark.parametrize("name", ["service", "environment"])
def test_a_setting_that_is_not_utf8(name: str, output: Output) -> None:
    new_log(output, **{name: "a\udcffb"}).line(json_logs.ERROR, EventType.LIBRARY, message="text")

    (line,) = output.lines()
    assert line[name] == "a?b"
