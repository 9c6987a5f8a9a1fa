"""`mep verify --full` cleans up after itself, wherever it is interrupted; what it cannot clean up is named."""

import json
from typing import Any

import pytest

from mep.verify.results import ROUND_TRIP_CHECKS, CheckName
from tests.integration.mep.verify.conftest import PRESENT, SYMBOL, Endpoint, Verify, statuses, text
from tests.integration.mep.verify.deployed import DeployedAccount
from tests.integration.mep.verify.helpers import (
    DENIED,
    assert_clean,
    at,
    marks,
)
from tests.support.stores import Tables
from tests.support.thorough import some


def test_rows_that_cannot_be_closed_are_named(
    run: Verify, account: DeployedAccount, clients: dict[str, Any], tables: Tables
) -> None:
    account.bus.rule.state = "DISABLED"
    account.replies["TransactWriteItems"] = DENIED

    report = run(full=True, on_check=at(CheckName.CLEAN_UP, lambda: clients.pop("dynamodb")))

    assert report.round_trip is not None
    (left,) = report.round_trip.left
    assert f"{SYMBOL} on {PRESENT} in the calendar without a mark" in left.what
    key = json.dumps({"asset_symbol": {"S": SYMBOL}, "earnings_date": {"S": PRESENT}})
    assert left.command.startswith(
        f"aws dynamodb delete-item --region eu-central-1 --table-name {tables.calendar_table}"
    )
    assert left.command.endswith(f"--key '{key}'")
    assert statuses(report)["clean_up"] == "fail"
    assert marks(tables) == {PRESENT: ""}


@pytest.mark.parametrize("name", some(ROUND_TRIP_CHECKS, of=6))
def test_an_interruption_before_a_check(run: Verify, account: DeployedAccount, tables: Tables, name: CheckName) -> None:
    pressed: list[CheckName] = []

    def press() -> None:
        if not pressed:
            pressed.append(name)
            raise KeyboardInterrupt

    report = run(full=True, on_check=at(name, press))

    assert report.round_trip is not None
    assert report.round_trip.interrupted
    assert report.round_trip.left == ()
    assert statuses(report).get("clean_up") is None
    if name is not CheckName.CLEAN_UP:
        assert text(report, name) == "not reached: interrupted"
    assert_clean(report, account, tables)


WRITES = {
    "dynamodb": {"TransactWriteItems", "PutItem"},
    "sqs": {"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibilityBatch"},
    "events": {"PutEvents"},
    "cloudwatch": {"SetAlarmState"},
}


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_an_interruption_at_each_write(
    run: Verify, account: DeployedAccount, tables: Tables, clients: dict[str, Any], endpoint: Endpoint, moment: str
) -> None:
    """At each write of a run in turn: before it takes effect, and after it, when its answer is lost."""
    calls = 0
    pressed_at = -1

    def press(model: Any, **_: object) -> None:
        nonlocal calls
        if model.name in WRITES.get(model.service_model.service_name, ()):
            calls += 1
            if calls == pressed_at:
                raise KeyboardInterrupt

    run()  # puts the row of the probe
    watched = [*clients.values(), endpoint.client("events"), endpoint.client("cloudwatch")]
    for client in watched:
        client.meta.events.register(moment, press, unique_id="press")
    try:
        baseline = run(full=True)
        assert statuses(baseline) == {}
        total = calls
        for number in some(range(1, total + 1), of=8, start=4 * int(moment == "after-call")):
            calls, pressed_at = 0, number
            report = run(full=True)
            assert report.round_trip is not None
            assert report.round_trip.interrupted, number
            named = {
                left.command.partition("--correlation-id ")[2].partition(" ")[0] for left in report.round_trip.left
            }
            assert named <= {*report.round_trip.events}, number
            assert_clean(report, account, tables)
    finally:
        for client in watched:
            client.meta.events.unregister(moment, press, unique_id="press")
