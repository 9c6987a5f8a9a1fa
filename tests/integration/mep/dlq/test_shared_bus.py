"""A bus that others use, too: a redrive to it reaches each rule that matches, and names it; ours must be among them."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from emulator.clients import loopback_client
from emulator.faults import Reply, answer
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_rule
from tests.support.dlq_harness import FUNCTION_ARN, Harness

OTHER_FUNCTION = FUNCTION_ARN.replace("MarkEarningsProcessed", "send-newsletter")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:all-events"
ANY_EARNINGS = {"source": ["signal9.advisor"]}


@pytest.fixture
def events(harness: Harness, events_url: str) -> Iterator[Any]:
    """A client of EventBridge beside the command."""
    with closing(loopback_client("events", events_url)) as client:
        yield client
        for rule in client.list_rules(EventBusName=harness.bus)["Rules"]:
            if rule["Name"] != "mark":
                client.remove_targets(Rule=rule["Name"], EventBusName=harness.bus, Ids=["other"])
                client.delete_rule(Name=rule["Name"], EventBusName=harness.bus)


def add_rule(events: Any, harness: Harness, name: str, target: str, pattern: Any = None) -> None:
    text = json.dumps(pattern or ANY_EARNINGS)
    events.put_rule(Name=name, EventBusName=harness.bus, EventPattern=text)
    events.put_targets(Rule=name, EventBusName=harness.bus, Targets=[{"Id": "other", "Arn": target}])


def redrive(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    return mep(monkeypatch, "dlq", "redrive", "--rate", "1000", *arguments)


def test_other_targets_are_named(
    harness: Harness, events: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_rule(events, harness, "keep-all", QUEUE)
    add_rule(events, harness, "orders", QUEUE, {"source": ["shop"]})
    events.put_targets(Rule="mark", EventBusName=harness.bus, Targets=[{"Id": "copy", "Arn": f"{QUEUE}-2"}])
    harness.send(from_rule(event(1), "TIMEOUT"), from_rule(event(2), "TIMEOUT"))

    assert redrive(monkeypatch, "--json") == 0

    events.remove_targets(Rule="mark", EventBusName=harness.bus, Ids=["copy"])
    output = capsys.readouterr()
    assert json.loads(output.out)["other_targets"] == ["keep-all (sqs all-events)", "mark (sqs all-events-2)"]
    assert "also to keep-all (sqs all-events), mark (sqs all-events-2): use --function NAME" in output.err
    assert len(harness.put_events()) == 2


def test_a_function_alone_is_reached_without_the_bus(
    harness: Harness, events: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_rule(events, harness, "keep-all", QUEUE)
    harness.send(from_rule(event(1), "TIMEOUT"))
    harness.function.script(answer(Reply(202, b"", {"x-amzn-RequestId": "r"}), name="accepted"))

    assert redrive(monkeypatch, "--function", "mark", "--json") == 0

    assert json.loads(capsys.readouterr().out)["other_targets"] == []
    assert harness.events.requests == (), "no event goes onto the bus"
    assert len(harness.function.requests) == 1


def test_the_rule_of_another_function_is_not_ours(
    harness: Harness, events: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the event would be accepted, the message deleted, and our function never invoked."""
    add_rule(events, harness, "newsletter", OTHER_FUNCTION)
    harness.send(from_rule(event(1), "TIMEOUT"))

    assert redrive(monkeypatch) == 1
    assert "invoke several functions (MarkEarningsProcessed, send-newsletter)" in capsys.readouterr().err
    events.put_targets(
        Rule="mark",
        EventBusName=harness.bus,
        Targets=[{"Id": "function", "Arn": f"{FUNCTION_ARN.rpartition(':')[0]}:mark-earnings-processed-test:live"}],
    )
    events.disable_rule(Name="mark", EventBusName=harness.bus)
    assert redrive(monkeypatch) == 1
    assert "no enabled rule that invokes function mark-earnings-processed-test" in capsys.readouterr().err
    assert harness.put_events() == []
    events.enable_rule(Name="mark", EventBusName=harness.bus)
    assert redrive(monkeypatch) == 0

    assert "also to newsletter (lambda send-newsletter)" in capsys.readouterr().err
    assert len(harness.put_events()) == 1
    assert harness.left() == []


def test_the_default_bus(
    harness: Harness, events: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every account has it, with the rules of others: only the one of the environment's function is ours."""
    ours = FUNCTION_ARN.replace("MarkEarningsProcessed", "mark-earnings-processed-test:live")
    rules = {"mark-earnings-processed-test-37a8ee": ours, "newsletter": OTHER_FUNCTION}
    for name, target in rules.items():
        events.put_rule(Name=name, EventPattern=json.dumps(ANY_EARNINGS))
        events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": target}])
    harness.send(from_rule(event(1), "TIMEOUT"))
    monkeypatch.setenv("EVENT_BUS_NAME", "default")

    status = redrive(monkeypatch)

    for name in rules:
        events.remove_targets(Rule=name, Ids=["function"])
        events.delete_rule(Name=name)
    assert status == 0
    assert [entry["EventBusName"] for entry in harness.put_events()] == ["default"]
    assert "also to newsletter (lambda send-newsletter)" in capsys.readouterr().err
