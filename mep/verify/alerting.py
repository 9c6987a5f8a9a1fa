"""The checks of what notifies people: the alarms, their states, and the subscriptions of their topics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mep.aws_errors import UnreadableReplyError
from mep.aws_hosts import authority
from mep.errors import Problem, Reason
from mep.verify.account import Account
from mep.verify.results import Check, CheckName, Status
from monitoring.model import Level
from monitoring.names import StackNames

_CHECKS = (CheckName.ALARMS, CheckName.ALARM_STATES, CheckName.SUBSCRIPTIONS)
_KINDS = ("MetricAlarms", "CompositeAlarms")
_PENDING = "PendingConfirmation"
_SHOWN = 5


def check_alerting(account: Account) -> list[Check]:
    """Check that every alarm exists and notifies, that none is in ALARM, and that somebody is subscribed."""
    found: dict[str, Mapping[str, Any]] = {}

    def alarms(client: Any) -> Check:
        found.update(_alarms(account, client))
        return _exist(account, found)

    exist = account.ask(CheckName.ALARMS, "cloudwatch", alarms)
    if exist.status is Status.NOT_AVAILABLE:
        problem = Problem(Reason(exist.reason), "the alarms, which decide it, could not be read", exist.advice)
        return [exist, *(Check.not_available(name, problem) for name in _CHECKS[1:])]
    topics = sorted({action for alarm in found.values() for action in topics_of(alarm)})

    def subscriptions(client: Any) -> Check:
        return _subscriptions(client, topics, needs_recipient=account.target.names.needs_recipient)

    return [
        exist,
        _states(found),
        account.ask(CheckName.SUBSCRIPTIONS, "sns", subscriptions),
    ]


def _alarms(account: Account, client: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the stack's alarms by name."""
    pages = client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=account.target.names.alarm(""), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    found: dict[str, Mapping[str, Any]] = {}
    for page in pages:
        if not page.keys() & {*_KINDS}:
            raise UnreadableReplyError(host=authority(client.meta.endpoint_url), operation="DescribeAlarms")
        found |= {alarm["AlarmName"]: alarm for kind in _KINDS for alarm in page.get(kind, ())}
    return found


def topics_of(alarm: Mapping[str, Any]) -> list[str]:
    """Return the topics that an alarm notifies, by ARN."""
    return [action for action in alarm.get("AlarmActions", ()) if action.split(":")[2:3] == ["sns"]]


def _exist(account: Account, found: Mapping[str, Mapping[str, Any]]) -> Check:
    names = account.target.names
    level = _level(names, found)
    expected = names.alarms(level)
    advice = "restore them: deploy the stack, or `make restore` after changes by hand"
    if missing := [name for name in expected if name not in found]:
        return Check(CheckName.ALARMS, Status.FAIL, f"{_some(missing)} of {len(expected)} alarms missing", advice)
    silent = [
        name
        for name, severity in expected.items()
        if severity is not None
        and not (found[name].get("ActionsEnabled") and names.topic(severity) in _names(topics_of(found[name])))
    ]
    if silent:
        text = f"{_some(silent)}: no action for the topic of its severity, or actions are disabled"
        return Check(CheckName.ALARMS, Status.FAIL, text, advice)
    of_level = "" if level is Level.FULL else f" of monitoring={level.value}"
    return Check(CheckName.ALARMS, Status.PASS, f"all {len(expected)} alarms{of_level} exist and notify")


def _level(names: StackNames, found: Mapping[str, object]) -> Level:
    """Return how much is monitored: the minimum, if no alarm beyond it exists."""
    minimal = names.alarms(Level.MINIMAL)
    others = names.alarms().keys() - minimal.keys()
    return Level.MINIMAL if found.keys() & minimal.keys() and not found.keys() & others else Level.FULL


def _states(found: Mapping[str, Mapping[str, Any]]) -> Check:
    def named(state: str) -> list[str]:
        return [name for name, alarm in found.items() if alarm.get("StateValue") == state]

    if firing := named("ALARM"):
        advice = "docs/runbook.md has a section for each; then run the command again"
        return Check(CheckName.ALARM_STATES, Status.FAIL, f"in ALARM: {_some(firing)}", advice)
    without = len(named("INSUFFICIENT_DATA"))
    return Check(
        CheckName.ALARM_STATES,
        Status.PASS,
        f"none of {len(found)} is in ALARM" + (f"; {without} have no data yet" if without else ""),
    )


def _subscriptions(client: Any, topics: Sequence[str], *, needs_recipient: bool) -> Check:
    """Check each topic that an alarm notifies: a confirmed subscription, and none that waits for its confirmation."""
    if not topics:
        return Check(CheckName.SUBSCRIPTIONS, Status.FAIL, "no alarm notifies a topic", "deploy the stack")
    confirmed = 0
    nobody, pending = [], []
    for topic in topics:
        pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        arns = [each["SubscriptionArn"] for page in pages for each in page["Subscriptions"]]
        (name,) = _names([topic])
        own = [arn for arn in arns if arn.startswith("arn:")]
        confirmed += len(own)
        if _PENDING in arns:
            pending.append(name)
        elif not own:
            nobody.append(name)
    if nobody and needs_recipient:
        text = f"nobody is subscribed to {_some(nobody)}: no alarm reaches a person"
        return Check(CheckName.SUBSCRIPTIONS, Status.FAIL, text, "set alarm_email in deploy/environments, and deploy")
    if pending:
        text = f"a subscription of {_some(pending)} is not confirmed"
        return Check(CheckName.SUBSCRIPTIONS, Status.FAIL, text, "open the link in the e-mail from AWS Notifications")
    if nobody:
        text = f"nobody is subscribed to {_some(nobody)}; only prod needs a recipient"
        return Check(CheckName.SUBSCRIPTIONS, Status.PASS, text)
    return Check(CheckName.SUBSCRIPTIONS, Status.PASS, f"{confirmed} confirmed, for {_some(_names(topics))}")


def _names(topics: Iterable[str]) -> list[str]:
    """Return the names of topics, given by ARN."""
    return [topic.rpartition(":")[2] for topic in topics]


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
