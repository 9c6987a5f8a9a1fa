"""Alarms as synthesised, on metrics as emitted: each goes off on its failure, and on nothing else."""

from collections.abc import Iterable

import pytest

from monitoring.alarms import COMPOSITES, alarms
from monitoring.model import Alarm, Limits
from tests.integration.monitoring.conftest import Notifications
from tests.integration.monitoring.failure_scenarios import DIMENSIONS, FAILURES, OTHERS, RAISED, TRIES, FailureScenario
from tests.support.cloudwatch.alarms import READINGS, Reading, State, composite_state
from tests.support.cloudwatch.timeline import Timeline
from tests.support.monitoring_template import PREFIX, alarm, resources, template

ALARMS = {alarm.name: alarm for alarm in alarms(Limits())}
CALM, BEGINS, ENDS = 60, 60, 70
"""Minutes: until when all is well, and from when to when it is not."""
OVER = (*range(ENDS + 1, ENDS + 60), *range(ENDS + 60, ENDS + 8 * 60, 10))
"""Minutes at which alarms are looked at when it is over."""

each_alarm = pytest.mark.parametrize("name", ALARMS)
each_reading = pytest.mark.parametrize("reading", READINGS, ids=str)


def calm(told: Notifications, minutes: Iterable[int], *, late: float = 0) -> Timeline:
    """Ordinary traffic: an event a minute, one delivered twice now and then; the services count along."""
    timeline = Timeline(DIMENSIONS, late=late)
    for minute in minutes:
        kind = "duplicate" if minute % 10 == 9 else "marked"
        timeline.add_documents(told[kind][:1], minute)
        timeline.platform("AWS/Lambda", "Errors", 0, minute)
        timeline.platform("AWS/Lambda", "AsyncEventAge", 40, minute)
        timeline.platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, minute)
    return timeline


def happen(
    timeline: Timeline, told: Notifications, scenario: FailureScenario, minutes: Iterable[int] = range(BEGINS, ENDS)
) -> None:
    """Let a failure happen in these minutes."""
    for minute in minutes:
        for kind in scenario.kinds:
            timeline.add_documents(told[kind], minute + 0.5)
            if kind in RAISED:
                timeline.platform("AWS/Lambda", "Errors", len(told[kind]), minute + 0.5)
        for namespace, name, value in scenario.counted:
            timeline.platform(namespace, name, value, minute + 0.5)


def test_every_alarm_has_a_story() -> None:
    assert set(FAILURES) == set(ALARMS)


@each_alarm
@each_reading
def test_it_goes_off_on_its_failure_and_comes_back(told: Notifications, name: str, reading: Reading) -> None:
    timeline = calm(told, [*range(CALM), *range(ENDS, ENDS + 8 * 60, 7)])
    happen(timeline, told, FAILURES[name])

    states = timeline.states(alarm(name), [*range(1, BEGINS + 1), *range(BEGINS + 1, ENDS + 5), *OVER], reading)

    before, during = states[:BEGINS], states[BEGINS : ENDS + 4]
    assert set(before) == {State.OK}
    assert State.ALARM in during
    assert states[-1] is State.OK
    changes = [state for state, last in zip(states[1:], states, strict=False) if state is not last]
    assert changes == [State.ALARM, State.OK]  # it speaks once, and says once that it is over


@each_alarm
@each_reading
def test_it_goes_off_also_when_nothing_else_comes(told: Notifications, name: str, reading: Reading) -> None:
    timeline = Timeline(DIMENSIONS)
    happen(timeline, told, FAILURES[name])

    states = timeline.states(alarm(name), [*range(BEGINS, ENDS + 5), *OVER], reading)

    assert State.ALARM in states[: ENDS + 5 - BEGINS]
    assert (states[0], states[-1]) == (State.OK, State.OK)


@each_alarm
@each_reading
def test_it_stays_ok_when_idle(name: str, reading: Reading) -> None:
    assert set(Timeline(DIMENSIONS).states(alarm(name), range(60), reading)) == {State.OK}


@each_alarm
def test_it_stays_ok_on_ordinary_traffic_that_is_told_late(told: Notifications, name: str) -> None:
    for late in (0, 1, 4):
        timeline = calm(told, range(120), late=late)
        assert set(timeline.states(alarm(name), range(1, 125))) == {State.OK}


