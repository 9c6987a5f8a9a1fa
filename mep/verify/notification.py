"""The alarm that is set off: it goes to ALARM, and its history has the notification of its topic."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from mep.text import escape_control, one_line
from mep.verify.alerting import topics_of
from mep.verify.results import Check, CheckName, Status
from mep.verify.trip import POLL_S, Trip
from monitoring.names import StackNames
from monitoring.round_trip import ALARM, SET_OFF

_SUCCEEDED, _FAILED = "Succeeded", "Failed"
_RECENT = timedelta(hours=1)
_RESTORE = "deploy the stack, or `make restore` after changes by hand"


def sets_off(names: StackNames) -> tuple[str, ...]:
    """Return the alarms that a round trip sets off.

    Args:
        names: The names of the environment.
    """
    return tuple(names.alarm(name) for name in SET_OFF)


def notify(trip: Trip) -> Check:
    """Set the alarm's state to ALARM, and wait until its history shows that the topic was notified.

    The state is set: the metric of a queue that was idle is up to 15 minutes late. CloudWatch sets it back when it
    evaluates the alarm the next time.
    """
    name, account = CheckName.NOTIFICATION, trip.account
    alarm = account.target.names.alarm(ALARM)
    known: set[str] = set()
    topics: list[str] = []
    executed: list[Mapping[str, Any]] = []

    def set_off(client: Any) -> Check:
        found = client.describe_alarms(AlarmNames=[alarm], AlarmTypes=["MetricAlarm"]).get("MetricAlarms", [])
        if not found:
            return Check(name, Status.FAIL, f"there is no alarm {alarm}", _RESTORE)
        topics.extend(topics_of(found[0]))
        if not topics or not found[0].get("ActionsEnabled"):
            return Check(name, Status.FAIL, f"{alarm} has no action, or its actions are disabled", _RESTORE)
        if found[0].get("StateValue") == "ALARM":
            text = f"{alarm} is in ALARM already: it notifies only when it goes there"
            return Check(name, Status.FAIL, text, "docs/runbook.md#dlq-age; then run the command again")
        known.update(_identity(item) for item in _history(client, alarm, trip))
        reason = f"mep verify --full, {trip.run}, by {trip.operator}"
        client.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=reason[:1023])
        return Check(name, Status.PASS, "")

    def look(client: Any) -> Check:
        items = [item for item in _history(client, alarm, trip) if _identity(item) not in known]
        if any(_state(item) == _FAILED for item in items) or {_topic(item) for item in items} >= {*topics}:
            executed.extend(items)
            return Check(name, Status.PASS, "")
        text = f"the history of {alarm} has no notification of {', '.join(topics)} after {account.wait_s:g} s"
        return Check(name, Status.FAIL, text)

    check = account.ask(name, "cloudwatch", set_off)
    if check.passed:
        check = account.wait(lambda: account.ask(name, "cloudwatch", look), trip.deadline(), POLL_S)
    if not check.passed:
        return check
    if failed := [item for item in executed if _state(item) != _SUCCEEDED]:
        text = f"{alarm}: {one_line(escape_control(str(failed[0].get('HistorySummary', ''))))}"
        return Check(name, Status.FAIL, text, "the policies of the topic and of its key must allow it")
    return Check(name, Status.PASS, f"{alarm} went to ALARM, and notified {', '.join(topics)}")


def _history(client: Any, alarm: str, trip: Trip) -> Iterator[Mapping[str, Any]]:
    pages = client.get_paginator("describe_alarm_history").paginate(
        AlarmName=alarm, HistoryItemType="Action", StartDate=trip.account.now() - _RECENT
    )
    for page in pages:
        yield from page["AlarmHistoryItems"]


def _identity(item: Mapping[str, Any]) -> str:
    return f"{item.get('Timestamp')} {item.get('HistorySummary')} {item.get('HistoryData')}"


def _data(item: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        data = json.loads(item.get("HistoryData") or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, Mapping) else {}


def _topic(item: Mapping[str, Any]) -> str:
    return str(_data(item).get("notificationResource", ""))


def _state(item: Mapping[str, Any]) -> str:
    return str(_data(item).get("actionState", ""))
