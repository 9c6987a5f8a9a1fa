"""The bus: the events that its rule matches, those that its archive stores, and those that a replay returns.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.environment import trace_root
from emulator.pipeline.bus import Archive, Entry, EventPattern
from emulator.pipeline.pipeline import FailureDestinations, InputEvent
from tests.support.events import event
from tests.support.pipeline_helpers import PAYLOAD, MemoryDestination, simulation

PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}
NOON = datetime.fromisoformat("2025-08-28T12:00:00+00:00").timestamp()


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close()


def at(time: str, number: int, **more: Any) -> bytes:
    return json.dumps(event("AAPL", "2025-07-31", number, time=time, **more)).encode()


def test_matcher_is_called_once_per_distinct_fields() -> None:
    requests: list[dict[str, Any]] = []

    def test(_: str, text: str) -> bool:
        requests.append(json.loads(text))
        return bool(requests[-1]["source"] == "signal9.advisor")

    pattern = EventPattern(PATTERN, test)
    requests.clear()

    results = [pattern.matches(event(f"S{n}", "2025-07-31", n, source="signal9.advisor")) for n in range(100)]

    assert results == [True] * 100
    assert len(requests) == 1
    assert requests[0]["detail"] == {}, "fields outside the pattern are not passed on"
    assert not pattern.matches(event("S1", "2025-07-31", 1, source="somebody.else"))
    assert len(requests) == 2


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
def test_cached_result_is_the_matcher_s(events: list[dict[str, Any]], names: set[str]) -> None:
    def test(pattern: str, text: str) -> bool:
        candidate = json.loads(text)
        return hash(json.dumps([candidate.get(name) for name in json.loads(pattern)])) % 2 == 0

    pattern = {name: ["a"] for name in sorted(names)}
    cached = EventPattern(pattern, test)

    for candidate in events:
        assert cached.matches(candidate) == EventPattern(pattern, test).matches(candidate)


def test_replay_returns_a_window_in_the_order_of_time(archive: Archive) -> None:
    destinations = FailureDestinations(on_failure=MemoryDestination())
    done = simulation(archive=archive, destinations=destinations)
    for number, time in enumerate(("12:00:30", "11:59:59", "12:00:10", "12:01:00", "12:00:10")):
        done.pipeline.put_event(at(f"2025-08-28T{time}Z", number))
    done.run()
    assert len(archive) == 5
    first = done.function.invocations[:]
    done.function.invocations.clear()

    done.run(done.pipeline.replay("again", NOON, NOON + 60))

    replayed = [json.loads(invocation.payload) for invocation in done.function.invocations]
    assert [int(envelope["id"][-4:]) for envelope in replayed] == [2, 4, 0]
    assert {envelope["replay-name"] for envelope in replayed} == {"again"}
    assert len(archive) == 5, "replayed events are not archived again"
    roots = {trace_root(invocation.trace_header) for invocation in (*first, *done.function.invocations)}
    assert len(roots) == 8, "a replay has no trace header: each event starts a trace"


def test_replay_needs_an_archive() -> None:
    with pytest.raises(ValueError, match="no archive"):
        list(simulation().pipeline.replay("again", 0, 1))


@given(times=st.lists(st.integers(0, 30), max_size=40), window=st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_archive_orders_events_by_time(times: list[int], window: tuple[int, int]) -> None:
    archive = Archive()
    for number, time in enumerate(times):
        archive.add(time, str(number).encode())

    numbers = [int(payload) for payload in archive.between(*window)]

    inside = [(time, number) for number, time in enumerate(times) if window[0] <= time < window[1]]
    assert numbers == [number for _, number in sorted(inside)]
    archive.close()


def test_window_longer_than_one_batch(archive: Archive) -> None:
    for number in range(1201):
        archive.add(number // 600, str(number).encode())

    assert [int(payload) for payload in archive.between(0, 2)] == list(range(1200))


def test_archive_file_can_be_reopened(tmp_path: Path) -> None:
    first = Archive(tmp_path / "archive")
    first.add(1, b"{}")
    first.close()

    second = Archive(tmp_path / "archive")

    assert list(second.between(0, 2)) == [b"{}"]
    second.close()


def test_publishing_an_event_again_gives_it_another_id() -> None:
    done = simulation()
    old = event("AAPL", "2025-07-31", 1, resources=["arn:aws:s3:::b"])

    event_id = done.pipeline.put_entry(Entry.of(old))
    done.run()

    new = json.loads(done.function.invocations[0].payload)
    assert new["id"] == event_id != old["id"]
    assert {name: new[name] for name in old if name != "id"} == {name: old[name] for name in old if name != "id"}


@pytest.mark.parametrize("envelope", [{}, {"source": "s", "detail-type": "t", "detail": []}, {"source": 1}])
def test_invalid_envelope_cannot_be_published(envelope: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="can be put onto a bus"):
        Entry.of(envelope)


def test_aws_sources_are_reserved() -> None:
    with pytest.raises(ValueError, match="reserved"):
        Entry.of(event("AAPL", "2025-07-31", 1, source="aws.s3"))


def test_events_enter_at_their_time() -> None:
    done = simulation(duration_s=10)
    begun = done.scheduler.now()

    done.run(InputEvent(PAYLOAD, at=begun + 100 * number) for number in range(5))

    assert [invocation.at - begun for invocation in done.function.invocations] == [0, 100, 200, 300, 400]
