"""What becomes of an event when the nets fail, or were never there: the platform says so, and the archive has it."""

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

EVER = 99
QUEUE_GONE = sqs_error("QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue")


class Line:
    """The function behind the chain, with an archive; each test says which nets there are."""

    def __init__(
        self, invoke: FunctionHarness, archive: Archive, destinations: FailureDestinations, **more: Any
    ) -> None:
        self.endings: list[DeliveryResult] = []
        self._invoke = invoke
        self.pipeline = EventPipeline(
            SimulatedScheduler(),
            [InProcessInvoker(self._handle)],
            destinations=destinations,
            archive=archive,
            on_result=self.endings.append,
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
        """Deliver, and return where each ended."""
        self.endings.clear()
        for each in events:
            self.pipeline.put_event(json.dumps(each).encode())
        self.pipeline.run()
        return [delivery_result.disposition for delivery_result in self.endings]

    def replay(self) -> list[Disposition]:
        """Deliver everything that the archive has."""
        self.endings.clear()
        self.pipeline.run(self.pipeline.replay("again", 0, 4e9))
        return [delivery_result.disposition for delivery_result in self.endings]

    def metric(self, namespace: Namespace, name: str) -> float:
        """What the platform counted."""
        return self.pipeline.metrics.total(namespace, name)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with closing(Archive()) as made:
        yield made


@pytest.fixture
def refused(dead_letters: DeadLetters) -> Iterator[FaultProxy]:
    """The queue, as one that takes nothing."""
    with FaultProxy(dead_letters.url, *[QUEUE_GONE] * EVER, operation="SendMessage") as proxy:
        yield proxy


@pytest.fixture
def invoke(tables: Tables, dead_letters: DeadLetters, refused: FaultProxy) -> Iterator[FunctionHarness]:
    """The function, whose queue takes nothing."""
    with function_harness(function_environ(tables, dead_letters, AWS_ENDPOINT_URL_SQS=refused.url)) as made:
        yield made


def test_what_the_queue_refuses_from_the_function_lambda_brings_there(
    invoke: FunctionHarness, archive: Archive, dead_letters: DeadLetters
) -> None:
    with closing(sqs_client(dead_letters.url)) as client:
        line = Line(invoke, archive, FailureDestinations(on_failure=SqsDestination(client, dead_letters.queue_url)))
        assert line.deliver(event("NONE", DATE, 1)) == [Disposition.ON_FAILURE]

    assert line.endings[0].attempts == 3
    (dead_letter,) = dead_letters.drain()
    record = json.loads(dead_letter.body)
    assert record["requestPayload"] == event("NONE", DATE, 1)
    assert "category=not_found" in record["responsePayload"]["errorMessage"], "why it failed, not why the queue did"


def test_a_queue_that_fails_for_lambda_too_leaves_the_event_to_the_archive(
    invoke: FunctionHarness, archive: Archive, refused: FaultProxy, dead_letters: DeadLetters, tables: Tables
) -> None:
    with closing(sqs_client(refused.url)) as client:
        line = Line(invoke, archive, FailureDestinations(on_failure=SqsDestination(client, dead_letters.queue_url)))
        assert line.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert line.metric("AWS/Lambda", "DestinationDeliveryFailures") == 1
    assert line.metric("AWS/Lambda", "AsyncEventsDropped") == 1
    assert json.loads(line.endings[0].unsent[0])["requestPayload"] == event("AAPL", DATE, 1)
    assert dead_letters.drain() == []

    tables.put_row("AAPL", DATE)
    assert line.replay() == [Disposition.MARKED], "the archive brings it back"


def test_without_an_on_failure_destination_the_event_is_in_the_archive_only(
    invoke: FunctionHarness, archive: Archive, tables: Tables
) -> None:
    line = Line(invoke, archive, FailureDestinations())

    assert line.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert line.metric("AWS/Lambda", "AsyncEventsDropped") == 1, "which has an alarm; no other metric tells of it"
    assert line.metric("AWS/Lambda", "DestinationDeliveryFailures") == 0
    assert line.endings[0].unsent == ()
    tables.put_row("AAPL", DATE)
    assert line.replay() == [Disposition.MARKED]


@pytest.mark.parametrize(
    ("destination", "unsent"), [(MemoryDestination(broken=True), 1), (None, 0)], ids=["fails", "is missing"]
)
def test_what_eventbridge_cannot_deliver_is_in_the_archive_when_its_queue(
    invoke: FunctionHarness, archive: Archive, tables: Tables, destination: MemoryDestination | None, unsent: int
) -> None:
    tables.put_row("AAPL", DATE)
    closed = [InvokeError("NO_PERMISSIONS", "injected")]
    line = Line(
        invoke, archive, FailureDestinations(rule_dlq=destination), invoke_api=lambda _: closed[0] if closed else None
    )

    assert line.deliver(event("AAPL", DATE, 1)) == [Disposition.DROPPED]

    assert len(line.endings[0].unsent) == unsent
    assert line.metric("AWS/Events", "FailedInvocations") == 1
    assert line.metric("AWS/Events", "InvocationsFailedToBeSentToDlq") == unsent
    closed.clear()
    assert line.replay() == [Disposition.MARKED]


@pytest.fixture
def sound(tables: Tables, dead_letters: DeadLetters) -> Iterator[FunctionHarness]:
    """The function, whose queue works."""
    with function_harness(function_environ(tables, dead_letters)) as made:
        yield made


def test_a_replay_of_the_archive_is_absorbed(
    sound: FunctionHarness, archive: Archive, tables: Tables, dead_letters: DeadLetters
) -> None:
    rows = [f"S{number}" for number in range(20)]
    for row in rows:
        tables.put_row(row, DATE)
    line = Line(sound, archive, FailureDestinations())
    sent = [event(row, DATE, number) for number, row in enumerate(rows)]
    assert line.deliver(*sent, event("NONE", DATE, 98), event("S1", "soon", 99)) == [
        *[Disposition.MARKED] * 20,
        *[Disposition.DEAD_LETTERED] * 2,
    ]
    before = [(tables.row(row, DATE), tables.audit(row, DATE)) for row in rows]

    assert line.replay() == [*[Disposition.DUPLICATE] * 20, *[Disposition.DEAD_LETTERED] * 2]

    answers = [
        json.loads(delivery_result.last.payload) for delivery_result in line.endings[:20] if delivery_result.last
    ]
    assert {answer["same_event"] for answer in answers} == {True}, "no idempotency violation"
    assert [(tables.row(row, DATE), tables.audit(row, DATE)) for row in rows] == before
    assert len(dead_letters.drain()) == 4, "what could not succeed could not again"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_in_whatever_order_events_of_one_row_come_the_first_marks_it(
    sound: FunctionHarness, archive: Archive, tables: Tables, order: tuple[int, ...]
) -> None:
    tables.put_row("AAPL", DATE)
    line = Line(sound, archive, FailureDestinations())
    sent = [event("AAPL", DATE, number, time=f"2025-07-31T20:0{number}:00Z") for number in range(3)]

    assert line.deliver(*(sent[number] for number in order)) == [
        Disposition.MARKED,
        Disposition.DUPLICATE,
        Disposition.DUPLICATE,
    ]

    row = tables.row("AAPL", DATE)
    assert row is not None
    assert row["processed_by_event"] == sent[order[0]]["id"], "an event says that it happened, not what is newest"
    answers = [json.loads(delivery_result.last.payload) for delivery_result in line.endings if delivery_result.last]
    assert [answer.get("same_event") for answer in answers] == [None, False, False]
    assert len(tables.audit("AAPL", DATE)) == 1
