"""`mep dlq redrive` with real SQS, EventBridge and DynamoDB calls: what is sent, deleted and skipped."""

import json
from copy import replace
from typing import Any

import pytest

from emulator.faults import Reply, answer, aws_error, forward, http_status
from handler.event import parse_event, resolve_correlation_id
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler, from_lambda, from_on_failure, from_rule, from_subscriber
from tests.support.dlq_harness import Harness, detail_of

FAST = ("--rate", "1000")
ACCEPTED = answer(Reply(202, b"", {"x-amzn-RequestId": "lambda-request"}), name="accepted")


def redrive(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return mep(monkeypatch, "dlq", "redrive", *FAST, *arguments)


def test_every_format_with_an_event_is_redriven(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.send(
        from_handler(event(1), "throttling", CORRELATION_ID=event(1)["id"]),
        from_on_failure(event(2), error={"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}),
        from_rule(event(3), "THROTTLING"),
        from_lambda(event(4)),
    )

    assert redrive(monkeypatch) == 0

    assert harness.left() == []
    entries = harness.put_events()
    assert {detail_of(entry)["event_id"] for entry in entries} == {event(number)["id"] for number in range(1, 5)}
    for entry in entries:
        assert (entry["EventBusName"], entry["Source"]) == (harness.bus, "signal9.advisor")
        assert entry["DetailType"] == "earningsProcessed"
    assert harness.actions() == ["redrive_requested", "redriven"] * 4
    assert harness.metrics() == {"DeadLettersSeen": 4, "DeadLettersRedriven": 4}


def test_ids_survive_and_the_trace_is_linked(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = event(1) | {"resources": ["arn:aws:s3:::x"]}
    own = event(2, correlationId="c-2", eventId="e-2", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    harness.send(from_rule(plain, "TIMEOUT"), from_rule(own, "TIMEOUT"), trace=True)

    assert redrive(monkeypatch) == 0

    for sent, before in zip(
        sorted(harness.put_events(), key=lambda entry: "c-2" in entry["Detail"]), (plain, own), strict=True
    ):
        arrived = before | {"id": "made-by-eventbridge", "detail": detail_of(sent), "resources": sent["Resources"]}
        assert resolve_correlation_id(arrived) == resolve_correlation_id(before)
        parsed, original = (parse_event(value, source="signal9.advisor") for value in (arrived, before))
        assert replace(parsed, envelope_id=None) == replace(original, envelope_id=None)
        assert arrived["detail"]["traceparent"] == "00-68d1f2a30123456789abcdef01234567-53995c3f42cd8ad8-01"
        assert arrived["detail"]["redrive_count"] == 1
        assert sent["Resources"] == before["resources"]
        assert sent["Time"] == 1753992300
    assert {entry["trace_id"] for entry in harness.audit()} == {"68d1f2a30123456789abcdef01234567"}


def test_a_function_is_invoked_asynchronously(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = harness.send(from_on_failure(event(1)))
    harness.function.script(ACCEPTED)

    assert redrive(monkeypatch, "--function", "mark:live") == 0

    (call,) = harness.function.requests
    assert call.request.path == "/2015-03-31/functions/mark%3Alive/invocations"
    assert call.request.headers["x-amz-invocation-type"] == "Event"
    sent = call.request.json
    assert sent["id"] == event(1)["id"]
    assert resolve_correlation_id(sent).id == "from-function-error"
    assert harness.left() == []
    requested, redriven = harness.audit()
    assert redriven["destination"] == "function:mark:live"
    assert redriven["accepted_as"] == "lambda-request"
    assert redriven["operator"] == "alice"
    assert redriven["message_id"] == requested["message_id"] == message
    assert redriven["earnings_key"] == "AAPL#2025-07-31"
    assert redriven["entry_id"] == f"{redriven['recorded_at']}#{event(1)['id']}"


@pytest.mark.parametrize("category", ["validation", "not_found", "access_denied", "configuration", "from-the-future"])
def test_a_permanent_failure_needs_force(category: str, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.send(from_handler(event(1), category))

    assert redrive(monkeypatch) == 0
    assert harness.put_events() == []
    assert redrive(monkeypatch, "--force") == 0

    assert len(harness.put_events()) == 1
    assert harness.left() == []


def test_a_message_without_an_event_is_never_redriven(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = "<what is this?>"
    harness.send(from_subscriber(), (strange, {}), ("{", from_rule()[1]))

    assert redrive(monkeypatch, "--force", "--function", "f") == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert "replay them from the bus's archive" in shown
    assert "unrecognised message format; left in the queue" in shown
    assert sorted(dead_letter.body for dead_letter in harness.left()) == sorted([strange, from_subscriber()[0], "{"])
    assert harness.function.requests == ()
    assert harness.actions() == []


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (event(1) | {"source": "somebody.else"}, "no enabled rule of bus"),
        (["no", "envelope"], "not an EventBridge event"),
        ({key: value for key, value in event(1).items() if key != "source"}, "no source"),
        (event(1) | {"resources": [1]}, "resources"),
    ],
)
def test_an_event_that_the_bus_would_drop_is_skipped(
    sent: Any, reason: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_handler(sent, "validation"))

    assert redrive(monkeypatch, "--force") == 0

    assert reason in " ".join(capsys.readouterr().out.split())
    assert harness.put_events() == []
    assert len(harness.left()) == 1


def test_a_bus_without_a_rule_gets_no_event(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))

    assert redrive(monkeypatch, "--bus", "default") == 1

    assert "has no enabled rule" in capsys.readouterr().err
    assert len(harness.left()) == 1


def test_a_rejected_event_keeps_its_message(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try later"}]}
    harness.events.script(answer(Reply(200, json.dumps(refused).encode())), operation="PutEvents")

    assert redrive(monkeypatch) == 1

    assert len(harness.left()) == 1
    assert harness.actions() == ["redrive_requested"]
    assert harness.metrics() == {"DeadLettersSeen": 1, "DeadLettersRedriveFailed": 1}


def test_five_rejections_in_a_row_end_the_run(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(7)))
    harness.events.script(*[aws_error("ValidationException")] * 5, operation="PutEvents")

    assert redrive(monkeypatch) == 1

    assert "5 in a row were not accepted" in capsys.readouterr().err
    assert len(harness.left()) == 7


def test_an_unchecked_event_is_not_sent(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(7)))
    busy = aws_error("ValidationException", message="busy with something else")
    harness.events.script(*[busy] * 4, forward(), *[busy] * 2, operation="TestEventPattern")

    assert redrive(monkeypatch) == 1

    shown = " ".join(capsys.readouterr().out.split())
    assert "6 kept: ValidationException at TestEventPattern (" in shown
    assert "1 of 7 sent" in shown
    assert len(harness.put_events()) == 1
    assert len(harness.left()) == 6


def test_five_failed_checks_in_a_row_end_the_run(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(7)))
    harness.events.script(*[aws_error("ValidationException")] * 7, operation="TestEventPattern")

    assert redrive(monkeypatch) == 3

    assert "did not answer about 5 events in a row" in capsys.readouterr().err
    assert harness.events.attempts("TestEventPattern") == 5
    assert harness.actions() == []
    assert len(harness.left()) == 7


@pytest.mark.parametrize("operation", ["ListRules", "ListTargetsByRule"])
def test_unreadable_rules_end_the_run_at_once(
    operation: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(3)))
    harness.events.script(*[aws_error("ValidationException")] * 3, operation=operation)

    assert redrive(monkeypatch) == 3

    assert capsys.readouterr().err.splitlines()[-1].startswith(f"mep: the rules of bus {harness.bus} cannot be read:")
    assert harness.events.attempts(operation) == 1
    assert len(harness.left()) == 3


@pytest.mark.parametrize("refuses", ["audit", "queue"])
def test_an_accepted_event_still_in_the_queue_is_reported(
    refuses: str, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(3)))
    if refuses == "audit":
        harness.dynamodb.script(forward(), aws_error("AccessDeniedException"), operation="PutItem")
    else:
        harness.sqs.script(aws_error("AccessDeniedException"), operation="DeleteMessage")

    assert redrive(monkeypatch) == 3

    output = capsys.readouterr()
    assert "stopped: 0 of 3 sent" in output.out
    assert "1 sent but perhaps not deleted, 2 not attempted" in output.out
    (line,) = [line for line in output.err.splitlines() if "was accepted, but the message was not deleted" in line]
    assert line.removeprefix("mep: the event of ").partition(" ")[0] in messages
    assert len(harness.put_events()) == 1
    assert harness.metrics() == {"DeadLettersSeen": 3, "DeadLettersRedriven": 1}
    assert len(harness.left()) == 3


def test_numbers_of_any_size_are_redriven_unchanged(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function reads them, whatever Python's limit of digits."""
    digits = "7" * 5_000
    body, attributes = from_handler(event(1), "validation")
    harness.send((body.replace('"AAPL"', f'"AAPL", "digits": {digits}, "far": 1e999'), attributes))

    assert redrive(monkeypatch, "--force") == 0

    (entry,) = harness.put_events()
    assert f'"digits":{digits},"far":1e999' in entry["Detail"]
    calls = [call.request for call in harness.events.requests]
    (checked,) = [call.json for call in calls if call.operation == "TestEventPattern"]
    assert f'"digits":{digits},"far":1e999' in checked["Event"]
    assert harness.left() == []


def test_a_missing_destination_is_one_line(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(*(from_rule(event(number), "TIMEOUT") for number in range(3)))
    harness.function.script(aws_error("ResourceNotFoundException", 404))

    assert redrive(monkeypatch, "--function", "nowhere") == 3

    output = capsys.readouterr()
    assert output.err.splitlines()[-1].startswith("mep: function:nowhere cannot be used:")
    assert output.out == "stopped: 0 of 3 sent to function:nowhere and deleted, 1 not accepted, 2 not attempted\n"
    assert len(harness.left()) == 3


def test_without_an_audit_entry_nothing_is_sent(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    harness.dynamodb.script(aws_error("AccessDeniedException"), operation="PutItem")

    assert redrive(monkeypatch) == 3

    assert "cannot be written" in capsys.readouterr().err
    assert harness.put_events() == []
    assert len(harness.left()) == 1


def test_a_dry_run_changes_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))

    assert redrive(monkeypatch, "--dry-run") == 0

    assert "1 of 1 would be sent to bus:" in capsys.readouterr().out
    assert harness.put_events() == []
    assert harness.actions() == []
    assert len(harness.left()) == 1


def test_filters_select_messages(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = harness.send(
        from_rule(event(1, event_id="e-1"), "TIMEOUT"),
        from_rule(event(2, event_id="e-2"), "TIMEOUT"),
        from_rule(event(3, event_id="e-3"), "THROTTLING"),
    )

    assert redrive(monkeypatch, "--older-than", "1h") == 0
    assert harness.put_events() == []
    assert redrive(monkeypatch, "--category", "timeout", "--id", first[:8]) == 0
    assert redrive(monkeypatch, "--correlation-id", "e-3") == 0

    assert [detail_of(entry)["event_id"] for entry in harness.put_events()] == ["e-1", "e-3"]
    assert [dead_letter.message_id for dead_letter in harness.left()] == [second]


def test_a_named_message_that_is_not_sent_is_a_failure(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = harness.send(from_handler(event(1), "validation"))

    assert redrive(monkeypatch, "--id", "0000-nobody") == 1
    assert "0000-nobody was not found" in capsys.readouterr().err
    assert redrive(monkeypatch, "--id", message) == 1


def test_metrics_beside_an_emulator_are_not_mentioned(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    monkeypatch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH")

    assert redrive(monkeypatch) == 0

    assert "metrics" not in "".join(capsys.readouterr())


def test_a_server_error_is_retried(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    harness.events.script(http_status(500), operation="PutEvents")

    assert redrive(monkeypatch) == 0

    assert harness.left() == []
