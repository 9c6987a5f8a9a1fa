"""Who is notified of what: every alarm of a template, its actions and their suppression, from minute to minute."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.alarm_states import Actions, State
from monitoring.model import Suppression
from tests.support.cloudwatch.alarms import LogAlarm, MetricAlarm, Reading, composite_state, rule_text
from tests.support.cloudwatch.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a topic.

    Attributes:
        at: Seconds since the epoch.
        topic: The ARN of the topic.
        alarm: The alarm's name.
        state: Its state.
    """

    at: float
    topic: str
    alarm: str
    state: State


class AlarmSet:
    """All alarms of a template, which begin in OK.

    Args:
        resources: The resources of the template.
        reading: Where the documentation leaves something open.
    """

    def __init__(self, resources: Mapping[str, Mapping[str, Any]], reading: Reading | None = None) -> None:
        self._properties = {
            name: resource["Properties"]
            for name, resource in resources.items()
            if re.fullmatch("AWS::CloudWatch::(Composite|Log)?Alarm", resource["Type"])
        }
        self._composites = [name for name, given in self._properties.items() if "AlarmRule" in given]
        self._metric_alarms = {
            name: MetricAlarm(given, reading) for name, given in self._properties.items() if "Metrics" in given
        }
        self._log_alarms = {
            name: LogAlarm(given) for name, given in self._properties.items() if "ScheduledQueryConfiguration" in given
        }
        self._actions = {name: Actions(_suppression(given)) for name, given in self._properties.items()}
        self._rules = {name: rule_text(self._properties[name]["AlarmRule"]) for name in self._composites}

    def notifications(self, timeline: Timeline, moments: Iterable[float]) -> list[Notification]:
        """Evaluate every alarm at each moment, in order, and return the messages."""
        return [message for now in moments for message in self._at(timeline, now)]

    def _at(self, timeline: Timeline, now: float) -> Iterable[Notification]:
        states = {name: alarm.evaluate(timeline.store, now) for name, alarm in self._metric_alarms.items()}
        states |= {name: alarm.evaluate(timeline.lines, now) for name, alarm in self._log_alarms.items()}
        for name in self._composites:  # CDK writes them in the order of their definition, members first
            states[name] = composite_state(self._rules[name], states)
        for name, state in states.items():
            given = self._properties[name]
            suppression = _suppression(given)
            suppressor = State.OK if suppression is None else states[suppression.by]
            taken = self._actions[name].taken(state, now, suppressor)
            if taken is not None:
                topics = given.get("AlarmActions" if taken is State.ALARM else "OKActions", ())
                for topic in topics:
                    yield Notification(now, topic, given["AlarmName"], taken)


def _suppression(given: Mapping[str, Any]) -> Suppression | None:
    if "ActionsSuppressor" not in given:
        return None
    return Suppression(
        rule_text({"Fn::Join": ["", [given["ActionsSuppressor"]]]}),
        given["ActionsSuppressorWaitPeriod"],
        given["ActionsSuppressorExtensionPeriod"],
    )
