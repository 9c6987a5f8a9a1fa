"""What the automatic redrive could not read is never reported as nothing, and an event is sent three times in all."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from emulator.faults import aws_error
from emulator.services.sqs import sqs_client
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.sources import read_dead_letter
from redriver import policy
from redriver.redrive import Status
from tests.support.dead_letters import event, from_rule
from tests.support.redriver_harness import RedriverHarness

DATE = "2025-07-31"
UNKNOWN = {"DeadLettersLeft", "OldestDeadLetterAge"}


def with_row(harness: RedriverHarness, number: int, **detail: Any) -> dict[str, Any]:
    harness.tables.put_row(f"R{number}", DATE)
    return event(number, asset_symbol=f"R{number}", **detail)


@pytest.mark.parametrize("proxy", ["sqs", "events"])
def test_a_queue_that_could_not_be_read_is_not_reported_as_empty(harness: RedriverHarness, proxy: str) -> None:
    harness.send(from_rule(with_row(harness, 1, redrive_count=3), "TIMEOUT"))
    harness.run()
    assert harness.metrics()["DeadLettersLeft"] == 1
    getattr(harness, proxy).script(*[aws_error("InternalServerError", 500)] * 4)

    assert harness.run() is Status.UNAVAILABLE

    assert harness.metrics().keys().isdisjoint(UNKNOWN)


def test_messages_whose_history_was_not_read_are_not_reported_as_none_left(harness: RedriverHarness) -> None:
    harness.send(from_rule(with_row(harness, 1, redrive_count=3), "TIMEOUT"))
    harness.run()
    harness.dynamodb.script(*[aws_error("InternalServerError", 500)] * 4)

    assert harness.run() is Status.UNAVAILABLE

    assert "DeadLettersLeft" not in harness.metrics()


def test_messages_of_another_consumer_are_not_reported_as_nothing(harness: RedriverHarness) -> None:
    harness.send(from_rule(with_row(harness, 1, redrive_count=3), "TIMEOUT"))
    with closing(sqs_client(harness.dead_letters.url)) as client:
        client.receive_message(QueueUrl=harness.dead_letters.queue_url, VisibilityTimeout=600)

    assert harness.run() is Status.NOTHING_TO_DO

    assert (harness.log["seen"], harness.log["unread"]) == (0, 1)
    assert harness.metrics().keys().isdisjoint(UNKNOWN)


def test_those_that_are_left_do_not_stop_the_others(harness: RedriverHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_HISTORIES", 2)
    harness.send(*(from_rule(with_row(harness, number, redrive_count=3), "TIMEOUT") for number in range(1, 4)))
    harness.send(from_rule(with_row(harness, 4), "TIMEOUT"))
    harness.run(after=timedelta())
    harness.send(from_rule(with_row(harness, 5), "TIMEOUT"))

    assert harness.run() is Status.DONE

    assert harness.metrics()["DeadLettersLeft"] == 3


def test_two_messages_of_one_event_are_sent_three_times_in_all(harness: RedriverHarness) -> None:
    """EventBridge and Lambda may deliver an event twice, and both deliveries fail. A good probe precedes them."""
    poison = with_row(harness, 1)
    harness.send(from_rule(poison, "TIMEOUT"), from_rule(poison, "TIMEOUT"))
    served, refused = harness.lambda_._otherwise, aws_error("TooManyRequestsException", 429)

    for number in range(2, 5):
        harness.send(from_rule(with_row(harness, number), "TIMEOUT"))
        harness.lambda_.script(served, served, refused, refused)
        harness.run()
        harness.lambda_._script.clear()

    assert [entry["action"] for entry in harness.audit() if entry["earnings_key"] == f"R1#{DATE}"] == [
        "redrive_requested"
    ] * policy.MAX_REDRIVES
    assert harness.log["kept"] == {"limit_reached": 2}


def test_attempts_of_a_person_and_of_the_function_add_up(harness: RedriverHarness) -> None:
    """Sent twice without success, then by a person with `mep dlq redrive`; it fails again, as a new message."""
    sent = with_row(harness, 1)
    harness.send(from_rule(sent, "TIMEOUT"))
    harness.lambda_.script(harness.lambda_._otherwise, aws_error("TooManyRequestsException", 429))
    harness.run()
    harness.lambda_.script(harness.lambda_._otherwise, aws_error("TooManyRequestsException", 429))
    harness.run(after=timedelta(hours=1))
    (drained,) = harness.dead_letters.drain()
    message = read_dead_letter(drained.message_id, drained.body, drained.attributes)
    trail = AuditTrail(harness.tables.client, harness.tables.audit_table, "a person", harness._tick)
    trail.record(Action.REDRIVE_REQUESTED, message)
    trail.record(Action.REDRIVEN, message)
    harness.send(from_rule(with_row(harness, 1, redrive_count=1), "TIMEOUT"))

    assert harness.run(after=timedelta(hours=7)) is Status.NOTHING_TO_DO
    assert harness.log["kept"] == {"limit_reached": 1}


def test_events_that_do_not_fit_into_the_memory_wait_for_another_run(
    harness: RedriverHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "MAX_CHARACTERS", 5_000)
    harness.send(*(from_rule(with_row(harness, number, note="x" * 2_000), "TIMEOUT") for number in range(1, 5)))

    assert harness.run() is Status.DONE

    assert (harness.log["outcomes"], harness.log["kept"]) == ({"marked": 2}, {"no_room": 2})
    assert "DeadLettersLeft" not in harness.metrics()
    assert harness.run() is Status.DONE
    assert harness.dead_letters.drain() == []
