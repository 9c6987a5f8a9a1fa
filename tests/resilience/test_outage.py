"""An outage of six hours ends without a person; an event that never succeeds ends with one."""

from collections import Counter
from collections.abc import Iterator

import pytest

from emulator.faults import aws_error, cancelled, forward, reset_before, throttled
from redriver.policy import MAX_REDRIVES
from redriver.redrive import Status
from tests.resilience.outage import Outage, outages
from tests.support.events import DATE
from tests.support.monitoring_template import PREFIX, TOPIC_ARNS
from tests.support.stores import Tables
from tests.support.thorough import THOROUGH

BEGIN, FULL, END, LAST = 1.0, 5.0, 7.0, 10.0
"""Hours since the start: the outage begins, affects the automatic redrive as well, and ends; the end of the run."""

EVERY = 4 / 60 if THOROUGH else 0.5
"""Hours between two events."""


@pytest.fixture
def outage(tables: Tables) -> Iterator[Outage]:
    """A system in simulated time."""
    with outages(tables) as outage:
        yield outage


def messages(outage: Outage) -> list[str]:
    """Return the notifications of the alarms. The silence before the first event does not count."""
    severities = {arn: severity for severity, arn in TOPIC_ARNS.items()}
    return [
        f"{severities[each.topic].value}: {name} {each.state.value}"
        for each in outage.messages(every=1 if THOROUGH else 3)
        if (name := each.alarm.removeprefix(PREFIX)) != "silence"
    ]


@pytest.mark.timeout(900, func_only=True)
def test_an_outage_of_six_hours_needs_no_person(outage: Outage) -> None:
    outage.writes = {
        BEGIN: throttled(),
        BEGIN + 1: aws_error("InternalServerError", 500),
        BEGIN + 2: reset_before(),
        BEGIN + 3: cancelled("TransactionConflict", "None"),
        FULL: aws_error("InternalServerError", 500),
        END: forward(),
    }
    outage.unavailable = (FULL, END)
    symbols = [(number * EVERY, f"S{number}") for number in range(round(8 / EVERY))]
    during = sum(BEGIN <= hour < END for hour, _ in symbols)

    outage.run(symbols, LAST)

    assert outage.queue.bodies == [], "the queue is empty"
    entries = outage.harness.audit()
    marks = Counter(entry["earnings_key"] for entry in entries if entry["action"] == "mark_processed")
    assert marks == {f"{symbol}#{DATE}": 1 for _, symbol in symbols}, "0 lost, 0 double"
    rows = [outage.tables.row(symbol, DATE) for _, symbol in symbols]
    assert all(row is not None and row["is_processed"] for row in rows)
    actions = Counter(entry["action"] for entry in entries)
    assert {entry["operator"] for entry in entries if "operator" in entry} == {"auto"}, "no action by a person"
    assert actions["redriven"] == during
    probes = outage.statuses.count(Status.PROBE_FAILED)
    assert 2 * (FULL - BEGIN) < probes < 4 * (FULL - BEGIN), "one probe in a run, if an event is due"
    assert actions["redrive_requested"] == during + probes
    assert set(outage.statuses) - {Status.NOT_DUE} == {
        *(Status.NOTHING_TO_DO, Status.PROBE_FAILED, Status.UNAVAILABLE, Status.DONE),
    }
    assert messages(outage) == ["page: failed-events ALARM", "page: service-failing OK"], "one page, and its end"


@pytest.mark.timeout(300, func_only=True)
def test_an_event_that_never_succeeds_is_left_for_a_person(outage: Outage) -> None:
    outage.never = {"NEVER": throttled()}

    outage.run([(0.5, "NEVER"), (1, "FINE"), (13, "LATER")], 14)

    assert [body["requestPayload"]["detail"]["asset_symbol"] for body in outage.queue.bodies] == ["NEVER"]
    entries = outage.harness.audit()
    assert Counter(entry["action"] for entry in entries) == {"mark_processed": 2, "redrive_requested": MAX_REDRIVES}
    assert outage.statuses.count(Status.PROBE_FAILED) == MAX_REDRIVES
    assert messages(outage) == [
        *("page: failed-events ALARM", "page: service-failing OK"),  # Lambda has given the event up
        "ticket: auto-redrive-failures ALARM",
    ]
