"""One run of the automatic redrive after another."""

import json
from datetime import timedelta
from typing import Any

import pytest

from emulator.faults import Exchange, Fault, aws_error, sqs_error, throttled
from mep.errors import MepError
from redriver import OPERATOR, policy
from redriver.policy import Kept
from redriver.redrive import Status
from tests.support.dead_letters import event, from_handler, from_on_failure, from_rule
from tests.support.redriver_harness import ALIAS_ARN, RedriverHarness

DATE = "2025-07-31"


def with_row(harness: RedriverHarness, number: int, **detail: Any) -> dict[str, Any]:
    """Return an event, and put its row into the calendar."""
    symbol = f"R{number}"
    harness.tables.put_row(symbol, DATE)
    return event(number, asset_symbol=symbol, **detail)


def is_marked(harness: RedriverHarness, number: int) -> bool:
    row = harness.tables.row(f"R{number}", DATE)
    return row is not None and bool(row["is_processed"])


def kept(harness: RedriverHarness) -> dict[str, int]:
    found: dict[str, int] = harness.log["kept"]
    return found


def always_throttled(harness: RedriverHarness, events: int) -> None:
    harness.writes.script(*[throttled()] * 50 * events, operation="TransactWriteItems")


def test_transient_events_are_marked_and_others_left(harness: RedriverHarness) -> None:
    harness.send(
        from_on_failure(with_row(harness, 1)),
        from_rule(with_row(harness, 2), "TIMEOUT"),
        from_rule(with_row(harness, 3), "THROTTLING"),
        from_handler(with_row(harness, 4), "validation"),
        from_on_failure(with_row(harness, 5), {"errorType": "KeyError", "errorMessage": "x"}),
    )

    assert harness.run() is Status.DONE

    assert [is_marked(harness, number) for number in range(1, 6)] == [True] * 3 + [False] * 2
    assert len(harness.dead_letters.drain()) == 2
    assert harness.log["outcomes"] == {"marked": 3}
    assert kept(harness) == {"not_transient": 2}
    metrics = harness.metrics()
    assert (metrics["DeadLettersSeen"], metrics["DeadLettersRedriven"], metrics["DeadLettersLeft"]) == (5, 3, 0)
    assert set(harness.log["oldest_s"]) == {"throttling", "timeout", "validation", "internal"}
    assert harness.metrics("timeout").keys() == {"OldestDeadLetterAge"}
    assert all(invoked.answer is not None for invoked in harness.platform.invoked)


def test_audit_entries_are_those_of_a_redrive_by_auto(harness: RedriverHarness) -> None:
    (message_id,) = harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))

    harness.run()

    entries = [entry for entry in harness.audit() if entry.get("operator")]
    assert [(entry["action"], entry["operator"]) for entry in entries] == [
        ("redrive_requested", OPERATOR),
        ("redriven", OPERATOR),
    ]
    for entry in entries:
        assert entry["message_id"] == message_id
        assert entry["destination"] == f"function:{ALIAS_ARN}"
        assert entry["earnings_key"] == f"R1#{DATE}"
    assert entries[1]["accepted_as"] == harness.platform.invoked[0].request_id


@pytest.mark.parametrize(("state", "concurrency"), [("DISABLED", None), ("ENABLED", 0)])
def test_nothing_is_done_while_the_function_is_paused(
    harness: RedriverHarness, state: str, concurrency: int | None
) -> None:
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    harness.platform.rule_state, harness.platform.concurrency = state, concurrency

    assert harness.run() is Status.PAUSED

    assert harness.log["problem"] == ("rule_disabled" if state == "DISABLED" else "no_concurrency")
    assert harness.sqs.requests == ()
    assert not any("_aws" in line for line in harness.lines)
    harness.platform.rule_state, harness.platform.concurrency = "ENABLED", 5
    assert harness.run() is Status.DONE


def test_the_others_wait_while_the_probe_fails(harness: RedriverHarness) -> None:
    harness.send(*(from_rule(with_row(harness, number), "TIMEOUT") for number in range(1, 5)))
    always_throttled(harness, 1)

    assert harness.run() is Status.PROBE_FAILED

    assert len(harness.platform.invoked) == 1
    assert kept(harness) == {"failed": 1, "probe_failed": 3}
    assert harness.log["problem"] == "the function failed: throttling"
    assert harness.metrics()["DeadLettersRedriveFailed"] == 1
    assert len(harness.sqs.requests) > 0
    harness.writes._script.clear()
    assert harness.run() is Status.DONE
    assert harness.dead_letters.drain() == []
    assert [is_marked(harness, number) for number in range(1, 5)] == [True] * 4


def test_each_run_tries_another_probe(harness: RedriverHarness) -> None:
    harness.send(*(from_rule(with_row(harness, number), "TIMEOUT") for number in range(1, 4)))
    always_throttled(harness, 4)

    statuses = [harness.run() for _ in range(4)]

    assert statuses == [Status.PROBE_FAILED] * 3 + [Status.NOT_DUE]
    tried = [invoked.outcome_line["asset_symbol"] for invoked in harness.platform.invoked]
    assert sorted(tried) == ["R1", "R2", "R3"]
    assert kept(harness) == {"not_due": 3}


def test_an_event_that_never_succeeds_is_left_after_three_attempts(harness: RedriverHarness) -> None:
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    always_throttled(harness, 4)
    left: list[float] = []

    for minutes in (15, 15, 60, 60, 240, 60, 60, 60):
        harness.run(after=timedelta(minutes=minutes))
        left.append(harness.metrics()["DeadLettersLeft"])

    assert len(harness.platform.invoked) == policy.MAX_REDRIVES
    assert harness.log["status"] == Status.NOTHING_TO_DO
    assert kept(harness) == {Kept.LIMIT_REACHED: 1}
    assert left == sorted(left)
    assert (left[0], left[-1]) == (0, 1)
    counts = [entry["action"] for entry in harness.audit()]
    assert counts == ["redrive_requested"] * 3
    requests = [json.loads(recorded.request.body) for recorded in harness.lambda_.requests if recorded.request.body]
    assert [sent["detail"]["redrive_count"] for sent in requests] == [1, 2, 3]


