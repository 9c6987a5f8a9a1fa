"""What the log of the bus says of an event that the function has not reported: the records are the emulator's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from emulator.pipeline.bus import EventPattern
from emulator.pipeline.model import TargetRetryPolicy
from emulator.pipeline.pipeline import FailureDestinations
from emulator.pipeline.rule_target import InvokeError
from mep.trace.bus import bus_entry, envelope_ids, judge_on_bus
from mep.trace.entries import Entry, SearchResult
from mep.trace.formatting import displayed_attributes
from mep.trace.timeline import make_timeline
from tests.support.pipeline_helpers import MemoryDestination, simulation

type Records = list[Mapping[str, Any]]


def records(code: str = "", times: int = 0, *, queue: MemoryDestination | None = None, matches: bool = True) -> Records:
    """Return the records of one event; Lambda rejects its first deliveries with a code."""
    found: Records = []
    refusals = iter([InvokeError(code, "Rate exceeded")] * times)
    simulation(
        on_bus_record=found.append,
        invoke_api=lambda _: next(refusals, None),
        destinations=FailureDestinations(rule_dlq=queue),
        settings=lambda usual: replace(usual, retry=TargetRetryPolicy(maximum_retry_attempts=2)),
        pattern=EventPattern({"source": ["a"]}, lambda *_: matches),
    ).deliver()
    return found


def entries(found: Records) -> list[Entry]:
    return [entry for record in found if (entry := bus_entry(record)) is not None]


NO_RULE = records(matches=False)
THROTTLED = records("THROTTLING", 2)
IN_QUEUE = records("THROTTLING", 9, queue=MemoryDestination())
NOT_IN_QUEUE = records("NO_PERMISSIONS", 1, queue=MemoryDestination(broken=True))
AGAIN = "EventBridge tries again for up to 24 hours"
NOT_SENT = "(NO_PERMISSIONS: the dead-letter queue did not accept the event)"
REFUSED = [{**NO_RULE[0], "message_type": "EVENT_INGEST_FAILURE", "error": {"error_message": "too large"}}]


@pytest.mark.parametrize(
    ("found", "outcome", "text"),
    [
        (REFUSED, "undelivered", "not published: EventBridge did not accept it (too large)"),
        (NO_RULE[:1], None, "published; no rule that delivers to the function has matched it so far"),
        (NO_RULE, "undelivered", "published, and not delivered: no rule of the bus matched it"),
        (THROTTLED[:2], None, "still waiting: a rule matched, and no attempt to deliver it has ended"),
        (
            THROTTLED[:4],
            None,
            f"still waiting: attempt 2 to deliver it was throttled (THROTTLING: Rate exceeded): {AGAIN}",
        ),
        (
            THROTTLED,
            None,
            (
                "delivered to Lambda after 3 attempts: no record of the function has its ID: it waits in Lambda's queue"
                ", or its invocations crashed (mep query invocations)"
            ),
        ),
        (
            IN_QUEUE,
            "undelivered",
            "not delivered: in the dead-letter queue of the rule after 3 attempts (THROTTLING: Rate exceeded)",
        ),
        (
            records("NO_PERMISSIONS", 1),
            "undelivered",
            "not delivered: EventBridge gave up (NO_PERMISSIONS: Rate exceeded); not in a queue",
        ),
        (
            NOT_IN_QUEUE,
            "undelivered",
            f"lost: EventBridge gave up, and the dead-letter queue of the rule did not accept it {NOT_SENT}",
        ),
    ],
    ids=["refused", "published", "no rule", "matched", "throttled", "delivered", "in queue", "no queue", "lost"],
)
def test_why_an_event_has_not_arrived(found: Records, outcome: str | None, text: str) -> None:
    verdict = judge_on_bus(entries(found))

    assert (verdict.outcome, verdict.text) == (outcome, text)


def test_a_replay_that_is_delivered_again_is_judged_by_its_last_delivery() -> None:
    later = [{**each, "message_timestamp_ms": each["message_timestamp_ms"] + 10**9} for each in THROTTLED[:3]]

    assert judge_on_bus(entries([*IN_QUEUE, *later])).text.startswith("still waiting: attempt 1 to deliver it was")


@pytest.mark.parametrize("at", [1_772_366_400_123, "1772366400123", "2026-03-01T12:00:00.123Z"])
def test_the_time_of_a_record_is_read_as_a_number_or_as_text(at: object) -> None:
    entry = bus_entry({**NO_RULE[0], "message_timestamp_ms": at})

    assert entry is not None
    assert entry.at == 1_772_366_400_123_000_000


@pytest.mark.parametrize(
    "change", [{"message_type": "SOMETHING"}, {"message_timestamp_ms": None}, {"event_id": None}, {"message_type": []}]
)
def test_what_is_no_record_is_no_entry(change: Mapping[str, Any]) -> None:
    assert bus_entry({**NO_RULE[0], **change}) is None


def test_the_bus_is_one_section_and_its_verdict_counts_only_alone() -> None:
    alone = make_timeline("an-id", [SearchResult(tuple(entries(NO_RULE)))])
    (section,) = alone.sections
    assert section.title == "on the event bus"
    assert [entry.title for entry in section.entries] == ["published", "no rule matched"]
    assert alone.summary.endswith("no rule of the bus matched it, according to the log of the bus")
    assert alone.verdict.outcome == "undelivered"

    outcome = Entry(10**19, "log", "done", attributes={"event_type": "event_outcome", "outcome": "marked"}, span_id="1")
    both = make_timeline("an-id", [SearchResult((outcome, *entries(THROTTLED)))])
    assert [section.title for section in both.sections] == ["on the event bus", "invocation 1"]
    assert both.summary == "the row is marked"

    at_once = Entry(entries(THROTTLED)[0].at, "log", "done", attributes=outcome.attributes, span_id="1")
    same = make_timeline("an-id", [SearchResult((at_once, *entries(THROTTLED)))])
    assert [section.title for section in same.sections] == ["on the event bus", "invocation 1"]


def test_rules_and_targets_are_shown_by_their_names() -> None:
    arns = {
        "rule_arn": "arn:aws:events:us-east-1:111122223333:rule/earnings/Mark",
        "target_arn": "arn:aws-cn:sqs:cn-north-1:111122223333:queue",
        "target_arns": ["arn:aws:lambda:us-east-1:111122223333:function:Mark:live", "no ARN"],
    }
    entry = Entry(0, "bus", "a rule matched", attributes=arns)
    assert displayed_attributes(entry) == [
        ("rule", "earnings/Mark"),
        ("target", "queue"),
        ("targets", "Mark:live; no ARN"),
    ]


def test_ids_by_which_the_log_of_the_bus_is_searched() -> None:
    own = Entry(1, "log", "done", attributes={"event_id": "theirs", "envelope_id": "the-envelope"})
    other = Entry(1, "log", "done", attributes={"event_id": "an-envelope"})

    assert envelope_ids([own, other]) == {"theirs", "the-envelope", "an-envelope"}
