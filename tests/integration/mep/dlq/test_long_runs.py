"""A redrive that takes long keeps what it holds, keeps its pace, and lets go when it is interrupted."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from emulator.services.sqs import sqs_client
from mep.aws import Aws
from mep.dlq.audit import AuditTrail
from mep.dlq.metrics import OperatorMetrics
from mep.dlq.redrive import Redriver, RedriveResult, plan
from mep.dlq.sqs_queue import Queue
from tests.support.dead_letters import event, from_rule
from tests.support.dlq_harness import Harness


@dataclass
class Clock:
    """Time that passes only in a wait."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class Anywhere:
    """A destination that takes everything."""

    name: str = "bus:any"
    on_send: Callable[[Any], None] = lambda _: None
    on_check: Callable[[Any], None] = lambda _: None

    def check(self, sent: Any) -> None:
        self.on_check(sent)

    def send(self, sent: Any) -> str:
        self.on_send(sent)
        return "accepted"


@dataclass
class Bench:
    """A redrive on a clock."""

    harness: Harness
    clock: Clock
    queue: Queue
    done: RedriveResult = field(default_factory=RedriveResult)

    def run(self, rate: float, on_send: Callable[[Any], None] = lambda _: None) -> None:
        dead_letters = self.queue.read().dead_letters
        audit = AuditTrail(self.harness.tables.client, self.harness.tables.audit_table, "alice")
        redrive = Redriver(
            self.queue,
            Anywhere(on_send=on_send),
            audit,
            OperatorMetrics(Aws("us-east-1"), "test", print),
            rate,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        redrive.run(dead_letters, self.done)


@pytest.fixture
def bench(harness: Harness) -> Any:
    clock = Clock()
    with closing(sqs_client(harness.sqs.url)) as client:
        yield Bench(harness, clock, Queue(client, harness.dead_letters.queue_url, visibility_timeout_s=60, clock=clock))


def operations(harness: Harness) -> list[str]:
    return [recorded.request.operation for recorded in harness.sqs.requests]


def test_it_keeps_its_pace(bench: Bench) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(5)))
    bench.run(rate=2)
    assert bench.clock.waits == [0.5] * 4
    assert len(bench.done.sent) == 5


def test_what_it_holds_stays_hidden_and_metrics_go_out_on_the_way(bench: Bench) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(12)))
    bench.run(rate=0.1)

    renewals = [each.request.json for each in bench.harness.sqs.requests if "VisibilityBatch" in each.request.operation]
    assert {entry["VisibilityTimeout"] for call in renewals for entry in call["Entries"]} == {60}
    # 110 s in steps of 10: once more than 20 s have passed, everything that is held is hidden anew.
    assert [len(call["Entries"]) for call in renewals] == [9, 6, 3]
    assert bench.harness.metrics() == {"DeadLettersRedriven": 7}, "after a minute; the rest when the session ends"


def test_what_is_asked_about_for_long_stays_hidden(bench: Bench) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(4)))
    dead_letters = bench.queue.read().dead_letters

    destination = Anywhere(on_check=lambda _: bench.clock.sleep(25))
    planned = plan(dead_letters, destination, force=False, extend_visibility=bench.queue.extend_visibility)

    assert len(planned.send) == 4
    renewals = [each.request.json for each in bench.harness.sqs.requests if "VisibilityBatch" in each.request.operation]
    assert [len(call["Entries"]) for call in renewals] == [4, 4, 4], "before each question but the first"


def test_a_reading_that_takes_long_keeps_what_it_has(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(12)))
    receive = bench.queue._receive

    def slowly(wait_s: int) -> Any:
        bench.clock.sleep(25)
        return receive(wait_s)

    monkeypatch.setattr(bench.queue, "_receive", slowly)

    assert len(bench.queue.read().dead_letters) == 12

    assert "ChangeMessageVisibilityBatch" in operations(bench.harness)


def test_what_is_somebody_elses_by_now_is_left_alone(bench: Bench) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(3)))
    sent: list[Any] = []

    def on_send(each: Any) -> None:
        sent.append(each)
        held = list(bench.queue._in_flight.values())
        with closing(sqs_client(bench.harness.dead_letters.url)) as other:
            for dead_letter in held[1:]:  # all but the one that is being sent
                other.delete_message(
                    QueueUrl=bench.harness.dead_letters.queue_url, ReceiptHandle=dead_letter.receipt_handle
                )

    bench.run(rate=0.01, on_send=on_send)

    assert len(sent) == 1
    assert bench.done.expired == 2


def test_an_interruption_shows_everything_again_that_was_not_sent(bench: Bench) -> None:
    bench.harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(4)))
    sent: list[Any] = []

    def interrupt(each: Any) -> None:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(each)

    with pytest.raises(KeyboardInterrupt):
        bench.run(rate=100, on_send=interrupt)
    bench.queue.release()

    assert len(bench.done.sent) == 2
    assert len(bench.harness.left()) == 2
