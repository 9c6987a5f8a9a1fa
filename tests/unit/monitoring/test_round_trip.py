"""The round trip of `mep verify --full`: what its events set off, and its keys."""

from collections.abc import Mapping

from monitoring.alarms import ROLLBACK, alarms, notifications
from monitoring.composites import COMPOSITES
from monitoring.metric_math import evaluate
from monitoring.model import Level, Limits, Metric
from monitoring.round_trip import ALARM, CATEGORY, SET_OFF, reserved_audit_keys, reserved_keys, round_trip_events

# In the least favourable minute, everything at once and nothing else: the probe, two deliveries, a redrive.
_VALUES: Mapping[tuple[str, str | None], float] = {
    ("EventsReceived", None): 4,
    ("EventsMarked", None): 2,
    ("EventsDuplicate", None): 1,
    ("EventsDeadLettered", None): 1,
    ("Operations", None): 4,
    ("Errors", None): 1,
    ("Errors", CATEGORY): 1,
    ("NumberOfMessagesSent", None): 1,
    ("ApproximateNumberOfMessagesVisible", None): 1,
    ("ApproximateAgeOfOldestMessage", None): 60,
}


def value(metric: Metric) -> float | None:
    return _VALUES.get((metric.name, metric.category))


def test_a_round_trip_can_set_off_the_alarms_of_a_dead_letter_only() -> None:
    """Any other alarm would notify people whom nobody has warned. One set by hand needs a day of messages."""
    set_off = {
        alarm.name
        for alarm in alarms(Limits())
        for result in evaluate(alarm.expression, {name: [value(metric)] for name, metric in alarm.metrics.items()})
        if alarm.breaching == 1 and result is not None and result > alarm.threshold
    }

    assert set_off == {"dlq-arrival", "dlq-depth"}
    notifies = {name for name, severity in notifications(Limits()).items() if severity is not None}
    (composite,) = [each.name for each in COMPOSITES if "dlq-arrival" in each.members]
    assert (ALARM, composite) == SET_OFF
    assert notifies >= {*SET_OFF}
    assert {ALARM} <= notifications(Limits(), Level.MINIMAL).keys()
    assert not {*SET_OFF} & {*ROLLBACK}, "a round trip during a roll-out would roll it back"


def test_each_run_has_events_of_its_own_for_the_same_rows() -> None:
    first, second = round_trip_events("a"), round_trip_events("b")

    assert [event.key for event in first] == [event.key for event in second]
    assert len({event.id for event in (*first, *second)}) == 4
    assert {event.audit_key for event in first} < {*reserved_audit_keys()}
    assert reserved_keys() == ["MEP-VERIFY"]
