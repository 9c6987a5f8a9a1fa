"""The state of an alarm, given metrics, and its actions: M of N, missing data, suppression, as CloudWatch has them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitoring.model import Composite, Suppression


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
        states: The states of its members by name.
    """
    in_alarm = all(any(states[name] is State.ALARM for name in group) for group in composite.groups)
    return State.ALARM if in_alarm else State.OK


class Actions:
    """When an alarm takes the action of its state: on each transition, unless a suppressor is in the way.

    An action is not taken while the suppressor is in ALARM. After a transition the alarm first waits for the suppressor
    (wait period); after the suppressor's return it waits for its own (extension period). A further transition discards
    both and begins a new wait. When none is left, the action of the current state is taken, also if that is the state
    from before the suppression.

    Args:
        suppression: What suppresses the actions; None if nothing does.
        before: The state in which it begins.
    """

    def __init__(self, suppression: Suppression | None = None, before: State = State.OK) -> None:
        self._suppression = suppression
        self._state = before
        self._is_owed = False
        self._is_suppressed = False
        self._quiet_until = 0.0

    def taken(self, state: State, now: float, suppressor: State = State.OK) -> State | None:
        """Return the state whose action is taken at a moment, or None.

        Args:
            state: The alarm's state at this moment.
            now: Seconds since the epoch, later than those of the last call.
            suppressor: The suppressor's state at this moment.
        """
        has_changed, self._state = state is not self._state, state
        self._is_owed |= has_changed
        if self._suppression is not None:
            was_suppressed, self._is_suppressed = self._is_suppressed, suppressor is State.ALARM
            if has_changed:
                self._quiet_until = now + self._suppression.wait
            elif was_suppressed and not self._is_suppressed:
                self._quiet_until = now + self._suppression.extension
        if not self._is_owed or self._is_suppressed or now < self._quiet_until:
            return None
        self._is_owed = False
        return state
