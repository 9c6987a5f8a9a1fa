"""Event patterns, matched by MiniStack's TestEventPattern.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

import json
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from emulator.errors import InputError
from emulator.pipeline.api import emulated_matcher
from emulator.pipeline.bus import Archive, EventPattern, PatternMatcher
from emulator.pipeline.model import Disposition
from tests.support.events import event
from tests.support.pipeline_helpers import PAYLOAD, simulation
from tests.unit.emulator.pipeline.test_bus import NOON, PATTERN, archive, at

__all__ = ["archive"]


@pytest.fixture(scope="module")
def matcher() -> Iterator[PatternMatcher]:
    with emulated_matcher() as matcher:
        yield matcher


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
def test_rule_filters_by_its_pattern(matcher: PatternMatcher, payload: bytes, matches: bool) -> None:
    done = simulation(pattern=EventPattern(PATTERN, matcher)).deliver(payload)

    assert done.result.disposition is (Disposition.MARKED if matches else Disposition.FILTERED)
    assert done.metrics().get("RuleMatchedEvents", 0) == matches


def test_nested_patterns_are_matched(matcher: PatternMatcher) -> None:
    pattern = EventPattern(
        {"$or": [{"detail": {"asset_symbol": [{"prefix": "A"}]}}, {"region": [{"anything-but": ["us-east-1"]}]}]},
        matcher,
    )

    assert pattern.matches(event("AAPL", "2025-07-31", 1))
    assert not pattern.matches(event("MSFT", "2025-07-31", 1))
    assert pattern.matches(event("MSFT", "2025-07-31", 1, region="eu-west-1"))


def test_invalid_pattern_is_rejected_at_once(matcher: PatternMatcher) -> None:
    with pytest.raises(InputError, match="invalid event pattern"):
        EventPattern({"source": "signal9.advisor"}, matcher)


def test_replay_selects_by_a_pattern(archive: Archive, matcher: PatternMatcher) -> None:
    done = simulation(archive=archive)
    done.pipeline.put_event(at("2025-08-28T12:00:00Z", 1))
    done.pipeline.put_event(at("2025-08-28T12:00:00Z", 2, source="somebody.else"))
    done.run()

    replayed = list(done.pipeline.replay("again", NOON, NOON + 1, EventPattern(PATTERN, matcher)))

    assert [json.loads(replay.payload)["source"] for replay in replayed] == ["signal9.advisor"]


@pytest.mark.parametrize(
    "value",
    ['"\\ud83d"', "1e999", "7" * 40, "7" * 5_000, "[" * 1_500 + "]" * 1_500],
    ids=["half a character", "beyond a double", "beyond 64 bits", "very long", "deep"],
)
def test_unusual_json_is_archived_matched_and_replayed(
    value: str, archive: Archive, matcher: PatternMatcher, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.set_int_max_str_digits, sys.get_int_max_str_digits()))
    sys.set_int_max_str_digits(0)  # as in `mep`
    payload = at("2025-08-28T12:00:00Z", 1).replace(b'"AAPL"', f'"AAPL", "extra": {value}'.encode())
    pattern = EventPattern({**PATTERN, "detail": {"asset_symbol": ["AAPL"]}}, matcher)
    done = simulation(archive=archive, pattern=pattern)

    done.deliver(payload)
    assert done.result.disposition is not Disposition.FILTERED
    (replayed,) = done.pipeline.replay("again", NOON, NOON + 1)

    assert len(archive) == 1
    assert replayed.payload.endswith(payload.lstrip()[1:])
