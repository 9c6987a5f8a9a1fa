"""The chain's doors, by AWS's SDK and by `mep dlq redrive`'s two ways back."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.clients import loopback_client
from emulator.pipeline.api import ServedRule, serve_api
from emulator.pipeline.bus import EventPattern, PatternMatcher
from emulator.pipeline.model import Disposition, PipelineSettings
from mep.dlq.destinations import Bus, CannotSendError, Function
from tests.support.events import event
from tests.support.pipeline_helpers import PAYLOAD, Simulation, simulation

PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


def judge(pattern: str, text: str) -> bool:
    """Stands in for the emulator, which has tests of its own, for this one pattern."""
    wanted, seen = json.loads(pattern), json.loads(text)
    return all(seen[name] in values for name, values in wanted.items())


@contextmanager
def served(test: PatternMatcher = judge) -> Iterator[tuple[Simulation, Any, Any]]:
    """Yield a chain behind its doors, a client of EventBridge and one of Lambda."""
    pipeline = simulation(pattern=EventPattern(PATTERN, test))
    rule = ServedRule(PATTERN, test, "MarkEarningsProcessed", PipelineSettings().function_arn)
    with (
        serve_api(pipeline.pipeline, rule) as url,
        closing(loopback_client("events", url)) as events,
        closing(loopback_client("lambda", url)) as function,
    ):
        yield pipeline, events, function


def test_put_events_is_the_way_onto_the_bus() -> None:
    sent = event("AAPL", "2025-07-31", 1, detail={"asset_symbol": "AAPL", "n": 123456789012345678901234567890})
    with served() as (pipeline, events, _):
        event_id = Bus(events, "earnings").send(sent)

        done = pipeline.run()

    received = json.loads(done.function.asked[0].payload)
    assert received["id"] == event_id != sent["id"]
    assert {**received, "id": sent["id"]} == sent


def test_a_redrive_to_the_bus_looks_whether_the_rule_matches() -> None:
    with served() as (pipeline, events, _):
        bus = Bus(events, "earnings")
        bus.check(event("AAPL", "2025-07-31", 1))
        with pytest.raises(CannotSendError, match="no enabled rule"):
            bus.check(event("AAPL", "2025-07-31", 1, source="somebody.else"))
        pipeline.run()

    assert pipeline.endings == [], "looking sends nothing"


def test_invoke_with_type_event_is_the_way_to_the_function() -> None:
    with served() as (pipeline, _, function):
        request_id = Function(function, "MarkEarningsProcessed").send({"not": "for a bus"})

        done = pipeline.run()

    assert json.loads(done.function.asked[0].payload) == {"not": "for a bus"}
    assert done.delivery_result.request_id == request_id
    assert done.delivery_result.disposition is Disposition.MARKED


def test_each_entry_is_judged_by_itself() -> None:
    good = {"Source": "signal9.advisor", "DetailType": "earningsProcessed", "Detail": "{}"}
    with served() as (pipeline, events, _):
        reply = events.put_events(Entries=[good, {**good, "Detail": "no json"}, {**good, "Source": "aws.s3"}])
        pipeline.run()

    assert reply["FailedEntryCount"] == 2
    assert ["EventId" in entry for entry in reply["Entries"]] == [True, False, False]
    assert len(pipeline.endings) == 1


def test_what_is_not_served_says_so() -> None:
    with served() as (_, events, function):
        with pytest.raises(ClientError, match="not supported"):
            events.list_event_buses()
        with pytest.raises(ClientError, match="only InvocationType=Event"):
            function.invoke(FunctionName="MarkEarningsProcessed", Payload=PAYLOAD)
