"""What `mep dlq redrive` and `discard` report: with --json, when they are interrupted, and after --wait."""

import json
import signal
import sys
from typing import Any

import pytest

from emulator.faults import Exchange, Fault, aws_error, forward, lost_reply
from mep.dlq.destinations import Bus
from mep.interrupts import INTERRUPTS
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler, from_rule
from tests.support.dlq_harness import Harness, detail_of

FAST = ("--rate", "1000")


def run_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Return the exit status, and the one JSON value on standard output."""
    status = mep(monkeypatch, "dlq", *arguments, "--json")
    return status, json.loads(capsys.readouterr().out)


def nonzero(found: Any) -> dict[str, int]:
    assert sum(found["counts"].values()) == found["selected"] == len(found["messages"])
    return {state: count for state, count in found["counts"].items() if count}


def test_a_redrive_as_json(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, kept = harness.send(from_rule(event(1, event_id="e-1"), "TIMEOUT"), from_handler(event(2), "validation"))

    status, planned = run_json(monkeypatch, capsys, "redrive", *FAST, "--dry-run")
    assert (status, planned["dry_run"], nonzero(planned)) == (0, True, {"skipped": 1, "not_attempted": 1})
    status, found = run_json(monkeypatch, capsys, "redrive", *FAST, "--id", sent, "--id", kept, "--id", "nobody")

    assert (status, nonzero(found), found["missing"]) == (1, {"sent": 1, "skipped": 1}, ["nobody"])
    assert (found["action"], found["destination"], found["stopped"]) == ("redrive", f"bus:{harness.bus}", None)
    assert (found["seen"], found["complete"], found["returns"]) == (2, True, None)
    by_id = {message["message_id"]: message for message in found["messages"]}
    assert by_id[sent] == {
        "message_id": sent,
        "correlation_id": "e-1",
        "category": "timeout",
        "state": "sent",
        "reason": None,
    }
    assert by_id[kept]["reason"] == "validation is not transient: fix the cause, then use --force"


def test_a_discard_as_json(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_handler(event(1), "validation"), from_handler(event(2), "validation"))
    arguments = ("discard", "--reason", "a test", "--category", "validation")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _, *, err: not err)

    status, refused = run_json(monkeypatch, capsys, *arguments)
    assert (status, nonzero(refused)) == (0, {"skipped": 2})
    status, found = run_json(monkeypatch, capsys, *arguments, "--yes")

    assert (status, nonzero(found)) == (0, {"discarded": 2})
    assert (found["action"], found["destination"]) == ("discard", None)
    assert harness.left() == []


@pytest.mark.parametrize(
    ("received", "stopped", "status"), [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)]
)
def test_an_interrupted_redrive_says_what_it_did(
    received: signal.Signals,
    stopped: str,
    status: int,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The handler of both signals raises `KeyboardInterrupt`."""
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(4)))
    send = Bus.send

    def interrupted(bus: Bus, sent: Any) -> str:
        if harness.put_events():
            monkeypatch.setattr(INTERRUPTS, "received", received)
            raise KeyboardInterrupt
        return send(bus, sent)

    monkeypatch.setattr(Bus, "send", interrupted)
    monkeypatch.setattr("os._exit", sys.exit)

    assert mep(monkeypatch, "dlq", "redrive", *FAST) == status

    output = capsys.readouterr()
    to = f"bus:{harness.bus}"
    assert f"{stopped}: 1 of 4 sent to {to} and deleted, 1 perhaps sent, 2 not attempted" in output.out
    assert "2 messages not attempted, still in the queue: run the same command again\n" in output.err
    assert "was accepted is not known, so the message was not deleted" in output.err
    found_status, found = run_json(monkeypatch, capsys, "redrive", *FAST)
    assert (found_status, found["stopped"]) == (status, stopped)
    assert nonzero(found) == {"uncertain": 1, "not_attempted": 2}
    assert len(harness.left()) == 3


