"""A queue full of unrecognised messages: `mep dlq` processes the others, and leaves these unchanged."""

import json
from collections import Counter
from contextlib import closing
from itertools import batched
from typing import Any

import pytest

from emulator.services.sqs import sqs_client
from tests.support.command_line import mep
from tests.support.dead_letters import Parts, event, from_handler, from_on_failure, from_rule
from tests.support.dlq_harness import Harness, detail_of
from tests.support.thorough import THOROUGH

MANY = 2_100 if THOROUGH else 420
KINDS: list[Parts] = [
    ("not JSON at all", {}),
    (json.dumps({"some": "other system's message"}), {}),
    ('{"requestContext": {"condition"', {}),
    ("\u202egnp.exe \u0085 {}", {"ERROR_CODE": "\u202e", "RequestID": "r"}),
    (json.dumps({"huge": "x" * 20_000}), {}),
    ('{"half": ', {"SOURCE": "handler", "ERROR_CODE": "not_found"}),
    ("[" * 2_000, {"RULE_ARN": "arn", "ERROR_CODE": "TIMEOUT"}),
]
"""The last two have the attributes of dead letters of the function and of EventBridge."""


def fill(harness: Harness, messages: list[Parts]) -> None:
    with closing(sqs_client(harness.dead_letters.url)) as client:
        for batch in batched(messages, 10, strict=False):
            entries: list[Any] = [
                {
                    "Id": str(number),
                    "MessageBody": body,
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
                    },
                }
                for number, (body, attributes) in enumerate(batch)
            ]
            reply = client.send_message_batch(QueueUrl=harness.dead_letters.queue_url, Entries=entries)
            assert len(reply["Successful"]) == len(entries)


def left(harness: Harness) -> Counter[str]:
    """Return the bodies in the queue; the messages stay in flight."""
    found: Counter[str] = Counter()
    with closing(sqs_client(harness.dead_letters.url)) as client:
        while batch := client.receive_message(
            QueueUrl=harness.dead_letters.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages"):
            found.update(message["Body"] for message in batch)
    return found


@pytest.mark.timeout(600, func_only=True)
def test_poison_messages_do_not_block_others(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [
        from_rule(event(1), "TIMEOUT"),
        from_on_failure(event(2)),
        from_handler(event(3), "not_found"),
        from_rule(event(4), "TIMEOUT"),
    ]
    poison = [KINDS[number % len(KINDS)] for number in range(MANY)]
    fill(harness, [*poison[:50], *good[:2], *poison[50:], *good[2:]])

    assert mep(monkeypatch, "dlq", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["seen"], listed["complete"]) == (MANY + len(good), True)
    per_kind = MANY // len(KINDS)
    groups = {group["group"]: group["count"] for group in listed["groups"]}
    assert groups == {"unknown": 5 * per_kind, "not_found": 1 + per_kind, "timeout": 2 + per_kind, "throttling": 1}

    assert mep(monkeypatch, "dlq", "redrive", "--rate", "1000") == 0
    assert mep(monkeypatch, "dlq", "discard", "--reason", "a test", "--category", "unknown", "--yes") == 0

    assert {detail_of(entry)["event_id"] for entry in harness.put_events()} == {
        event(number)["id"] for number in (1, 2, 4)
    }
    assert left(harness) == Counter([*(body for body, _ in poison), good[2][0]])


def test_messages_beyond_the_maximum_are_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(harness, [*KINDS[:4] * 6, from_rule(event(1), "TIMEOUT")])

    for command in (
        ("list",),
        ("redrive", "--rate", "1000"),
        ("discard", "--reason", "a test", "--category", "internal", "--yes"),
    ):
        assert mep(monkeypatch, "dlq", *command, "--max", "20") == 0
        said = "".join(capsys.readouterr())
        assert "about 5 more were not read: --max 20 was reached" in said, command

    assert mep(monkeypatch, "dlq", "redrive", "--rate", "1000") == 0
    assert "not read" not in "".join(capsys.readouterr())
    assert len(harness.put_events()) == 1
    assert len(harness.left()) == 24