@each_alarm
@pytest.mark.parametrize("late", [1, 4])
def test_it_goes_off_also_when_the_failure_is_told_late(told: Notifications, name: str, late: int) -> None:
    timeline = calm(told, [*range(CALM), *range(ENDS, ENDS + 40)], late=late)
    happen(timeline, told, FAILURES[name])

    states = timeline.states(alarm(name), range(1, ENDS + 40))

    assert set(states[:BEGINS]) == {State.OK}
    assert State.ALARM in states[BEGINS : ENDS + 10]


@pytest.mark.parametrize("name", OTHERS)
def test_it_stays_ok_on_what_is_another_alarms_business(told: Notifications, name: str) -> None:
    timeline = Timeline(DIMENSIONS)
    happen(timeline, told, FailureScenario(OTHERS[name]))

    states = timeline.states(alarm(name), [*range(BEGINS, ENDS + 30)])

    assert set(states) == {State.OK}


def quiet_hour(told: Notifications, kind: str) -> Timeline:
    """An hour with three events, one of which fails: as often as Lambda delivers it."""
    timeline = Timeline(DIMENSIONS)
    timeline.add_documents(told["marked"][:2], 30)
    for number, delay in enumerate(TRIES if kind in RAISED else TRIES[:1]):
        timeline.add_documents(told[kind][number : number + 1], 31 + delay)
        if kind in RAISED:
            timeline.platform("AWS/Lambda", "Errors", 1, 31 + delay)
    timeline.platform("AWS/SQS", "NumberOfMessagesSent", 1, 36)
    for minute in range(36, 60):
        timeline.platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, minute)
    return timeline


def one_alone(definition: Alarm) -> list[str]:
    """Kinds of events of which a single one is noise to this alarm."""
    kinds = FAILURES[definition.name].kinds or (("internal",) if definition.minimum else ())
    kinds += ("throttling", "conflict") if definition.name == "retries" else ()  # those that are tried most
    return [kind for kind in kinds if definition.minimum is not None and definition.minimum > 1]


@pytest.mark.parametrize(
    ("name", "kind"), [(alarm.name, kind) for alarm in ALARMS.values() for kind in one_alone(alarm)]
)
@each_reading
def test_one_failing_event_in_a_quiet_hour_is_no_share(
    told: Notifications, name: str, kind: str, reading: Reading
) -> None:
    timeline = quiet_hour(told, kind)

    assert set(timeline.states(alarm(name), range(25, 70), reading)) == {State.OK}
    # But somebody is told: what did not heal lies in the queue.
    assert State.ALARM in timeline.states(alarm("dlq-depth"), range(25, 70), reading)


def test_one_is_enough_where_only_a_person_can_help(told: Notifications) -> None:
    at_one = {name for name, alarm in ALARMS.items() if alarm.minimum == 1}

    assert at_one == {"error-rate-access-denied", "error-rate-configuration"}
    for name in at_one:
        timeline = quiet_hour(told, FAILURES[name].kinds[0])
        assert State.ALARM in timeline.states(alarm(name), range(25, 70))


def test_every_share_has_a_minimum() -> None:
    shares = {name for name, alarm in ALARMS.items() if "/" in alarm.expression}

    assert {name for name, alarm in ALARMS.items() if alarm.minimum is not None} - {"unreported-failures"} == shares


def logical_ids() -> dict[str, str]:
    """Names of alarms by the template's logical IDs."""
    found = template()["Resources"].items()
    return {
        logical: each["Properties"]["AlarmName"].removeprefix(PREFIX)
        for logical, each in found
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.mark.parametrize("composite", [each.name for each in COMPOSITES])
def test_composites(told: Notifications, composite: str) -> None:
    timeline = calm(told, [*range(CALM), *range(ENDS, ENDS + 8 * 60, 7)])
    happen(timeline, told, FailureScenario(("throttling",)))
    made = resources("AWS::CloudWatch::CompositeAlarm")
    (rule,) = [each["AlarmRule"] for each in made if each["AlarmName"].endswith(f"-test-{composite}")]
    minutes = [*range(1, ENDS + 5), *OVER]
    names = {logical: name for logical, name in logical_ids().items() if logical in str(rule)}
    parts = {logical: timeline.states(alarm(name), minutes) for logical, name in names.items()}

    states = [
        composite_state(rule, {logical: states[number] for logical, states in parts.items()})
        for number in range(len(minutes))
    ]

    assert set(states[:BEGINS]) == {State.OK}
    assert State.ALARM in states[BEGINS : ENDS + 4]
    # The short window ends it soon after the trouble, though the long one still remembers.
    over = next(
        minute for minute, state in zip(minutes, states, strict=True) if minute > ENDS + 4 and state is State.OK
    )
    assert over <= ENDS + 95
    assert states[-1] is State.OK