def test_a_lost_reply_is_not_a_refusal(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"), from_rule(event(2), "TIMEOUT"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    harness.events.script(lost_reply(), operation="PutEvents")

    status, found = run_json(monkeypatch, capsys, "redrive", *FAST)

    assert (status, nonzero(found), found["stopped"]) == (1, {"sent": 1, "uncertain": 1}, None)
    assert len(harness.left()) == 1


@pytest.mark.parametrize(("refuses", "state"), [(True, "failed"), (False, "uncertain")])
def test_a_discard_that_fails_in_the_middle(
    refuses: bool, state: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_handler(event(number), "validation") for number in range(3)))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fault = aws_error("AccessDeniedException") if refuses else lost_reply()
    harness.sqs.script(forward(), fault, operation="DeleteMessage")

    status, found = run_json(monkeypatch, capsys, "discard", "--reason", "a test", "--category", "validation", "--yes")

    assert (status, nonzero(found)) == (3, {"discarded": 1, state: 1, "not_attempted": 1})
    assert "the queue http" in found["stopped"]
    assert len(harness.left()) == (2 if refuses else 1)


def failing_again(harness: Harness, *numbers: int) -> Fault:
    """An event of one of these numbers is accepted and comes back as a dead letter with a new envelope."""

    def act(exchange: Exchange) -> None:
        (entry,) = exchange.request.json["Entries"]
        detail = detail_of(entry)
        if detail["event_id"] in {event(number)["id"] for number in numbers}:
            harness.send(from_handler(event(99) | {"detail": detail}))
        exchange.reply(exchange.forward())

    return Fault("failing again", act)


def test_a_redrive_waits_for_what_comes_back(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_handler(event(number)) for number in (1, 2)), from_handler(event(3), "validation"))
    harness.events.script(*[failing_again(harness, 1)] * 2, operation="PutEvents")

    arguments = ("redrive", *FAST, "--category", "not_found", "--force")
    assert mep(monkeypatch, "dlq", *arguments, "--wait-timeout", "1s") == 1

    output = capsys.readouterr().out
    assert f"2 of 2 sent to bus:{harness.bus} and deleted\n" in output
    assert "1 of 2 came back as dead letters within" in output
    assert "(1 not_found), 1 did not" in output
    assert "or redrive with --wait" not in output
    harness.events.script(failing_again(harness, 1), operation="PutEvents")
    status, found = run_json(monkeypatch, capsys, *arguments, "--wait")
    assert status == 1
    assert (found["returns"]["expected"], found["returns"]["returned"]) == (1, 1)
    assert [message["category"] for message in found["returns"]["messages"]] == ["not_found"]
    assert found["returns"]["waited_s"] < 60, "nothing is left to wait for"
    status, found = run_json(monkeypatch, capsys, *arguments, "--wait-timeout", "1s")
    assert (status, found["returns"]["returned"], found["returns"]["not_returned"]) == (0, 0, 1)
    assert len(harness.left()) == 1, "what the wait received is visible again"


def test_a_forced_redrive_says_how_to_watch(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_handler(event(1)))

    assert mep(monkeypatch, "dlq", "redrive", *FAST, "--force") == 0

    assert "see `mep dlq list --newer-than 1m`, or redrive with --wait" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--bus", "b", "--function", "f"), "--bus and --function: use one of them"),
        (("--wait-timeout", "soon"), "--wait-timeout soon: must be an age such as 90s"),
    ],
)
def test_options_are_checked_before_the_queue_is_read(
    arguments: tuple[str, ...],
    text: str,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert mep(monkeypatch, "dlq", "redrive", *arguments) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
    assert harness.sqs.requests == ()


def test_the_queue_that_was_tried_is_named(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del harness
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    assert mep(monkeypatch, "dlq", "list", "--queue-url", "http://127.0.0.1:1/0/q") == 3

    said = capsys.readouterr().err
    assert "the queue http://127.0.0.1:1/0/q cannot be used: no connection to 127.0.0.1:1" in said
    assert "kept.env of a `mep local --keep` that has ended" in said, "not: check the network"
