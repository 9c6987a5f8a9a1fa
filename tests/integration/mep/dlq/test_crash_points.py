"""`mep dlq` killed before and after every AWS call that it makes, then run again: nothing is lost.

The calls are not listed here: a first run counts them, so that a new call is covered.
"""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from emulator.faults import Exchange, Reply
from tests.support.call_killer import CallKiller, kills
from tests.support.dead_letters import event, from_handler, from_rule
from tests.support.dlq_harness import Harness, detail_of
from tests.support.forked_cli import Forks, forks
from tests.support.thorough import few

REDRIVE = ("redrive", "--rate", "1000")
DISCARD = ("discard", "--reason", "a test", "--category", "timeout", "--yes")


@dataclass
class Killer(CallKiller):
    """Forwards the calls of `mep dlq`, and keeps what was accepted.

    Attributes:
        accepted: Details that the bus or the function accepted.
    """

    forward: Callable[[Exchange], Reply] = field(init=False)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forward = self._forward

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
        return reply


@pytest.fixture(scope="module")
def processes(no_account: None) -> Iterator[Forks]:
    """Processes that run the command."""
    with forks() as processes:
        yield processes


def run(processes: Forks, harness: Harness, killer: Killer, arguments: tuple[str, ...]) -> int:
    """Run `mep dlq` as a process of its own; return its exit status, negative when it was killed."""
    killer.processes = processes
    proxies = (harness.sqs, harness.events, harness.dynamodb, harness.function, harness.cloudwatch)
    with killer.watching(proxies):
        return processes.run(("dlq", *arguments), harness.environ())


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

    # Both ways make the same calls except for one: each has other moments.
    for at, after in few(kills(whole), of=3, start=bool(where_to)):
        killed = Killer(at=at, after=after)
        sent, poison = fill()
        assert run(processes, harness, killed, redrive) == -signal.SIGKILL, f"call {killed.at}: {killed.calls}"
        harness.dead_letters.show_again(killed.handles)
        again = Killer()
        assert run(processes, harness, again, redrive) == 0

        where = killed.where
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

    for at, after in few(kills(whole), of=2):
        killed = Killer(at=at, after=after)
        identity = fill()
        assert run(processes, harness, killed, DISCARD) == -signal.SIGKILL
        harness.dead_letters.show_again(killed.handles)
        where = killed.where
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
