"""`mep dlq list`, `show` and `discard`: complete about the queue, careful with unrecognised messages."""

import io
import json
from contextlib import closing
from typing import Any

import pytest
from rich.console import Console

from emulator.faults import Exchange, Fault, Reply, answer, aws_error, forward, sqs_error
from emulator.services.sqs import sqs_client
from handler.errors import ErrorCategory, EventNotProcessed
from mep.dlq.render import listing
from mep.dlq.sources import read_dead_letter
from tests.support.command_line import mep
from tests.support.dead_letters import event, from_handler, from_on_failure, from_rule, from_subscriber
from tests.support.dlq_harness import Harness


def as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert mep(monkeypatch, "dlq", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_list_groups_and_consumes_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(
        *(from_rule(event(number), "TIMEOUT") for number in range(11)), from_handler(event(20)), from_subscriber()
    )

    found = as_json(monkeypatch, capsys, "list")

    groups = {(group["group"], group["count"]) for group in found["groups"]}
    assert groups == {("timeout", 11), ("not_found", 1), ("access_denied", 1)}
    assert (found["seen"], found["matching"], found["complete"], found["in_flight"]) == (13, 13, True, 0)
    assert {
        dead_letter["correlation_id"] for dead_letter in found["letters"] if dead_letter["category"] == "not_found"
    } == {"from-attribute"}
    assert harness.metrics() == {"DeadLettersSeen": 13}
    assert len(harness.left()) == 13, "every message is visible again at once"


def test_a_list_can_be_filtered_and_grouped(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1, event_id="e-1"), "TIMEOUT"), from_handler(event(2)))

    by_id = as_json(monkeypatch, capsys, "list", "--by", "correlation-id", "--category", "timeout")
    by_age = as_json(monkeypatch, capsys, "list", "--by", "age", "--newer-than", "1h")

    assert [group["group"] for group in by_id["groups"]] == ["e-1"]
    assert (by_id["seen"], by_id["matching"]) == (2, 1)
    assert by_age["groups"] == [{"by": "age", "group": "under 1 hour", "count": 2}]


