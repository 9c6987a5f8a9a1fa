"""The APIs of the pipeline, as AWS's SDK and the two redrive destinations of `mep dlq redrive` use them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.clients import loopback_client
from emulator.lambda_runtime.worker import Status
from emulator.pipeline.api import ServedRule, serve_api
from emulator.pipeline.bus import EventPattern, PatternMatcher
from emulator.pipeline.model import Disposition, PipelineSettings
from mep.dlq.destinations import Bus, CannotSendError, Function
from tests.support.events import event
from tests.support.pipeline_helpers import PAYLOAD, Simulation, simulation

PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


def match(pattern: str, text: str) -> bool:
    """Match patterns on top-level strings; test_bus.py tests the emulator's matcher."""
    event = json.loads(text)
    return all(event[name] in values for name, values in json.loads(pattern).items())


@contextmanager
def served(matcher: PatternMatcher = match) -> Iterator[tuple[Simulation, Any, Any]]:
    """Yield a pipeline, and clients of EventBridge and Lambda for its APIs."""
    pipeline = simulation(pattern=EventPattern(PATTERN, matcher))
    rule = ServedRule(PATTERN, matcher, "MarkEarningsProcessed", PipelineSettings().function_arn)
    with (
        serve_api(pipeline.pipeline, rule) as url,
        closing(loopback_client("events", url)) as events,
        closing(loopback_client("lambda", url)) as function,
    ):
        yield pipeline, events, function


def test_put_events_puts_an_event_onto_the_bus() -> None:
    sent = event("AAPL", "2025-07-31", 1, detail={"asset_symbol": "AAPL", "n": 123456789012345678901234567890})
    with served() as (pipeline, events, _):
        event_id = Bus(events, "earnings").send(sent)

        done = pipeline.run()

    received = json.loads(done.function.invocations[0].payload)
    assert received["id"] == event_id != sent["id"]
    assert {**received, "id": sent["id"]} == sent


def test_redrive_to_the_bus_checks_the_rule() -> None:
    with served() as (pipeline, events, _):
        bus = Bus(events, "earnings")
        bus.check(event("AAPL", "2025-07-31", 1))
        with pytest.raises(CannotSendError, match="no enabled rule"):
            bus.check(event("AAPL", "2025-07-31", 1, source="somebody.else"))
        pipeline.run()

    assert pipeline.results == [], "a check sends nothing"


def test_invoke_with_type_event_queues_an_event() -> None:
    with served() as (pipeline, _, function):
        request_id = Function(function, "MarkEarningsProcessed").send({"not": "for a bus"})

        done = pipeline.run()

    assert json.loads(done.function.invocations[0].payload) == {"not": "for a bus"}
    assert done.result.request_id == request_id
    assert done.result.disposition is Disposition.MARKED


def test_entries_are_validated_one_by_one() -> None:
    good = {"Source": "signal9.advisor", "DetailType": "earningsProcessed", "Detail": "{}"}
    with served() as (pipeline, events, _):
        reply = events.put_events(Entries=[good, {**good, "Detail": "no json"}, {**good, "Source": "aws.s3"}])
        pipeline.run()

    assert reply["FailedEntryCount"] == 2
    assert ["EventId" in entry for entry in reply["Entries"]] == [True, False, False]
    assert len(pipeline.results) == 1


def test_unsupported_operations_are_rejected() -> None:
    with served() as (_, events, function):
        with pytest.raises(ClientError, match="not supported"):
            events.list_event_buses()
        with pytest.raises(ClientError, match="InvocationType=DryRun is not supported"):
            function.invoke(FunctionName="MarkEarningsProcessed", InvocationType="DryRun")
        with pytest.raises(ClientError, match="the payload is not JSON"):
            function.invoke(FunctionName="MarkEarningsProcessed", Payload=b"{")


def invoke_synchronously(*answers: Status) -> tuple[Simulation, Any]:
    """Invoke the function through the API while its pipeline runs; return the pipeline and the reply."""
    pipeline = simulation(*answers)
    accepted, post = Event(), pipeline.scheduler.post

    def post_and_notify(action: Any) -> None:
        post(action)
        accepted.set()

    pipeline.scheduler.post = post_and_notify  # type: ignore[method-assign]
    with (
        serve_api(pipeline.pipeline) as url,
        closing(loopback_client("lambda", url, retries={"total_max_attempts": 1})) as function,
        ThreadPoolExecutor(1) as executor,
    ):
        reply = executor.submit(function.invoke, FunctionName="MarkEarningsProcessed", Payload=PAYLOAD)
        assert accepted.wait(30)
        return pipeline.run(), reply.result()


def test_a_synchronous_invocation_returns_the_response() -> None:
    pipeline, reply = invoke_synchronously("ok")

    assert json.load(reply["Payload"]) == {"outcome": "marked"}
    assert "FunctionError" not in reply
    assert reply["ResponseMetadata"]["RequestId"] == pipeline.result.request_id
    assert pipeline.result.disposition is Disposition.MARKED
    assert pipeline.metrics() == {"Invocations": 1, "Duration": 0}


@pytest.mark.parametrize("status", ["error", "timeout", "crashed"])
def test_the_error_of_a_synchronous_invocation_is_returned_and_not_retried(status: Status) -> None:
    pipeline, reply = invoke_synchronously(status, "ok")

    assert reply["FunctionError"] == "Unhandled"
    assert json.load(reply["Payload"])["errorType"] == "EventNotProcessed"
    assert (pipeline.result.disposition, pipeline.result.attempts) == (Disposition.RETURNED, 1)
    assert pipeline.result.failures == 1
    assert pipeline.metrics() == {"Invocations": 1, "Duration": 0, "Errors": 1}


@pytest.mark.parametrize(("status", "code"), [("throttled", "TooManyRequests"), ("system_error", "ServiceException")])
def test_a_synchronous_invocation_that_does_not_run_is_rejected(status: Status, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        invoke_synchronously(status)
