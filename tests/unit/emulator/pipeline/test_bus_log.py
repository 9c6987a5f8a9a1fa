"""The log of the bus: the records of every way that an event can take, compared with AWS's documentation of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emulator.pipeline.bus import Entry, EventPattern
from emulator.pipeline.bus_log import Step
from emulator.pipeline.model import Disposition, PipelineSettings, TargetRetryPolicy
from emulator.pipeline.pipeline import FailureDestinations
from emulator.pipeline.rule_target import InvokeError
from tests.support.pipeline_helpers import PAYLOAD, MemoryDestination, simulation

SCHEMA = json.loads(Path(__file__).with_name("bus_log_schema.json").read_text(encoding="utf-8"))
DETAILS = {name: each["details"] for each in SCHEMA["message_types"] for name in each["names"]}
TYPES: Mapping[str, type] = {"integer": int, "text": str, "arn": str, "list": list, "object": dict}

type Records = list[Mapping[str, Any]]


def test_the_message_types_are_those_of_the_documentation() -> None:
    assert {step.value for step in Step} == set(DETAILS)


def deliver(code: str = "", times: int = 0, *, queue: MemoryDestination | None = None, **more: Any) -> Records:
    """Deliver one event, and return the records; Lambda rejects the first deliveries with `code`."""
    records: Records = []
    refusals = iter([InvokeError(code, "a reason")] * times)
    done = simulation(
        on_bus_record=records.append,
        invoke_api=lambda _: next(refusals, None),
        destinations=FailureDestinations(rule_dlq=queue),
        settings=lambda usual: replace(usual, retry=TargetRetryPolicy(maximum_retry_attempts=2)),
        **more,
    ).deliver()
    assert len(done.results) == 1
    return records


def steps(records: Records) -> list[str]:
    return [record["message_type"] for record in records]


PUBLISHED = ["EVENT_INGEST_SUCCESS", "RULE_MATCH"]
THROTTLED = ["INVOCATION_ATTEMPT_THROTTLE"]
DENIED = ["INVOCATION_ATTEMPT_PERMANENT_FAILURE"]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (deliver(), [*PUBLISHED, "INVOCATION_SUCCESS"]),
        (
            deliver(pattern=EventPattern({"source": ["a"]}, lambda *_: False)),
            ["EVENT_INGEST_SUCCESS", "NO_STANDARD_RULES_MATCHED"],
        ),
        (deliver("THROTTLING", 2), [*PUBLISHED, *THROTTLED * 2, "INVOCATION_SUCCESS"]),
        (deliver("INTERNAL_ERROR", 1), [*PUBLISHED, "INVOCATION_ATTEMPT_RETRYABLE_FAILURE", "INVOCATION_SUCCESS"]),
        (deliver("NO_PERMISSIONS", 1), [*PUBLISHED, *DENIED, "INVOCATION_FAILURE"]),
        (
            deliver("THROTTLING", 9, queue=MemoryDestination()),
            [*PUBLISHED, *THROTTLED * 3, "INVOCATION_FAILURE", "INVOCATION_DLQ"],
        ),
        (
            deliver("NO_PERMISSIONS", 1, queue=MemoryDestination(broken=True)),
            [*PUBLISHED, *DENIED, "INVOCATION_FAILURE", "INVOCATION_DLQ"],
        ),
    ],
    ids=["delivered", "no rule", "throttled", "retried", "no queue", "in the queue", "queue is broken"],
)
def test_each_way_of_an_event_has_its_records(records: Records, expected: list[str]) -> None:
    assert steps(records) == expected
    assert {record["event_id"] for record in records} == {json.loads(PAYLOAD)["id"]}
    for record in records:
        check(record)


def check(record: Mapping[str, Any]) -> None:
    """Check that a record is one of the documentation's, and has no content of the event."""
    for name, value in record.items():
        assert isinstance(value, TYPES[{**SCHEMA["record"], **SCHEMA["observed"]}[name]]), name
    assert record["log_level"] in SCHEMA["log_levels"]
    allowed = DETAILS[record["message_type"]]
    for name, value in record["details"].items():
        assert isinstance(value, TYPES[allowed[name]]), name
        assert name not in SCHEMA["content"]
    if "error" in record:
        assert set(SCHEMA["error_always"]) <= set(record["error"]) <= set(SCHEMA["error"])
    assert ("invocation_id" in record) == record["message_type"].startswith("INVOCATION_")


def test_a_record_says_which_attempt_failed_and_why() -> None:
    *_, failed, last = deliver("THROTTLING", 1)

    assert failed["details"]["attempt_type"] == "FIRST"
    assert (failed["details"]["attempt_count"], failed["details"]["invocation_status"]) == (1, "THROTTLING")
    assert failed["error"]["error_message"] == "a reason"
    assert (last["details"]["total_attempts"], last["details"]["final_invocation_status"]) == (2, "SUCCESS")
    assert failed["message_timestamp_ms"] + 1000 <= last["message_timestamp_ms"], "it waited for its second attempt"
    assert failed["invocation_id"] == last["invocation_id"]


def test_the_record_names_the_bus_of_the_rule() -> None:
    first = deliver()[0]

    assert first["resource_arn"].endswith(f":event-bus/{PipelineSettings().rule_arn.split('/')[1]}")
    assert first["event_bus_name"] in first["resource_arn"]


def test_an_entry_that_the_rule_does_not_match_is_not_delivered() -> None:
    """`mep local` delivers every line of its input, but an entry of `PutEvents` only if the rule matches it."""
    records: Records = []
    pipeline = simulation(on_bus_record=records.append)
    entry = Entry("signal9.advisor", "somethingElse", b"{}")

    event_id = pipeline.pipeline.put_entry(entry, matches=lambda event: b"earningsProcessed" in event)
    pipeline.run()

    assert pipeline.dispositions() == [Disposition.FILTERED]
    assert steps(records) == ["EVENT_INGEST_SUCCESS", "NO_STANDARD_RULES_MATCHED"]
    assert {record["event_id"] for record in records} == {event_id}


@pytest.mark.parametrize("payload", [b"[]", b'{"id": 5}', b"{"])
def test_what_is_no_event_has_no_record(payload: bytes) -> None:
    records: Records = []

    simulation(on_bus_record=records.append).deliver(payload)

    assert records == []
