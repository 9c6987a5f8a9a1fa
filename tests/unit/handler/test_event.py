"""From JSON to a valid event, or to every rule that it breaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ProcessingError
from handler.event import ValidEvent, parse_event
from handler.validation import Violation
from tests.support.events import SOURCE, eventbridge_event
from tests.support.strategies import (
    SENTINEL,
    SYMBOL_RULE,
    any_text,
    camel_case,
    days,
    fuzzed_events,
    identifiers,
    json_values,
    nested,
    symbols,
    valid_events,
)

MINIMUM = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
OPTIONAL = ("event_id", "earnings_id", "processed_at", "correlation_id", "traceparent")
JUDGED = {
    "asset_symbol": SYMBOL_RULE,
    "earnings_date": "a calendar day, YYYY-MM-DD",
    "event_id": "1 to 128 characters of A-Z a-z 0-9 . _ : -",
    "processed_at": "a date-time such as 2025-07-31T20:05:00Z",
}


def parsed(event: object) -> ValidEvent:
    return parse_event(event, source=SOURCE)


def violations(event: object) -> list[Violation]:
    with pytest.raises(ProcessingError) as caught:
        parsed(event)
    return list(caught.value.violations)


def broken_fields(event: object) -> list[str]:
    return [violation.field for violation in violations(event)]


class TestValid:
    """What is accepted."""

    def test_the_least_that_is_needed(self) -> None:
        event = eventbridge_event(MINIMUM, id="envelope-1")
        assert parsed(event) == ValidEvent({"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}, "envelope-1", None)

    def test_everything(self) -> None:
        detail = {
            "asset_symbol": " bf-b ",
            "earnings_date": "2024-02-29",
            "event_id": "event-1",
            "earnings_id": "earnings-1",
            "processed_at": "2024-02-29T23:30:00+02:00",
            "correlation_id": "correlation-1",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }
        key = {"asset_symbol": "BF-B", "earnings_date": "2024-02-29"}
        expected = ValidEvent(key, "event-1", "2024-02-29T21:30:00.000000Z", "envelope-1")
        assert parsed(eventbridge_event(detail, id="envelope-1")) == expected
        camel = {camel_case(name): value for name, value in detail.items()}
        assert parsed(eventbridge_event(camel, id="envelope-1")) == expected

    def test_the_envelope_s_id_is_repeated_only_where_it_is_another(self) -> None:
        event = eventbridge_event(MINIMUM | {"event_id": "same"}, id="same")
        assert (parsed(event).event_id, parsed(event).envelope_id) == ("same", None)

    @given(valid_events)
    def test_whatever_is_valid_is_accepted(self, event: dict[str, Any]) -> None:
        found = parsed(event)
        detail = {name.lower().replace("_", ""): value for name, value in event["detail"].items()}
        assert found.key["asset_symbol"] == detail["assetsymbol"].upper()
        assert found.key["earnings_date"] == detail["earningsdate"]
        assert found.event_id == (detail.get("eventid") or event["id"])
        assert (found.processed_at is None) == (not detail.get("processedat"))

    @given(st.dictionaries(any_text.filter(lambda name: name not in MINIMUM), json_values, max_size=4))
    def test_unknown_members_of_the_envelope_are_ignored(self, unknown: dict[str, Any]) -> None:
        event = unknown | eventbridge_event(MINIMUM, id="envelope-1")
        assert parsed(event) == ValidEvent({"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}, "envelope-1", None)

    def test_a_replay_is_an_event_like_any_other(self) -> None:
        assert parsed(eventbridge_event(MINIMUM, replay_name="march")) == parsed(eventbridge_event(MINIMUM))

    @pytest.mark.parametrize("name", OPTIONAL)
    @pytest.mark.parametrize("spelled", [str, camel_case])
    @pytest.mark.parametrize("value", [None, ""])
    def test_null_and_an_empty_text_are_as_good_as_absent_where_a_field_is_optional(
        self, name: str, spelled: Callable[[str], str], value: str | None
    ) -> None:
        assert parsed(eventbridge_event(MINIMUM | {spelled(name): value})) == parsed(eventbridge_event(MINIMUM))

    @pytest.mark.parametrize("blank", [" ", "\t", "\n", "\u00a0"])
    def test_a_text_of_blanks_is_a_value_and_breaks_the_rule(self, blank: str) -> None:
        event = eventbridge_event(MINIMUM | {"event_id": blank, "processedAt": blank})
        assert violations(event) == [
            Violation("detail.event_id", JUDGED["event_id"], "string of 1 characters"),
            Violation("detail.processed_at", JUDGED["processed_at"], "string of 1 characters"),
        ]

    @given(json_values)
    def test_what_is_replaced_or_ignored_is_not_judged(self, value: Any) -> None:
        event = eventbridge_event(MINIMUM | {"correlation_id": value, "traceparent": value, "earnings_id": value})
        assert parsed(event) == parsed(eventbridge_event(MINIMUM))

    def test_the_source_is_configurable(self) -> None:
        event = eventbridge_event(MINIMUM, source="other.producer")
        assert parse_event(event, source="other.producer").key["asset_symbol"] == "AAPL"
        assert broken_fields(event) == ["source"]


class TestSpellings:
    """snake_case and camelCase."""

    @pytest.mark.parametrize("name", [*JUDGED, "correlation_id"])
    def test_both_with_one_value(self, name: str) -> None:
        value = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "processed_at": "2025-07-31T20:05:00Z"}
        both = {name: value.get(name, "id-1"), camel_case(name): value.get(name, "id-1")}
        assert parsed(eventbridge_event(MINIMUM | both)).key["asset_symbol"] == "AAPL"

    @pytest.mark.parametrize("name", [*JUDGED, "correlation_id", "earnings_id"])
    @pytest.mark.parametrize("camel", ["id-2", " ", True, 1, 0, False, [], {}])
    def test_both_with_different_values(self, name: str, camel: object) -> None:
        snake = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "processed_at": "2025-07-31T20:05:00Z"}
        both = {name: snake.get(name, "id-1"), camel_case(name): camel}
        (violation,) = violations(eventbridge_event(MINIMUM | both))
        assert violation.field == f"detail.{name}"
        assert violation.rule == f"the same value as detail.{camel_case(name)}"

    def test_one_and_true_are_not_one_value(self) -> None:
        assert broken_fields(eventbridge_event(MINIMUM | {"correlation_id": 1, "correlationId": True})) == [
            "detail.correlation_id"
        ]

    @pytest.mark.parametrize("value", [None, ""])
    @pytest.mark.parametrize("name", ["asset_symbol", "earnings_date"])
    def test_absent_beside_a_value_is_different_where_a_field_is_required(self, name: str, value: str | None) -> None:
        assert f"detail.{name}" in broken_fields(eventbridge_event(MINIMUM | {camel_case(name): value}))
        snake = {name: value, camel_case(name): MINIMUM[name]}
        assert f"detail.{name}" in broken_fields(eventbridge_event(MINIMUM | snake))

    @pytest.mark.parametrize("absent", [None, ""])
    @pytest.mark.parametrize("other", [None, ""])
    def test_absent_beside_a_value_is_the_value_where_a_field_is_optional(
        self, absent: str | None, other: str | None
    ) -> None:
        sound = {
            "event_id": "event-1",
            "processed_at": "2025-07-31T20:05:00Z",
            "earnings_id": "x",
            "correlation_id": "c",
        }
        expected = parsed(eventbridge_event(MINIMUM | sound))
        assert (expected.event_id, expected.processed_at) == ("event-1", "2025-07-31T20:05:00.000000Z")
        camel = {camel_case(name): value for name, value in sound.items()}
        assert parsed(eventbridge_event(MINIMUM | sound | dict.fromkeys(camel, absent))) == expected
        assert parsed(eventbridge_event(MINIMUM | camel | dict.fromkeys(sound, absent))) == expected
        neither = dict.fromkeys(sound, absent) | dict.fromkeys(camel, other)
        assert parsed(eventbridge_event(MINIMUM | neither)) == parsed(eventbridge_event(MINIMUM))

    @given(symbols, days, identifiers)
    def test_mixed(self, symbol: str, day: str, event_id: str) -> None:
        mixed = {"assetSymbol": symbol, "earnings_date": day, "eventId": event_id}
        assert parsed(eventbridge_event(mixed, id="envelope-1")) == ValidEvent(
            {"asset_symbol": symbol.upper(), "earnings_date": day},
            event_id,
            None,
            None if event_id == "envelope-1" else "envelope-1",
        )

    @pytest.mark.parametrize("depth", [100, 9_000])
    def test_both_nested_deeply(self, depth: int) -> None:
        deep = {"asset_symbol": nested(depth, lists=True), "assetSymbol": nested(depth, lists=False)}
        assert broken_fields(eventbridge_event(MINIMUM | deep)) == ["detail.asset_symbol", "detail.asset_symbol"]


class TestInvalid:
    """Invalid events and their violations."""

    @pytest.mark.parametrize(
        ("event", "received"),
        [
            (None, "null"),
            (True, "boolean"),
            (17, "number"),
            ("{}", "string of 2 characters"),
            ([{}], "array of 1 items"),
        ],
    )
    def test_what_is_no_object(self, event: object, received: str) -> None:
        assert violations(event) == [Violation("event", "an EventBridge event (a JSON object)", received)]

    def test_an_empty_object_breaks_every_rule_of_the_envelope(self) -> None:
        assert violations({}) == [
            Violation("source", 'exactly "signal9.advisor"', "nothing"),
            Violation("detail-type", 'exactly "earningsProcessed"', "nothing"),
            Violation("id", JUDGED["event_id"], "nothing"),
            Violation("detail", "a JSON object", "nothing"),
        ]

    @pytest.mark.parametrize("detail", [[], "", "{}", 0, False])
    def test_a_detail_that_is_no_object(self, detail: object) -> None:
        assert broken_fields(eventbridge_event(detail)) == ["detail"]

    def test_a_null_detail(self) -> None:
        assert violations(eventbridge_event() | {"detail": None}) == [Violation("detail", "a JSON object", "null")]

    def test_an_empty_detail_lacks_what_is_required(self) -> None:
        assert violations(eventbridge_event({})) == [
            Violation("detail.asset_symbol", JUDGED["asset_symbol"], "nothing"),
            Violation("detail.earnings_date", JUDGED["earnings_date"], "nothing"),
        ]

    @pytest.mark.parametrize("name", ["asset_symbol", "earnings_date"])
    def test_null_is_not_enough_where_a_field_is_required(self, name: str) -> None:
        assert violations(eventbridge_event(MINIMUM | {name: None})) == [
            Violation(f"detail.{name}", JUDGED[name], "null")
        ]

    @given(st.sets(st.sampled_from([*JUDGED]), min_size=1), json_values)
    def test_every_violation_is_reported_and_no_other(self, names: set[str], noise: Any) -> None:
        detail = MINIMUM | {"unknown": noise} | dict.fromkeys(names, SENTINEL)
        expected = [
            Violation(f"detail.{name}", rule, f"string of {len(SENTINEL)} characters")
            for name, rule in JUDGED.items()
            if name in names
        ]
        assert violations(eventbridge_event(detail)) == expected

    def test_the_wrong_detail_type(self) -> None:
        assert violations(eventbridge_event(MINIMUM, detail_type="earningsUpdated")) == [
            Violation("detail-type", 'exactly "earningsProcessed"', "string of 15 characters")
        ]

    @pytest.mark.parametrize("envelope_id", [None, "", "a b", "x" * 129, 5])
    def test_a_wrong_envelope_id(self, envelope_id: object) -> None:
        assert broken_fields(eventbridge_event(MINIMUM, id=envelope_id)) == ["id"]

    def test_the_message_names_each_field_its_rule_and_what_came(self) -> None:
        with pytest.raises(ProcessingError) as caught:
            parsed(eventbridge_event({"asset_symbol": "A#B", "earnings_date": 20250731}))
        assert caught.value.message == (
            f"detail.asset_symbol: {JUDGED['asset_symbol']} (received: string of 3 characters); "
            "detail.earnings_date: a calendar day, YYYY-MM-DD (received: number)"
        )

    @given(
        st.lists(
            st.sampled_from([*JUDGED, *map(camel_case, JUDGED), "correlationId", "correlation_id", SENTINEL]),
            min_size=1,
        ),
        st.sampled_from([SENTINEL, [SENTINEL], {SENTINEL: SENTINEL}]),
    )
    def test_no_violation_repeats_a_value(self, names: list[str], secret: Any) -> None:
        event = eventbridge_event(dict.fromkeys(names, secret), source=SENTINEL, id=SENTINEL, detail_type=SENTINEL)
        with pytest.raises(ProcessingError) as caught:
            parsed(event)
        reported = json.dumps([violation.as_json() for violation in caught.value.violations])
        for text in (str(caught.value), repr(caught.value), caught.value.message, reported):
            assert "s3ntinel" not in text


@given(fuzzed_events)
def test_whatever_arrives_is_an_event_or_invalid(event: object) -> None:
    try:
        assert isinstance(parsed(event), ValidEvent)
    except ProcessingError as invalid:
        assert invalid.violations  # noqa: PT017 - either way is right


@pytest.mark.parametrize("lists", [True, False])
def test_as_deep_as_a_reader_goes(lists: bool) -> None:
    assert broken_fields(nested(9_000, lists=lists))
    assert broken_fields(eventbridge_event(MINIMUM | {"asset_symbol": nested(9_000, lists=lists)}))
