"""The automatic redrive killed before and after every AWS call that it makes, then run again.

Nothing is lost, and nothing is marked twice. The calls are not listed here: a first run counts them, so that a new call
is covered.
"""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from emulator.faults import Exchange, Reply
from tests.support.call_killer import CallKiller, kills
from tests.support.dead_letters import event, from_handler, from_on_failure, from_rule
from tests.support.forked_cli import Forks, forks
from tests.support.redriver_harness import RedriverHarness

DATE = "2025-07-31"


@pytest.fixture(scope="module")
def processes(no_account: None) -> Iterator[Forks]:
    """Processes that run the automatic redrive."""
    with forks("tests.support.redriver_process") as processes:
        yield processes


def run(processes: Forks, harness: RedriverHarness, killer: CallKiller, hours: int = 0) -> int:
    """Run the automatic redrive as a process of its own; return its exit status, negative when it was killed."""
    killer.processes = processes
    with killer.watching((harness.sqs, harness.events, harness.dynamodb, harness.lambda_)):
        return processes.run((str(hours),), harness.environ())


@pytest.mark.timeout(400)  # dozens of processes, one after another
def test_a_killed_run_loses_no_event_and_marks_none_twice(harness: RedriverHarness, processes: Forks) -> None:
    numbers = count(1)
    hosts = {proxy.url for proxy in (harness.events, harness.lambda_)}

    def forward(exchange: Exchange) -> Reply:
        served = f"http://{exchange.request.headers['host']}" in hosts
        return harness.platform.reply(exchange) if served else exchange.forward()

    def fill() -> tuple[list[str], str]:
        """Send two events that can be marked, and one that cannot."""
        sent = []
        for number in (next(numbers), next(numbers)):
            harness.tables.put_row(f"R{number}", DATE)
            sent.append(event(number, asset_symbol=f"R{number}"))
        poison = event(next(numbers))
        harness.send(from_rule(sent[0], "TIMEOUT"), from_on_failure(sent[1]), from_handler(poison, "validation"))
        return [each["id"] for each in sent], json.dumps(poison)

    fill()
    whole = CallKiller(forward)
    assert run(processes, harness, whole) == 0
    harness.dead_letters.drain()
    assert {"DescribeRule", "GetFunctionConcurrency", "ReceiveMessage"} <= set(whole.calls)
    assert [whole.calls.count(each) for each in ("PutItem", "Invoke", "GetItem", "DeleteMessage")] == [4, 2, 2, 2]

    for at, after in kills(whole):
        sent, poison = fill()
        killed, again = CallKiller(forward, at, after), CallKiller(forward)
        assert run(processes, harness, killed) == -signal.SIGKILL, f"call {at}: {killed.calls}"
        harness.dead_letters.show_again(killed.handles)
        assert run(processes, harness, again, hours=1) == 0

        where = killed.where
        assert [dead_letter.body for dead_letter in harness.dead_letters.drain()] == [poison], where
        entries = [entry for entry in harness.audit() if entry["event_id"] in sent]
        marks = Counter(entry["event_id"] for entry in entries if entry["action"] == "mark_processed")
        assert marks == dict.fromkeys(sent, 1), where
        for identity in sent:
            actions = [entry["action"] for entry in entries if entry["event_id"] == identity and "operator" in entry]
            assert actions[-1] == "redriven", where
            assert actions.count("redrive_requested") <= 2, where
            assert actions.count("redriven") <= actions.count("redrive_requested"), where
    outcomes = Counter(invoked.outcome_line["outcome"] for invoked in harness.platform.invoked)
    assert set(outcomes) == {"marked", "duplicate"}, "an event that was sent twice is a duplicate"
