"""A long redrive keeps its messages in flight, keeps its rate, and releases the messages when interrupted."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from emulator.services.sqs import sqs_client
from mep.aws import AwsClients
from mep.dlq.audit import AuditTrail
from mep.dlq.queue import Queue
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.dlq.session import OperatorMetrics
from tests.support.dead_letters import event, from_rule
from tests.support.dlq_harness import Harness


@dataclass
class Clock:
    """A clock that advances only in a wait."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class AnyDestination:
    """A destination that accepts every event."""

    name: str = "bus:any"
    on_send: Callable[[Any], None] = lambda _: None
    on_check: Callable[[Any], None] = lambda _: None

    def check(self, sent: Any) -> None:
        self.on_check(sent)

    def other_targets(self, _: Any) -> list[str]:
        return []

    def send(self, sent: Any) -> str:
        self.on_send(sent)
        return "accepted"


@dataclass
class TimedRedrive:
    """A redrive with a fake clock."""

    harness: Harness
    clock: Clock
    queue: Queue
    recorder: Recorder = field(default_factory=lambda: Recorder(ActionName.REDRIVE, []))

    def run(self, rate: float, on_send: Callable[[Any], None] = lambda _: None) -> None:
        dead_letters = self.queue.read().dead_letters
        audit = AuditTrail(self.harness.tables.client, self.harness.tables.audit_table, "alice")
        redrive = Redriver(
            self.queue,
            AnyDestination(on_send=on_send),
            audit,
            OperatorMetrics(AwsClients("us-east-1"), "test", print),
            rate,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        self.recorder = Recorder(ActionName.REDRIVE, dead_letters)
        redrive.run(dead_letters, self.recorder)

    @property
    def counts(self) -> Mapping[MessageState, int]:
        """What has happened to the messages."""
        return self.recorder.result().counts


@pytest.fixture
def timed(harness: Harness) -> Any:
    clock = Clock()
    with closing(sqs_client(harness.sqs.url)) as client:
        yield TimedRedrive(
            harness, clock, Queue(client, harness.dead_letters.queue_url, visibility_timeout_s=60, clock=clock)
        )


def extensions(harness: Harness) -> list[Any]:
    """Return the calls that changed visibility timeouts."""
    calls = [recorded.request for recorded in harness.sqs.requests]
    return [call.json for call in calls if call.operation == "ChangeMessageVisibilityBatch"]


def test_it_keeps_its_rate(timed: TimedRedrive) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(5)))
    timed.run(rate=2)
    assert timed.clock.waits == [0.5] * 4
    assert timed.counts[MessageState.SENT] == 5


def test_visibility_is_extended_and_metrics_are_sent(timed: TimedRedrive) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(12)))
    timed.run(rate=0.1)

    renewals = extensions(timed.harness)
    assert {entry["VisibilityTimeout"] for call in renewals for entry in call["Entries"]} == {60}
    # 110 s in steps of 10: after more than 20 s, the timeout of every message in flight is extended.
    assert [len(call["Entries"]) for call in renewals] == [9, 6, 3]
    assert timed.harness.metrics() == {"DeadLettersRedriven": 7}, "after a minute; the rest when the session ends"


def test_visibility_is_extended_during_checks(timed: TimedRedrive) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(4)))
    dead_letters = timed.queue.read().dead_letters

    destination = AnyDestination(on_check=lambda _: timed.clock.sleep(25))
    planned = plan(dead_letters, destination, force=False, extend_visibility=timed.queue.extend_visibility)

    assert len(planned.selected) == 4
    renewals = extensions(timed.harness)
    assert [len(call["Entries"]) for call in renewals] == [4, 4, 4], "before each check but the first"


def test_visibility_is_extended_during_a_read(timed: TimedRedrive, monkeypatch: pytest.MonkeyPatch) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(12)))
    receive = timed.queue._receive

    def slowly(wait_s: int) -> Any:
        timed.clock.sleep(25)
        return receive(wait_s)

    monkeypatch.setattr(timed.queue, "_receive", slowly)

    assert len(timed.queue.read().dead_letters) == 12

    assert extensions(timed.harness)


def test_an_expired_message_is_not_sent(timed: TimedRedrive) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(3)))
    sent: list[Any] = []

    def on_send(event: Any) -> None:
        sent.append(event)
        in_flight = list(timed.queue._in_flight.values())
        with closing(sqs_client(timed.harness.dead_letters.url)) as other:
            for dead_letter in in_flight[1:]:  # all but the one that is sent now
                other.delete_message(
                    QueueUrl=timed.harness.dead_letters.queue_url, ReceiptHandle=dead_letter.receipt_handle
                )

    timed.run(rate=0.01, on_send=on_send)

    assert len(sent) == 1
    assert timed.counts[MessageState.EXPIRED] == 2


def test_an_interruption_releases_the_rest(timed: TimedRedrive) -> None:
    timed.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(4)))
    sent: list[Any] = []

    def interrupt(event: Any) -> None:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(event)

    with pytest.raises(KeyboardInterrupt):
        timed.run(rate=100, on_send=interrupt)
    timed.queue.release()

    assert timed.counts[MessageState.SENT] == 2
    assert len(timed.harness.left()) == 2
