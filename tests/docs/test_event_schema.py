"""docs/event-schema.json accepts what the function accepts, and docs/event-type.ts is its type."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import fastjsonschema
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from handler import contract, validation
from handler.errors import ProcessingError
from handler.event import camel_case, parse_event
from handler.validation import FieldError, Validator, absent
from otel.tracing.root_span import read_traceparent
from tests.docs.event_schema import DEFINITIONS, SCHEMA, TYPE, VALIDATORS, schema
from tests.docs.event_type import typescript
from tests.support.events import eventbridge_event
from tests.support.strategies import (
    ID_CHARACTERS,
    MARKET_SYMBOLS,
    SYMBOL_CHARACTERS,
    damaged_events,
    days,
    identifiers,
    scalars,
    symbols,
    valid_events,
)
from tests.support.thorough import is_thorough

Accepts = Callable[[Any], bool]
few = hypothesis_settings(max_examples=5_000 if is_thorough() else 100)


def compiled(json_schema: dict[str, Any]) -> Accepts:
    validate = fastjsonschema.compile(json_schema)

    def accepts(value: Any) -> bool:
        try:
            validate(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return accepts


SCHEMA_ACCEPTS = compiled(schema())
DEFINITION_ACCEPTS = {name: compiled(definition) for name, definition in DEFINITIONS.items()}


def validator_accepts(rule: Validator, value: Any) -> bool:
    try:
        rule(value)
    except FieldError:
        return False
    return True


def function_accepts(event: Any) -> bool:
    try:
        parse_event(event, source=contract.DEFAULT_SOURCE)
    except ProcessingError:
        return False
    return True


def is_refused_by_the_schema_alone(detail: Mapping[str, Any]) -> bool:
    """The two cases that docs/events.md names: both spellings, and a value that is replaced or ignored."""
    fields = (*contract.KEY_FIELDS, *contract.OPTIONAL_FIELDS, *contract.UNCHECKED_FIELDS)
    if any(camel_case(name) != name and {name, camel_case(name)} <= detail.keys() for name in fields):
        return True
    used: dict[str, Accepts] = {
        "correlation_id": lambda value: validator_accepts(validation.parse_id, value),
        "earnings_id": lambda value: isinstance(value, str),
        "traceparent": lambda value: read_traceparent(value).is_valid,
    }
    return any(
        not absent(detail[spelling]) and not accepts(detail[spelling])
        for name, accepts in used.items()
        for spelling in {name, camel_case(name)} & detail.keys()
    )


def test_the_files_are_those_of_the_contract() -> None:
    """Otherwise: `.venv/bin/python -m tests.docs.event_schema`."""
    assert json.loads(SCHEMA.read_text()) == schema()
    assert TYPE.read_text() == typescript(schema())


TWO_DIGITS = st.sampled_from(
    ["00", "01", "02", "04", "12", "13", "19", "23", "24", "28", "29", "30", "31", "59", "60", "99"]
)
YEARS = st.sampled_from(["0000", "0004", "1900", "2000", "2023", "2024", "2100", "9996"])
NEAR_DAYS = st.builds("-".join, st.tuples(YEARS, TWO_DIGITS, TWO_DIGITS))
NEAR_INSTANTS = st.builds(
    "".join,
    st.tuples(
        NEAR_DAYS | days.filter(lambda day: "0002" < day < "9999"),
        st.sampled_from("Tt _"),
        TWO_DIGITS,
        st.just(":"),
        TWO_DIGITS,
        st.just("") | TWO_DIGITS.map(":{}".format),
        st.sampled_from(["", ".5", ",123456789", ".", ".1234567890"]),
        st.sampled_from(["", "Z", "z", "+", "-"]),
        st.just("") | st.builds("".join, st.tuples(TWO_DIGITS, st.sampled_from(["", ":"]), TWO_DIGITS)),
    ),
)
AROUND = st.sampled_from(["", "", "", " ", "\n", "\t ", "\r\n", "\x0b", "\u00a0", "."])
NEAR: Mapping[Validator, st.SearchStrategy[str]] = {
    validation.parse_id: identifiers
    | st.text(ID_CHARACTERS + " \n\u0130", min_size=120, max_size=130)
    | st.text(max_size=3),
    validation.parse_symbol: symbols
    | st.sampled_from(MARKET_SYMBOLS)
    | st.text(SYMBOL_CHARACTERS + "  \n\u0131", max_size=23),
    validation.parse_date: days | NEAR_DAYS,
    validation.parse_timestamp: NEAR_INSTANTS,
}


@pytest.mark.parametrize("rule", VALIDATORS)
@few
@given(data=st.data())
def test_a_definition_accepts_what_its_validator_accepts(rule: Validator, data: st.DataObject) -> None:
    value = data.draw(scalars | st.builds("{}{}{}".format, AROUND, NEAR[rule], AROUND))
    assert DEFINITION_ACCEPTS[VALIDATORS[rule]](value) == validator_accepts(rule, value)


NEAR_MISSES = (
    *MARKET_SYMBOLS,
    *(
        "A" * 20,
        "A" * 21,
        f" \t{'A' * 20}\r\n",
        f" {'A' * 21}",
        "BRK  B",
        "BRK\tB",
        "\x0bA",
        "A\u00a0",
        ".A",
        "\\",
        "A\\",
        "A\n",
    ),
    *("a" * 128, "a" * 129, "a b", "a\n", "\u0130", "\u0661", " ", ""),
    *("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0000-01-01", "0001-01-01", "9999-12-31"),
    *("2025-04-31", "2025-01-00", "2025-13-01", "2025-00-01", "2025-7-31", "20250731", "2025-07-31 ", "2025-07-31\n"),
    *(
        "2025-07-31T20:05:00Z",
        "2025-07-31t20:05z",
        "2025-07-31 20:05",
        "2025-07-31T20:05:00.123456789",
        "2025-07-31T20",
    ),
    *(
        "2025-07-31T20:05:00,5Z",
        "2025-07-31T20:05:00.Z",
        "2025-07-31T24:00:00Z",
        "2025-07-31T20:60Z",
        "2025-07-31T20:05:60Z",
    ),
    *(
        f"2025-07-31T20:05{offset}"
        for offset in ("+0000", "-23:59", "+23:60", "+22:60", "+24:00", "-3000", "+1", "+01:0")
    ),
    *("0000-07-31T20:05Z", "2023-02-29T20:05Z", "2024-02-29T23:59:59-12:00", "2025-07-31T20:05:00Z\n"),
)


@pytest.mark.parametrize("rule", VALIDATORS)
def test_a_definition_refuses_the_near_misses_of_its_validator(rule: Validator) -> None:
    accepts = DEFINITION_ACCEPTS[VALIDATORS[rule]]
    assert [text for text in NEAR_MISSES if accepts(text)] == [
        text for text in NEAR_MISSES if validator_accepts(rule, text)
    ]


@pytest.mark.parametrize("instant", ["0001-01-01T00:30:00+01:00", "9999-12-31T23:30:00-01:00"])
def test_an_offset_that_leaves_the_calendar_is_what_no_pattern_refuses(instant: str) -> None:
    assert DEFINITION_ACCEPTS["instant"](instant)
    assert not validator_accepts(validation.parse_timestamp, instant)


SAMPLE = {"asset_symbol": "BRK.B", "earnings_date": "2026-11-02"}


@few
@given(valid_events | damaged_events)
@example(
    eventbridge_event({"assetSymbol": "brk b ", "earnings_date": "2026-11-02", "event_id": None, "earningsId": ""})
)
@example(eventbridge_event(SAMPLE | {"assetSymbol": "BRK B"}))
@example(eventbridge_event(SAMPLE | {"event_id": " "}))
@example(eventbridge_event(SAMPLE | {"eventId": 17}))
@example(eventbridge_event(SAMPLE | {"processedAt": "2026-02-29T20:05:00Z"}))
@example(eventbridge_event(SAMPLE | {"traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}))
@example(eventbridge_event(SAMPLE, id=None))
@example(eventbridge_event(SAMPLE, source="signal9.advisors"))
@example(eventbridge_event(json.dumps(SAMPLE)))
@example([])
def test_the_schema_accepts_what_the_function_accepts(event: Any) -> None:
    accepted = function_accepts(event)
    assert SCHEMA_ACCEPTS(event) == (accepted and not is_refused_by_the_schema_alone(event["detail"]))


def test_the_schema_refuses_an_event_without_a_required_member() -> None:
    event = eventbridge_event(SAMPLE)
    assert SCHEMA_ACCEPTS(event)
    for name in ("id", "source", "detail-type", "detail"):
        assert not SCHEMA_ACCEPTS({member: value for member, value in event.items() if member != name})
