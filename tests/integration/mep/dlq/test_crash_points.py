"""`mep dlq` killed before and after every AWS call that it makes, then run again: nothing is lost.

The calls are not listed here: a first run counts them, so that a new call is covered.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any

import pytest

from emulator.faults import Exchange, Fault, Reply
from tests.support.dead_letters import event, from_handler, from_rule
from tests.support.dlq_harness import Harness, detail_of
from tests.support.forked_cli import Forks, forks
from tests.support.thorough import THOROUGH

REDRIVE = ("redrive", "--rate", "1000")
DISCARD = ("discard", "--reason", "a test", "--category", "timeout", "--yes")
_MANY = 100


@dataclass
class Killer:
    """Counts the calls of one process to all services, and kills it at one of them.

    Attributes:
        at: Number of the call, from 0; None for no kill.
        after: Whether the call is forwarded first; its response is dropped.
        sent: The signal.
        calls: The operations, in order.
        accepted: Details that the bus or the function accepted.
        handles: Receipt handles of received messages.
    """

    at: int | None = None
    after: bool = False
    processes: Forks | None = None
    sent: signal.Signals = signal.SIGKILL
    calls: list[str] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def fault(self) -> Fault:
        """Return the fault for each call."""
        return Fault("counted", self._meet)

    def _meet(self, exchange: Exchange) -> None:
        with self._lock:
            number = len(self.calls)
            self.calls.append(exchange.request.operation or "Invoke")  # of the APIs only Lambda's is REST
        dies = number == self.at
        if not dies or self.after:
            reply = self._forward(exchange)
            if not dies:
                exchange.reply(reply)
                return
        assert self.processes is not None
        assert self.processes.started.wait(60)
        os.kill(self.processes.pid, self.sent)
        exchange.reset()

    def _forward(self, exchange: Exchange) -> Reply:
        operation = exchange.request.operation
        if not operation:
            self.accepted.append(exchange.request.json["detail"])
            return Reply(202, b"", {"x-amzn-RequestId": "lambda-request"})
        if operation == "PutMetricData":
            return Reply(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"})
        reply = exchange.forward()
        if operation == "PutEvents" and json.loads(reply.body)["FailedEntryCount"] == 0:
            self.accepted += map(detail_of, exchange.request.json["Entries"])
        if operation == "ReceiveMessage":
            self.handles += [message["ReceiptHandle"] for message in json.loads(reply.body).get("Messages", [])]
        return reply


@pytest.fixture(scope="module")
def processes(no_account: None) -> Iterator[Forks]:
    """Processes that run the command."""
    with forks() as processes:
        yield processes


@contextmanager
def watched(harness: Harness, killer: Killer) -> Iterator[None]:
    """Pass every call to the killer."""
    proxies = (harness.sqs, harness.events, harness.dynamodb, harness.function, harness.cloudwatch)
    for proxy in proxies:
        proxy._script.clear()
        proxy.script(*[killer.fault()] * _MANY)
    yield
    for proxy in proxies:
        proxy._script.clear()


def run(processes: Forks, harness: Harness, killer: Killer, arguments: tuple[str, ...]) -> int:
    """Run `mep dlq` as a process of its own; return its exit status, negative when it was killed."""
    killer.processes = processes
    with watched(harness, killer):
        return processes.run(("dlq", *arguments), harness.environ())


def kills(whole: Killer) -> Iterator[Killer]:
    """Yield a killer for each state in which a kill can leave the services, given a run without a kill.

    To be killed after a call, before its response arrives, leaves them as a kill before the next call does: the process
    makes one call at a time, and its memory is lost. So only the last call has a kill after it, unless `THOROUGH`.
    """
    for at in range(len(whole.calls)):
        yield Killer(at=at)
        if THOROUGH or at == len(whole.calls) - 1:
            yield Killer(at=at, after=True)


@pytest.mark.timeout(400)  # dozens of processes, one after another
@pytest.mark.parametrize(
    ("where_to", "sends"), [((), "PutEvents"), (("--function", "mark"), "Invoke")], ids=["bus", "function"]
)
def test_a_killed_redrive_loses_no_event(
    harness: Harness, processes: Forks, where_to: tuple[str, ...], sends: str
) -> None:
    numbers = count(1)
    redrive = (*REDRIVE, *where_to)

    def fill() -> tuple[str, str]:
        good, poison = next(numbers), next(numbers)
        harness.send(from_rule(event(good), "TIMEOUT"), from_handler(event(poison), "validation"))
        return event(good)["id"], json.dumps(event(poison))

    fill()
    whole = Killer()
    assert run(processes, harness, whole, redrive) == 0
    harness.left()
    assert {"ReceiveMessage", "PutItem", sends, "DeleteMessage", "PutMetricData"} <= set(whole.calls)

    for killed in kills(whole):
        sent, poison = fill()
        assert run(processes, harness, killed, redrive) == -signal.SIGKILL, f"call {killed.at}: {killed.calls}"
        harness.dead_letters.show_again(killed.handles)
        again = Killer()
        assert run(processes, harness, again, redrive) == 0

        where = f"killed {'after' if killed.after else 'before'} call {killed.at}, {killed.calls[-1]}"
        delivered = [detail["event_id"] for detail in (*killed.accepted, *again.accepted)]
        assert set(delivered) == {sent}, where
        assert len(delivered) <= 2, where
        assert [dead_letter.body for dead_letter in harness.left()] == [poison], where
        entries = [entry for entry in harness.audit() if entry["event_id"] == sent]
        assert entries[-1]["action"] == "redriven", where
        assert sum(entry["action"] == "redrive_requested" for entry in entries) >= len(delivered), where
        assert sum(entry["action"] == "redriven" for entry in entries) <= len(delivered), where


@pytest.mark.timeout(400)
def test_a_killed_discard_is_recorded(harness: Harness, processes: Forks) -> None:
    numbers = count(1)

    def fill() -> str:
        number = next(numbers)
        harness.send(from_rule(event(number), "TIMEOUT"))
        return str(event(number)["id"])

    def actions(identity: str) -> set[str]:
        return {entry["action"] for entry in harness.audit() if entry["event_id"] == identity}

    fill()
    whole = Killer()
    assert run(processes, harness, whole, DISCARD) == 0
    assert harness.left() == []

    for killed in kills(whole):
        identity = fill()
        assert run(processes, harness, killed, DISCARD) == -signal.SIGKILL
        harness.dead_letters.show_again(killed.handles)
        where = f"killed {'after' if killed.after else 'before'} call {killed.at}, {killed.calls[-1]}"
        before = actions(identity)
        again = Killer()
        assert run(processes, harness, again, DISCARD) == 0, where
        assert harness.left() == [], where
        kept = "DeleteMessage" in again.calls
        assert kept or "discard_requested" in before, where
        assert not (kept and "discarded" in before), where
        assert not kept or "discarded" in actions(identity), where


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_signal_releases_the_messages(
    harness: Harness, processes: Forks, sent: signal.Signals, status: int, *, after: bool
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"), from_rule(event(2), "TIMEOUT"))
    looking = Killer()
    assert run(processes, harness, looking, (*REDRIVE, "--dry-run")) == 0
    first = ["PutItem", "PutEvents", "PutItem", "DeleteMessage"]
    second = looking.calls.index("ChangeMessageVisibilityBatch") + len(first)
    interrupted = Killer(at=second, after=after, sent=sent)

    assert run(processes, harness, interrupted, REDRIVE) == status

    assert interrupted.calls[second - len(first) : second + 1] == [*first, "PutItem"]
    (dead_letter,) = harness.left()
    (accepted,) = interrupted.accepted
    assert {json.loads(dead_letter.body)["id"], accepted["event_id"]} == {event(1)["id"], event(2)["id"]}
