"""`mep verify --full`: an alarm that notifies nobody has a check that says why."""

from collections.abc import Callable

import pytest

from mep.errors import ExitStatus
from mep.verify.results import CheckName
from tests.integration.mep.verify.conftest import Verify, statuses, text
from tests.integration.mep.verify.deployed import TOPIC, DeployedAccount
from tests.integration.mep.verify.helpers import ALARM, at


def _no_alarm(account: DeployedAccount) -> None:
    account.alarms = [alarm for alarm in account.alarms if alarm["AlarmName"] != ALARM]


def _change(account: DeployedAccount, **members: object) -> None:
    next(alarm for alarm in account.alarms if alarm["AlarmName"] == ALARM).update(members)


def _no_action(account: DeployedAccount) -> None:
    _change(account, AlarmActions=[])


def _disabled_actions(account: DeployedAccount) -> None:
    _change(account, ActionsEnabled=False)


def _in_alarm(account: DeployedAccount) -> None:
    _change(account, StateValue="ALARM")


def _refused(account: DeployedAccount) -> None:
    account.notifies = "Failed"


def _silent(account: DeployedAccount) -> None:
    account.notifies = ""


def _another_topic(account: DeployedAccount) -> None:
    _change(account, AlarmActions=[TOPIC, f"{TOPIC}-2"])
    account.executed = (TOPIC,)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_no_alarm, "there is no alarm"),
        (_no_action, "has no action"),
        (_disabled_actions, "has no action, or its actions are disabled"),
        (_in_alarm, "is in ALARM already"),
        (_refused, f"Failed to execute action {TOPIC.replace('-page', '-prod-ticket')}"),
        (_silent, "has no notification of"),
        (_another_topic, "has no notification of"),
    ],
)
def test_an_alarm_that_notifies_nobody(
    run: Verify, account: DeployedAccount, fault: Callable[[DeployedAccount], None], words: str
) -> None:
    account.history = [{"AlarmName": ALARM, "HistoryItemType": "Action", "HistorySummary": "an old one"}]

    report = run(full=True, on_check=at(CheckName.NOTIFICATION, lambda: fault(account)))

    assert statuses(report) == {"notification": "fail"}
    assert words in text(report, CheckName.NOTIFICATION)
    assert report.exit_status is ExitStatus.FAILED
