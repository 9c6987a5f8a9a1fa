"""The state of an alarm, given metrics: periods, M of N, and missing data, as CloudWatch documents them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitoring.model import Composite


class State(StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Rules:
    """How data points make a state.

    Attributes:
        breaching: M, Datapoints to Alarm.
        within: N, Evaluation Periods.
        missing: `notBreaching`, `breaching`, `ignore` or `missing`.
    """

    breaching: int
    within: int
    missing: str


def decide(points: Sequence[bool | None], rules: Rules, before: State) -> State:
    """Return the state that the data points of the evaluation range give.

    Args:
        points: Whether each is breaching, the newest last; None where it is missing.
        rules: The alarm's rules.
        before: Its state so far, which `ignore` retains.
    """
    real = [point for point in points if point is not None]
    if len(real) >= rules.within:
        return _judge(real[-rules.within :].count(True), rules)
    if rules.missing in {"breaching", "notBreaching"}:
        filled = rules.within - len(real) if rules.missing == "breaching" else 0
        return _judge(real.count(True) + filled, rules)
    if real.count(True) >= rules.breaching:
        return State.ALARM
    if False in real:
        return State.OK
    # Nothing but breaching points, too few of them, or none at all.
    if rules.missing == "ignore":
        return before
    oldest = next((len(points) - number for number, point in enumerate(points) if point), 0)
    return State.ALARM if oldest >= rules.breaching else State.INSUFFICIENT  # "premature alarm state"


def _judge(breaching: int, rules: Rules) -> State:
    return State.ALARM if breaching >= rules.breaching else State.OK


def composite_state(composite: Composite, states: Mapping[str, State]) -> State:
    """Return the state of a composite alarm.

    Args:
        composite: Its definition.
        states: The states of the metric alarms by name.
    """
    in_alarm = all(any(states[name] is State.ALARM for name in group) for group in composite.groups)
    return State.ALARM if in_alarm else State.OK