def test_a_list_reports_messages_in_flight(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    with closing(sqs_client(harness.dead_letters.url)) as other:
        other.receive_message(QueueUrl=harness.dead_letters.queue_url, VisibilityTimeout=60)

    assert mep(monkeypatch, "dlq", "list") == 0

    shown = capsys.readouterr().out
    assert "0 of 0 messages" in shown
    assert "about 1 more are in flight: another consumer has received them" in shown
    assert as_json(monkeypatch, capsys, "list")["complete"] is False


def test_a_list_escapes_control_characters(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT", ERROR_MESSAGE="red: \u202e\u0085[31m " + "x" * 300))

    assert mep(monkeypatch, "dlq", "list") == 0

    shown = capsys.readouterr().out
    assert "\u202e" not in shown
    assert "\u0085" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_failed_release_is_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.send(from_rule(event(1), "TIMEOUT"))
    harness.sqs.script(aws_error("AccessDeniedException"), operation="ChangeMessageVisibilityBatch")

    assert mep(monkeypatch, "dlq", "list", "--visibility", "30") == 0

    assert "1 messages could not be released: they become visible again within 30 s" in capsys.readouterr().err


def test_show_finds_by_id_prefix_or_correlation_id(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message, _ = harness.send(from_rule(event(1, event_id="e-1"), "TIMEOUT"), from_rule(event(2), "TIMEOUT"))

    for name in (message, message[:6], "e-1"):
        found = as_json(monkeypatch, capsys, "show", name)
        assert (found["message_id"], found["event"]) == (message, event(1, event_id="e-1"))
    assert mep(monkeypatch, "dlq", "show", message) == 0
    assert '"asset_symbol": "AAPL"' in capsys.readouterr().out
    assert mep(monkeypatch, "dlq", "show", "nobody") == 1
    assert "no message nobody among the 2 that were read" in capsys.readouterr().err
    assert len(harness.left()) == 2


def test_throttling_reasons_are_shown(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "TableWriteKeyRangeThroughputExceeded arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
    text = str(EventNotProcessed(ErrorCategory.THROTTLING, "c-1", "ThrottlingException", (reason,)))
    (message,) = harness.send(from_on_failure(error={"errorType": "EventNotProcessed", "errorMessage": text}))

    (found,) = as_json(monkeypatch, capsys, "list")["letters"]
    assert found["throttling_reasons"] == as_json(monkeypatch, capsys, "show", message)["throttling_reasons"]
    assert found["throttling_reasons"] == [reason]
    assert mep(monkeypatch, "dlq", "show", message) == 0
    assert f"throttling_reasons {reason}" in " ".join(capsys.readouterr().out.split())
    dead_letter = read_dead_letter(
        message, *from_on_failure(error={"errorType": "EventNotProcessed", "errorMessage": text})
    )
    for width in (200, 100, 40):
        screen = Console(file=io.StringIO(), width=width)
        screen.print(listing([dead_letter], "category"))
        assert isinstance(screen.file, io.StringIO)
        *_, row = screen.file.getvalue().rstrip().partition(message)
        why = "".join(row.partition("on_failure")[2].split())
        assert why == "ThrottlingException:TableWriteKeyRangeThroughputExceededtable/earningsCalendar"


def test_show_prints_an_unrecognised_message(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = '{"half": "a message'
    (message,) = harness.send((body, {"Some": "attribute"}))

    assert mep(monkeypatch, "dlq", "show", message) == 0

    shown = capsys.readouterr().out
    assert body in shown
    assert "Some  attribute" in shown


def discard(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return mep(monkeypatch, "dlq", "discard", "--reason", "tested by hand", *arguments)


def test_discard_deletes_and_records_the_reason(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    message, other = harness.send(from_handler(event(1), "validation"), from_rule(event(2), "TIMEOUT"))

    assert discard(monkeypatch, "--category", "validation", "--yes") == 0

    assert [dead_letter.message_id for dead_letter in harness.left()] == [other]
    requested, discarded = harness.audit()
    assert (requested["action"], discarded["action"]) == ("discard_requested", "discarded")
    assert (discarded["reason"], discarded["operator"]) == ("tested by hand", "alice")
    assert (discarded["message_id"], discarded["earnings_key"]) == (message, "AAPL#2025-07-31")
    assert harness.metrics() == {"DeadLettersSeen": 2, "DeadLettersDiscarded": 1}


def test_an_event_without_a_row_has_its_own_key(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = harness.send(from_handler(["no", "event"], "validation"))

    assert discard(monkeypatch, "--id", message, "--yes") == 0

    assert {entry["earnings_key"] for entry in harness.audit()} == {f"DEAD_LETTER#{message}"}
    assert harness.audit()[0]["event_id"] == message


@pytest.mark.parametrize("attributes", [{}, from_handler(None, "validation")[1]], ids=["nobody's", "the function's"])
def test_an_unrecognised_message_is_never_discarded(
    attributes: dict[str, str], harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = harness.send(("what is this?", attributes))

    assert discard(monkeypatch, "--id", message, "--yes") == 1
    assert discard(monkeypatch, "--category", "unknown", "--category", "validation", "--yes") == 0

    assert "unrecognised message format; never deleted" in " ".join(capsys.readouterr().out.split())
    assert len(harness.left()) == 1
    assert harness.actions() == []


def test_discard_needs_confirmation(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = harness.send(from_handler(event(1), "validation"))

    assert discard(monkeypatch, "--id", message, "--dry-run") == 0
    assert "1 of 1 would be discarded; nothing was discarded" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert discard(monkeypatch, "--id", message) == 2
    refused = capsys.readouterr()
    assert refused.err == "mep: standard input is not a terminal: check with --dry-run, then use --yes\n"
    assert refused.out == "", "refused before the plan"
    assert discard(monkeypatch) == 2
    assert len(harness.left()) == 1


@pytest.mark.parametrize(("filters", "status"), [(["--id", "MESSAGE"], 1), (["--category", "validation"], 0)])
def test_a_refused_confirmation_of_a_named_message(
    filters: list[str],
    status: int,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (message,) = harness.send(from_handler(event(1), "validation"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _, **__: False)

    assert discard(monkeypatch, *[option.replace("MESSAGE", message) for option in filters]) == status

    assert "nothing was discarded" in capsys.readouterr().out
    assert len(harness.left()) == 1


def test_an_expired_visibility_timeout_is_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (message,) = harness.send(from_handler(event(1), "validation"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def confirm_late(_: str, **__: object) -> bool:
        with closing(sqs_client(harness.dead_letters.url)) as other:
            received: list[Any] = []
            while not received:
                queue = harness.dead_letters.queue_url
                reply = other.receive_message(QueueUrl=queue, VisibilityTimeout=60, WaitTimeSeconds=1)
                received = list(reply.get("Messages", []))
        return True

    monkeypatch.setattr("typer.confirm", confirm_late)

    assert discard(monkeypatch, "--id", message, "--visibility", "1") == 1

    output = capsys.readouterr()
    assert "0 of 1 discarded, 1 expired" in output.out
    assert "1 message exceeded the visibility timeout and may be with another consumer" in output.err
    assert harness.actions() == []


def test_an_empty_receive_is_followed_by_long_polling(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Short polling queries few of SQS's servers, and a small queue is on few of them."""
    harness.send(from_rule(event(1), "TIMEOUT"))
    looks_empty = answer(Reply(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"}), name="empty")

    def reads_like_sqs(exchange: Exchange) -> None:
        (looks_empty if not exchange.request.json.get("WaitTimeSeconds") else forward()).act(exchange)

    harness.sqs.script(*[Fault("few servers", reads_like_sqs)] * 9, operation="ReceiveMessage")

    assert mep(monkeypatch, "dlq", "list") == 0

    assert "1 of 1 messages" in capsys.readouterr().out


def test_a_number_beyond_a_doubles_range_is_retained(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body, attributes = from_handler(event(1, note="\u00fc \u009b1m Infinity"), "validation")
    harness.send((body.replace('"AAPL"', '"AAPL", "extra": 1e999, "less": -1e999'), attributes), from_rule(event(2)))

    assert mep(monkeypatch, "dlq", "list", "--json") == 0
    listed = capsys.readouterr().out
    assert mep(monkeypatch, "dlq", "show", "from-attribute", "--json") == 0
    shown = capsys.readouterr().out
    assert mep(monkeypatch, "dlq", "show", "from-attribute") == 0
    printed = capsys.readouterr().out

    for text in (listed, shown, printed):
        assert text.isascii()
        assert '"extra":1e999,"less":-1e999' in text
    dead_letters = json.loads(listed, parse_constant=pytest.fail)["letters"]
    assert json.loads(shown, parse_constant=pytest.fail)["event"] in [
        dead_letter["event"] for dead_letter in dead_letters
    ]
    assert {dead_letter["event"]["detail"].get("note") for dead_letter in dead_letters} == {
        None,
        "\u00fc \u009b1m Infinity",
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["list", "--category", "nonsense"], "--category nonsense: must be one of validation,"),
        (["list", "--older-than", "soon"], "--older-than soon: must be an age such as"),
        (["list", "--by", "mood"], "--by mood: must be one of category, age, correlation-id"),
        (["redrive", "--id", "abc"], "message ID 'abc': must have at least 4 characters"),
        (["discard", "--reason", " ", "--id", "abcd"], "--reason must be one line"),
        (["list", "--queue-url", "my-queue"], "--queue-url must be a URL such as"),
    ],
)
def test_wrong_usage_is_one_line_and_no_call(
    arguments: list[str],
    text: str,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert mep(monkeypatch, "dlq", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
    assert harness.sqs.requests == ()


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"DEAD_LETTER_QUEUE_URL": ""}, "DEAD_LETTER_QUEUE_URL is not set"),
        ({"DEAD_LETTER_QUEUE_URL": "queue"}, "DEAD_LETTER_QUEUE_URL must be a URL"),
        ({"AWS_ENDPOINT_URL_SQS": "nowhere"}, "AWS_ENDPOINT_URL_SQS"),
        (
            {"AWS_ENDPOINT_URL_EVENTBRIDGE": ""},
            "AWS_ENDPOINT_URL_EVENTBRIDGE is not set, although the queue is not on AWS",
        ),
        ({"EVENT_BUS_NAME": ""}, "no destination: use --bus NAME"),
    ],
)
def test_an_invalid_setting_is_named(
    variables: dict[str, str],
    text: str,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del harness
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert mep(monkeypatch, "dlq", "redrive") == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert text in line


def test_a_missing_queue_is_one_line(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.sqs.script(sqs_error("QueueDoesNotExist"))

    assert mep(monkeypatch, "dlq", "list") == 3

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mep: the queue {harness.dead_letters.queue_url} cannot be used:")