def test_an_event_that_a_person_redrove_three_times_is_left(harness: RedriverHarness) -> None:
    harness.send(from_rule(with_row(harness, 1, redrive_count=3), "TIMEOUT"))

    assert harness.run() is Status.NOTHING_TO_DO
    assert kept(harness) == {"limit_reached": 1}


def test_a_probe_that_is_dead_lettered_proves_nothing(harness: RedriverHarness) -> None:
    """The newest is the probe: its row does not exist. The function has put it into the queue again."""
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    harness.send(from_rule(event(2, asset_symbol="NOROW"), "TIMEOUT"))

    assert harness.run() is Status.DONE

    assert harness.log["outcomes"] == {"dead_lettered": 1, "marked": 1}
    (dead_letter,) = harness.dead_letters.drain()
    assert dead_letter.attributes["ERROR_CODE"] == "not_found"
    assert json.loads(dead_letter.body)["detail"]["redrive_count"] == 1


def test_an_event_that_is_marked_already_is_a_duplicate(harness: RedriverHarness) -> None:
    again = with_row(harness, 1)
    harness.platform.function(again)
    harness.send(from_rule(again, "TIMEOUT"))

    assert harness.run() is Status.DONE
    assert harness.log["outcomes"] == {"duplicate": 1}
    assert harness.dead_letters.drain() == []


def test_failures_in_a_row_end_the_run(harness: RedriverHarness) -> None:
    harness.send(*(from_rule(with_row(harness, number), "TIMEOUT") for number in range(1, 7)))
    harness.lambda_.script(
        *[harness.lambda_._otherwise] * 2, *[aws_error("TooManyRequestsException", 429)] * policy.MAX_FAILURES
    )

    assert harness.run() is Status.STOPPED

    assert harness.log["outcomes"] == {"marked": 1}
    assert kept(harness) == {"failed": 3, "stopped": 2}
    assert harness.run() is Status.DONE
    assert harness.dead_letters.drain() == []


def test_an_answer_that_is_lost_keeps_the_message(harness: RedriverHarness) -> None:
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))

    def lose_reply(exchange: Exchange) -> None:
        harness.platform.reply(exchange)
        exchange.reset()

    harness.lambda_.script(harness.lambda_._otherwise, Fault("lost", lose_reply))

    assert harness.run() is Status.PROBE_FAILED
    assert is_marked(harness, 1)
    assert harness.run(after=timedelta(hours=2)) is Status.DONE
    assert harness.dead_letters.drain() == []


def test_the_time_of_the_run_is_limited(harness: RedriverHarness) -> None:
    harness.send(*(from_rule(with_row(harness, number), "TIMEOUT") for number in range(1, 5)))
    harness.remaining_s = policy.RESERVE_S + 1.5 / policy.RATE  # two events

    assert harness.run() is Status.NO_TIME

    assert harness.log["outcomes"] == {"marked": 2}
    assert kept(harness) == {"no_time": 2}


@pytest.mark.parametrize(
    ("proxy", "fault", "status"),
    [
        ("sqs", sqs_error("AccessDenied", 403), Status.FAILED),
        ("dynamodb", aws_error("AccessDeniedException"), Status.FAILED),
        ("events", aws_error("ResourceNotFoundException"), Status.FAILED),
        ("lambda_", aws_error("AccessDeniedException", 403), Status.FAILED),
        ("dynamodb", aws_error("InternalServerError", 500), Status.UNAVAILABLE),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_call_that_fails_ends_the_run(harness: RedriverHarness, proxy: str, fault: Any, status: Status) -> None:
    """A run fails, and sets off the alarm, only for what no later run resolves."""
    harness.send(from_rule(with_row(harness, 1), "TIMEOUT"))
    getattr(harness, proxy).script(fault)

    harness.run_to(status)

    assert harness.log["status"] == status
    assert harness.log["level"] == ("ERROR" if status is Status.FAILED else "WARN")
    assert harness.platform.invoked == []
    getattr(harness, proxy)._script.clear()
    assert harness.run(after=timedelta(hours=2)) is Status.DONE
    assert is_marked(harness, 1)


def test_the_calendar_is_checked(harness: RedriverHarness) -> None:
    harness.now = harness.now.replace(year=2025, month=8, day=5)
    harness.tables.put_row("LATE", "2025-08-01")
    harness.tables.put_row("OLD", "2025-06-01")
    harness.tables.put_row("AHEAD", "2025-08-20")

    assert harness.run(calendar=True) is Status.DONE

    assert harness.log["counts"] == {"not_marked": 1, "mark_lost": 0, "marked_twice": 0}
    assert harness.metrics() == {"CalendarRowsNotMarked": 1, "CalendarMarksLost": 0, "CalendarRowsMarkedTwice": 0}


@pytest.mark.parametrize("cause", ["time", "denied"])
def test_an_incomplete_check_publishes_no_counts(harness: RedriverHarness, cause: str) -> None:
    harness.tables.put_row("LATE", f"{harness.now:%Y-%m-%d}")
    if cause == "time":
        harness.remaining_s = 1
    else:
        harness.dynamodb.script(aws_error("AccessDeniedException"))

    with pytest.raises(MepError, match="incomplete"):
        harness.run(calendar=True)

    assert harness.log["status"] == Status.FAILED
    assert harness.metrics() == {}
