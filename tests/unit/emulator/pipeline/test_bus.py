"""The bus: what its rule lets through, what its archive keeps, and what a replay brings back.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.environment import trace_root
from emulator.errors import InputError
from emulator.pipeline.api import emulated_matcher
from emulator.pipeline.bus import Archive, Entry, EventPattern, PatternMatcher
from emulator.pipeline.model import Disposition
from emulator.pipeline.pipeline import FailureDestinations, InputEvent
from tests.support.events import event
from tests.support.pipeline_helpers import PAYLOAD, MemoryDestination, simulation

PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}
NOON = datetime.fromisoformat("2025-08-28T12:00:00+00:00").timestamp()


@pytest.fixture(scope="module")
def pattern_test() -> Iterator[PatternMatcher]:
    with emulated_matcher() as test:
        yield test


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close()


def at(time: str, number: int, **more: Any) -> bytes:
    return json.dumps(event("AAPL", "2025-07-31", number, time=time, **more)).encode()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("payload", "matches"),
    [
        (PAYLOAD, True),
        (json.dumps(event("AAPL", "2025-07-31", 1, source="somebody.else")).encode(), False),
        (json.dumps(event("AAPL", "2025-07-31", 1, **{"detail-type": "somethingElse"})).encode(), False),
        (json.dumps(event("AAPL", "2025-07-31", 1, detail={})).encode(), True),
        (b'{"detail": {}}', False),
        (b"[]", False),
    ],
)
def test_the_rule_lets_through_what_its_pattern_matches(
    pattern_test: PatternMatcher, payload: bytes, matches: bool
) -> None:
    done = simulation(pattern=EventPattern(PATTERN, pattern_test)).deliver(payload)

    assert done.delivery_result.disposition is (Disposition.MARKED if matches else Disposition.FILTERED)
    assert done.metrics().get("RuleMatchedEvents", 0) == matches


@pytest.mark.integration
def test_patterns_that_look_deeper_are_the_emulator_s_business(pattern_test: PatternMatcher) -> None:
    pattern = EventPattern(
        {"$or": [{"detail": {"asset_symbol": [{"prefix": "A"}]}}, {"region": [{"anything-but": ["us-east-1"]}]}]},
        pattern_test,
    )

    assert pattern.matches(event("AAPL", "2025-07-31", 1))
    assert not pattern.matches(event("MSFT", "2025-07-31", 1))
    assert pattern.matches(event("MSFT", "2025-07-31", 1, region="eu-west-1"))


@pytest.mark.integration
def test_what_is_no_pattern_is_told_at_once(pattern_test: PatternMatcher) -> None:
    with pytest.raises(InputError, match="invalid event pattern"):
        EventPattern({"source": "signal9.advisor"}, pattern_test)


def test_the_emulator_is_asked_once_for_all_events_that_the_pattern_cannot_tell_apart() -> None:
    asked: list[dict[str, Any]] = []

    def test(_: str, text: str) -> bool:
        asked.append(json.loads(text))
        return bool(asked[-1]["source"] == "signal9.advisor")

    pattern = EventPattern(PATTERN, test)
    asked.clear()

    found = [pattern.matches(event(f"S{n}", "2025-07-31", n, source="signal9.advisor")) for n in range(100)]

    assert found == [True] * 100
    assert len(asked) == 1
    assert asked[0]["detail"] == {}, "what the pattern does not look at is not passed on"
    assert not pattern.matches(event("S1", "2025-07-31", 1, source="somebody.else"))
    assert len(asked) == 2


@settings(deadline=None, max_examples=50)
@given(
    events=st.lists(
        st.fixed_dictionaries(
            {
                "source": st.sampled_from("ab"),
                "detail-type": st.sampled_from("ab"),
                "detail": st.dictionaries(
                    st.sampled_from("xy"), st.sampled_from([0, False, None, "0", 0.5]), max_size=2
                ),
            }
        )
    ),
    names=st.sets(st.sampled_from(["source", "detail-type", "detail", "region"])),
)
def test_a_remembered_answer_is_the_one_that_would_have_been_given(
    events: list[dict[str, Any]], names: set[str]
) -> None:
    def test(pattern: str, text: str) -> bool:
        seen = json.loads(text)
        return hash(json.dumps([seen.get(name) for name in json.loads(pattern)])) % 2 == 0

    pattern = {name: ["a"] for name in sorted(names)}
    one = EventPattern(pattern, test)

    for each in events:
        assert one.matches(each) == EventPattern(pattern, test).matches(each)


def test_a_replay_brings_back_a_window_in_the_order_of_time(archive: Archive) -> None:
    destinations = FailureDestinations(on_failure=MemoryDestination())
    done = simulation(archive=archive, destinations=destinations)
    for number, time in enumerate(("12:00:30", "11:59:59", "12:00:10", "12:01:00", "12:00:10")):
        done.pipeline.put_event(at(f"2025-08-28T{time}Z", number))
    done.run()
    assert len(archive) == 5
    first = done.function.asked[:]
    done.function.asked.clear()

    done.run(done.pipeline.replay("again", NOON, NOON + 60))

    replayed = [json.loads(asked.payload) for asked in done.function.asked]
    assert [int(each["id"][-4:]) for each in replayed] == [2, 4, 0]
    assert {each["replay-name"] for each in replayed} == {"again"}
    assert len(archive) == 5, "what is replayed is not archived again"
    roots = {trace_root(asked.trace_header) for asked in (*first, *done.function.asked)}
    assert len(roots) == 8, "a replay carries no trace header: each is a trace of its own"


@pytest.mark.integration
def test_a_replay_can_be_narrowed_by_a_pattern(archive: Archive, pattern_test: PatternMatcher) -> None:
    done = simulation(archive=archive)
    done.pipeline.put_event(at("2025-08-28T12:00:00Z", 1))
    done.pipeline.put_event(at("2025-08-28T12:00:00Z", 2, source="somebody.else"))
    done.run()

    found = list(done.pipeline.replay("again", NOON, NOON + 1, EventPattern(PATTERN, pattern_test)))

    assert [json.loads(each.payload)["source"] for each in found] == ["signal9.advisor"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "value",
    ['"\\ud83d"', "1e999", "7" * 40, "7" * 5_000, "[" * 1_500 + "]" * 1_500],
    ids=["half a character", "beyond a double", "beyond 64 bits", "very long", "deep"],
)
def test_what_one_parser_refuses_is_archived_matched_and_replayed_all_the_same(
    value: str, archive: Archive, pattern_test: PatternMatcher, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.set_int_max_str_digits, sys.get_int_max_str_digits()))
    sys.set_int_max_str_digits(0)  # as in `mep`
    payload = at("2025-08-28T12:00:00Z", 1).replace(b'"AAPL"', f'"AAPL", "extra": {value}'.encode())
    pattern = EventPattern({**PATTERN, "detail": {"asset_symbol": ["AAPL"]}}, pattern_test)
    done = simulation(archive=archive, pattern=pattern)

    done.deliver(payload)
    assert done.delivery_result.disposition is not Disposition.FILTERED
    (again,) = done.pipeline.replay("again", NOON, NOON + 1)

    assert len(archive) == 1
    assert again.payload.endswith(payload.lstrip()[1:])


def test_without_an_archive_there_is_no_replay() -> None:
    with pytest.raises(ValueError, match="no archive"):
        list(simulation().pipeline.replay("again", 0, 1))


@settings(deadline=None, max_examples=50)
@given(times=st.lists(st.integers(0, 30), max_size=40), window=st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_the_archive_keeps_everything_in_the_order_of_time(times: list[int], window: tuple[int, int]) -> None:
    archive = Archive()
    for number, time in enumerate(times):
        archive.add(time, str(number).encode())

    found = [int(payload) for payload in archive.between(*window)]

    inside = [(time, number) for number, time in enumerate(times) if window[0] <= time < window[1]]
    assert found == [number for _, number in sorted(inside)]
    archive.close()


def test_a_window_that_is_longer_than_one_reading(archive: Archive) -> None:
    for number in range(1201):
        archive.add(number // 600, str(number).encode())

    assert [int(payload) for payload in archive.between(0, 2)] == list(range(1200))


def test_an_archive_may_outlive_the_process(tmp_path: Path) -> None:
    first = Archive(tmp_path / "archive")
    first.add(1, b"{}")
    first.close()

    second = Archive(tmp_path / "archive")

    assert list(second.between(0, 2)) == [b"{}"]
    second.close()


def test_publishing_an_event_again_gives_it_another_envelope() -> None:
    done = simulation()
    old = event("AAPL", "2025-07-31", 1, resources=["arn:aws:s3:::b"])

    event_id = done.pipeline.put_entry(Entry.of(old))
    done.run()

    new = json.loads(done.function.asked[0].payload)
    assert new["id"] == event_id != old["id"]
    assert {name: new[name] for name in old if name != "id"} == {name: old[name] for name in old if name != "id"}


@pytest.mark.parametrize("envelope", [{}, {"source": "s", "detail-type": "t", "detail": []}, {"source": 1}])
def test_what_no_bus_would_take_cannot_be_published(envelope: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="can be put onto a bus"):
        Entry.of(envelope)


def test_aws_s_own_sources_are_reserved() -> None:
    with pytest.raises(ValueError, match="reserved"):
        Entry.of(event("AAPL", "2025-07-31", 1, source="aws.s3"))


def test_events_come_at_their_time_or_when_there_is_room() -> None:
    done = simulation(duration_s=10)
    begun = done.timeline.now()

    done.run(InputEvent(PAYLOAD, at=begun + 100 * number) for number in range(5))

    assert [asked.at - begun for asked in done.function.asked] == [0, 100, 200, 300, 400]
