"""Failure destinations that fail or are missing: the platform's metrics report it, and the archive has the event."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from emulator.faults import FaultProxy, sqs_error
from emulator.pipeline.bus import Archive
from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.invokers import InProcessContext, InProcessInvoker
from emulator.pipeline.model import DeliveryResult, Disposition
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.platform_metrics import Namespace
from emulator.pipeline.rule_target import InvokeError
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.sqs import sqs_client
from tests.support.events import DATE, event
from tests.support.harness import FunctionHarness, function_environ, function_harness
from tests.support.pipeline_helpers import MemoryDestination
from tests.support.stores import DeadLetters, Tables

ALWAYS = 99
QUEUE_GONE = sqs_error("QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue")


class PipelineHarness:
    """The function behind the event pipeline, with an archive and the failure destinations of the test."""

    def __init__(
        self, invoke: FunctionHarness, archive: Archive, destinations: FailureDestinations, **more: Any
    ) -> None:
        self.results: list[DeliveryResult] = []
        self._invoke = invoke
        self.pipeline = EventPipeline(
            SimulatedScheduler(),
            [InProcessInvoker(self._handle)],
            destinations=destinations,
            archive=archive,
            on_result=self.results.append,
            **more,
        )

    def _handle(self, received: Any, context: InProcessContext) -> Any:
        before = self._invoke.clock.now
        invoked = self._invoke(received, trace_header=context.trace_header, request_id=context.aws_request_id)
        context.advance(self._invoke.clock.now - before)
        if invoked.error is not None:
            raise invoked.error
        return invoked.answer

    def deliver(self, *events: Any) -> list[Disposition]:
        """Deliver events, and return the disposition of each."""
        self.results.clear()
        for each in events:
            self.pipeline.put_event(json.dumps(each).encode())
        self.pipeline.run()
        return [result.disposition for result in self.results]

    def replay(self) -> list[Disposition]:
        """Replay the archive, and return the disposition of each event."""
        self.results.clear()
        self.pipeline.run(self.pipeline.replay("again", 0, 4e9))
        return [result.disposition for result in self.results]

    def metric(self, namespace: Namespace, name: str) -> float:
        """Return the sum of a platform metric."""
        return self.pipeline.metrics.total(namespace, name)


def on_failure(client: Any, queue: DeadLetters) -> FailureDestinations:
    return FailureDestinations(on_failure=SqsDestination(client, queue.queue_url))


@pytest.fixture
def archive() -> Iterator[Archive]:
    with closing(Archive()) as resource:
        yield resource


@pytest.fixture
def refused(dead_letters: DeadLetters) -> Iterator[FaultProxy]:
    """The queue behind a proxy that refuses every message."""
    with FaultProxy(dead_letters.url, *[QUEUE_GONE] * ALWAYS, operation="SendMessage") as proxy:
        yield proxy


@pytest.fixture
def invoke(tables: Tables, dead_letters: DeadLetters, refused: FaultProxy) -> Iterator[FunctionHarness]:
    """The function with a queue that refuses every message."""
    with function_harness(function_environ(tables, dead_letters, AWS_ENDPOINT_URL_SQS=refused.url)) as resource:
        yield resource


def test_lambda_sends_what_the_queue_refused_from_the_function(
    invoke: FunctionHarness, archive: Archive, dead_letters: DeadLetters
) -> None:
    with closing(sqs_client(dead_letters.url)) as client:
        harness = PipelineHarness(invoke, archive, on_failure(client, dead_letters))
        assert harness.deliver(event("NONE", DATE, 1)) == [Disposition.ON_FAILURE]

    assert harness.results[0].attempts == 3
    (dead_letter,) = dead_letters.drain()
    record = json.loads(dead_letter.body)
    assert record["requestPayload"] == event("NONE", DATE, 1)
    assert "category=not_found" in record["responsePayload"]["errorMessage"], "why it failed, not why the queue did"


def test_an_event_that_the_queue_refuses_is_in_the_archive(
    invoke: FunctionHarness, archive: Archive, refused: FaultProxy, dead_letters: DeadLetters, tables: Tables
) -> None:
    with closing(sqs_client(refused.url)) as client:
        harness = PipelineHarness(invoke, archive, on_failure(client, dead_letters))
        assert harness.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert harness.metric("AWS/Lambda", "DestinationDeliveryFailures") == 1
    assert harness.metric("AWS/Lambda", "AsyncEventsDropped") == 1
    assert json.loads(harness.results[0].unsent[0])["requestPayload"] == event("AAPL", DATE, 1)
    assert dead_letters.drain() == []

    tables.put_row("AAPL", DATE)
    assert harness.replay() == [Disposition.MARKED], "a replay recovers it"


def test_without_a_destination_the_event_is_in_the_archive_only(
    invoke: FunctionHarness, archive: Archive, tables: Tables
) -> None:
    harness = PipelineHarness(invoke, archive, FailureDestinations())

    assert harness.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert harness.metric("AWS/Lambda", "AsyncEventsDropped") == 1, "this metric has an alarm, no other reports it"
    assert harness.metric("AWS/Lambda", "DestinationDeliveryFailures") == 0
    assert harness.results[0].unsent == ()
    tables.put_row("AAPL", DATE)
    assert harness.replay() == [Disposition.MARKED]


@pytest.mark.parametrize(
    ("destination", "unsent"), [(MemoryDestination(broken=True), 1), (None, 0)], ids=["fails", "is missing"]
)
def test_an_undelivered_event_is_in_the_archive_if_the_queue(
    invoke: FunctionHarness, archive: Archive, tables: Tables, destination: MemoryDestination | None, unsent: int
) -> None:
    tables.put_row("AAPL", DATE)
    closed = [InvokeError("NO_PERMISSIONS", "injected")]
    harness = PipelineHarness(
        invoke, archive, FailureDestinations(rule_dlq=destination), invoke_api=lambda _: closed[0] if closed else None
    )

    assert harness.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert len(harness.results[0].unsent) == unsent
    assert harness.metric("AWS/Events", "FailedInvocations") == 1
    assert harness.metric("AWS/Events", "InvocationsFailedToBeSentToDlq") == unsent
    closed.clear()
    assert harness.replay() == [Disposition.MARKED]


@pytest.fixture
def working(tables: Tables, dead_letters: DeadLetters) -> Iterator[FunctionHarness]:
    """The function with a queue that works."""
    with function_harness(function_environ(tables, dead_letters)) as resource:
        yield resource


def test_a_replay_of_the_archive_is_absorbed(
    working: FunctionHarness, archive: Archive, tables: Tables, dead_letters: DeadLetters
) -> None:
    rows = [f"S{number}" for number in range(20)]
    for row in rows:
        tables.put_row(row, DATE)
    harness = PipelineHarness(working, archive, FailureDestinations())
    sent = [event(row, DATE, number) for number, row in enumerate(rows)]
    assert harness.deliver(*sent, event("NONE", DATE, 98), event("S1", "soon", 99)) == [
        *[Disposition.MARKED] * 20,
        *[Disposition.DEAD_LETTERED] * 2,
    ]
    before = [(tables.row(row, DATE), tables.audit(row, DATE)) for row in rows]

    assert harness.replay() == [*[Disposition.DUPLICATE] * 20, *[Disposition.DEAD_LETTERED] * 2]

    answers = [json.loads(result.last.payload) for result in harness.results[:20] if result.last]
    assert {answer["same_event"] for answer in answers} == {True}, "no idempotency violation"
    assert [(tables.row(row, DATE), tables.audit(row, DATE)) for row in rows] == before
    assert len(dead_letters.drain()) == 4, "a permanent failure fails again"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_first_event_of_a_row_marks_it_in_any_order(
    working: FunctionHarness, archive: Archive, tables: Tables, order: tuple[int, ...]
) -> None:
    tables.put_row("AAPL", DATE)
    harness = PipelineHarness(working, archive, FailureDestinations())
    sent = [event("AAPL", DATE, number, time=f"2025-07-31T20:0{number}:00Z") for number in range(3)]

    assert harness.deliver(*(sent[number] for number in order)) == [
        Disposition.MARKED,
        Disposition.DUPLICATE,
        Disposition.DUPLICATE,
    ]

    row = tables.row("AAPL", DATE)
    assert row is not None
    assert row["processed_by_event"] == sent[order[0]]["id"], "an event reports that it happened, not the newest state"
    answers = [json.loads(result.last.payload) for result in harness.results if result.last]
    assert [answer.get("same_event") for answer in answers] == [None, False, False]
    assert len(tables.audit("AAPL", DATE)) == 1
