"""Which ID an event is followed by."""

import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.event import CorrelationId, resolve_correlation_id
from tests.support.events import eventbridge_event
from tests.support.strategies import SENTINEL, any_text, camel_case, fuzzed_events, identifiers, json_values

ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
IN_ORDER = ("correlation_id", "event_id")


def is_fresh(correlation: CorrelationId) -> bool:
    return correlation.replaced and UUID(correlation.id).version == 4


def test_detail_correlation_id_comes_first() -> None:
    event = eventbridge_event({"correlation_id": "c-1", "event_id": "e-1"}, id="envelope-1")
    assert resolve_correlation_id(event) == CorrelationId("c-1", replaced=False)


def test_then_detail_event_id() -> None:
    assert resolve_correlation_id(eventbridge_event({"event_id": "e-1"}, id="i-1")) == CorrelationId(
        "e-1", replaced=False
    )


def test_then_the_envelopes_id() -> None:
    assert resolve_correlation_id(eventbridge_event({}, id="i-1")) == CorrelationId("i-1", replaced=False)


@pytest.mark.parametrize("name", IN_ORDER)
def test_either_spelling(name: str) -> None:
    assert resolve_correlation_id(eventbridge_event({camel_case(name): "x-1"})) == CorrelationId("x-1", replaced=False)


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_an_empty_text_are_as_good_as_absent(absent: str | None) -> None:
    neither = {"correlation_id": absent, "correlationId": absent, "event_id": absent, "eventId": absent}
    assert resolve_correlation_id(eventbridge_event(neither, id="i-1")) == CorrelationId("i-1", replaced=False)
    for name in neither:
        event = eventbridge_event(neither | {name: "x-1"}, id="i-1")
        assert resolve_correlation_id(event) == CorrelationId("x-1", replaced=False)
    assert resolve_correlation_id(eventbridge_event(neither, id=absent), "r-1") == CorrelationId("r-1", replaced=True)


@pytest.mark.parametrize("detail", [None, [], "text", 5])
def test_the_envelopes_id_also_beside_a_hopeless_detail(detail: object) -> None:
    assert resolve_correlation_id({"id": "i-1", "detail": detail}) == CorrelationId("i-1", replaced=False)


def test_lambdas_request_id_is_the_replacement_since_it_stays_when_lambda_delivers_again() -> None:
    expected = CorrelationId("c4b2e7d0-1", replaced=True)
    assert resolve_correlation_id(eventbridge_event({"correlation_id": SENTINEL}), "c4b2e7d0-1") == expected
    assert resolve_correlation_id({}, "c4b2e7d0-1") == expected
    assert resolve_correlation_id({"id": "i-1"}, "c4b2e7d0-1") == CorrelationId("i-1", replaced=False)


@pytest.mark.parametrize("request_id", ["", "no id", "x" * 129])
def test_unless_that_is_no_id_either(request_id: str) -> None:
    assert is_fresh(resolve_correlation_id({}, request_id))


@pytest.mark.parametrize("event", [None, [], "text", 5, {}, {"detail": {}}, {"id": None}])
def test_a_fresh_one_where_none_came(event: object) -> None:
    assert is_fresh(resolve_correlation_id(event))


@pytest.mark.parametrize("bad", [" ", "a b", "a\n", "x" * 129, "é", "\x1b[31m", 5, True, ["c-1"], {"id": "c-1"}])
@pytest.mark.parametrize("name", IN_ORDER)
def test_a_bad_one_is_replaced_by_a_fresh_one(name: str, bad: object) -> None:
    assert is_fresh(resolve_correlation_id(eventbridge_event({name: bad}, id="i-1")))


def test_a_bad_id_of_the_envelope_is_replaced_too() -> None:
    assert is_fresh(resolve_correlation_id(eventbridge_event({}, id=SENTINEL)))


def test_fresh_ones_differ() -> None:
    assert resolve_correlation_id({}).id != resolve_correlation_id({}).id


@given(identifiers)
def test_every_valid_id_is_kept(text: str) -> None:
    assert resolve_correlation_id(eventbridge_event({"correlation_id": text})) == CorrelationId(text, replaced=False)


@given(
    fuzzed_events
    | st.builds(eventbridge_event, st.dictionaries(st.sampled_from(IN_ORDER), any_text | identifiers | json_values))
)
def test_whatever_arrives_gets_a_valid_id(event: Any) -> None:
    found = resolve_correlation_id(event)
    assert ID.match(found.id)
    if not found.replaced:
        detail = event["detail"] if isinstance(event.get("detail"), dict) else {}
        assert found.id in [*detail.values(), event.get("id")]
