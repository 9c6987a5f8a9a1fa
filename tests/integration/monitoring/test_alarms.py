"""The synthesised alarms on emitted metrics: each is in ALARM on its failure, and on nothing else."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import product

import pytest

from monitoring.alarm_states import State
from monitoring.alarms import EVERY_ALARM, ROLLBACK, alarms
from monitoring.model import Alarm
from monitoring.slo import BURNS
from tests.integration.monitoring.conftest import EmfLines
from tests.integration.monitoring.failure_scenarios import (
    ATTEMPTS,
    DIMENSIONS,
    FAILURES,
    OTHERS,
    RAISED,
    FailureScenario,
)
from tests.integration.monitoring.traffic import BEGINS, CALM, calm, happen
from tests.support.cloudwatch.alarms import READINGS, Reading, composite_state
from tests.support.cloudwatch.timeline import Timeline
from tests.support.monitoring_template import PREFIX, alarm, resources, template
from tests.support.thorough import some

ALARMS = {alarm.name: alarm for alarm in alarms(EVERY_ALARM)}

each_alarm = pytest.mark.parametrize("name", ALARMS)
BUT_SILENCE = [name for name in ALARMS if name != "silence"]
"""Without events, silence is in ALARM."""


def in_readings(names: Iterable[str], start: int) -> pytest.MarkDecorator:
    """Every alarm, each in other readings: each test begins with another one."""
    cases = some(product(names, READINGS), of=3, start=start)
    return pytest.mark.parametrize(("name", "reading"), cases, ids=str)


def during(scenario: FailureScenario) -> range:
    """Return the minutes of a failure, and four more, at which alarms are evaluated."""
    return range(BEGINS + 1, BEGINS + scenario.minutes + 5, scenario.every)


def after(scenario: FailureScenario) -> list[int]:
    """Return the minutes after that, for eight hours."""
    ends = BEGINS + scenario.minutes
    return [*range(ends + 5, ends + 60), *range(ends + 60, ends + 8 * 60, 10)]


Failed = Callable[..., Timeline]


@pytest.fixture(scope="module")
def failed(emf_lines: EmfLines) -> Failed:
    """Return the failure of an alarm, by default among ordinary traffic; made once for all readings."""

    @cache
    def failed(name: str, *, alone: bool = False) -> Timeline:
        failure = FAILURES[name]
        ends = BEGINS + failure.minutes
        minutes = () if alone else [*range(CALM), *range(ends, ends + 8 * 60, 7)]
        timeline = calm(emf_lines, minutes)
        happen(timeline, emf_lines, failure)
        return timeline

    return failed


def test_every_alarm_has_a_failure_scenario() -> None:
    assert set(FAILURES) == set(ALARMS)


@in_readings(ALARMS, 0)
def test_alarm_and_recovery(failed: Failed, name: str, reading: Reading) -> None:
    failure = FAILURES[name]

    states = failed(name).states(alarm(name), [*range(1, BEGINS + 1), *during(failure), *after(failure)], reading)

    assert set(states[:BEGINS]) == {State.OK}
    assert State.ALARM in states[BEGINS : BEGINS + len(during(failure))]
    assert states[-1] is State.OK
    changes = [state for state, last in zip(states[1:], states, strict=False) if state is not last]
    assert changes == [State.ALARM, State.OK]  # one notification of the failure and one of the recovery


@in_readings(BUT_SILENCE, 1)
def test_alarm_without_other_traffic(failed: Failed, name: str, reading: Reading) -> None:
    failure = FAILURES[name]

    states = failed(name, alone=True).states(alarm(name), [BEGINS, *during(failure), *after(failure)], reading)

    assert State.ALARM in states[: 1 + len(during(failure))]
    assert (states[0], states[-1]) == (State.OK, State.OK)


@in_readings(BUT_SILENCE, 2)
def test_ok_when_idle(name: str, reading: Reading) -> None:
    assert set(Timeline(DIMENSIONS).states(alarm(name), range(60), reading)) == {State.OK}


@each_alarm
def test_ok_on_ordinary_traffic(emf_lines: EmfLines, name: str) -> None:
    for late in (0, 4):
        timeline = calm(emf_lines, range(120), late=late)
        assert set(timeline.states(alarm(name), range(1, 125))) == {State.OK}


@each_alarm
@pytest.mark.parametrize("late", [1, 4])
def test_alarm_on_late_metrics(emf_lines: EmfLines, name: str, late: int) -> None:
    failure = FAILURES[name]
    ends = BEGINS + failure.minutes
    timeline = calm(emf_lines, [*range(CALM), *range(ends, ends + 40)], late=late)
    happen(timeline, emf_lines, failure)

    states = timeline.states(alarm(name), [*range(1, BEGINS + 1), *range(BEGINS + 1, ends + 10, failure.every)])

    assert set(states[:BEGINS]) == {State.OK}
    assert State.ALARM in states[BEGINS:]


@pytest.mark.parametrize("name", OTHERS)
def test_ok_on_failures_of_other_alarms(emf_lines: EmfLines, name: str) -> None:
    timeline = Timeline(DIMENSIONS)
    happen(timeline, emf_lines, FailureScenario(OTHERS[name]))

    states = timeline.states(alarm(name), [*range(BEGINS, BEGINS + 40)])

    assert set(states) == {State.OK}


@pytest.mark.parametrize("name", ROLLBACK)
def test_a_batch_of_invalid_events_rolls_no_version_back(emf_lines: EmfLines, name: str) -> None:
    timeline = calm(emf_lines, range(CALM))
    happen(timeline, emf_lines, FailureScenario(("validation", "not_found")))

    assert set(timeline.states(alarm(name), range(BEGINS, BEGINS + 40))) == {State.OK}


def quiet_hour(emf_lines: EmfLines, kind: str) -> Timeline:
    """Return an hour with three events, one of which fails in every invocation."""
    timeline = Timeline(DIMENSIONS)
    timeline.add_documents(emf_lines["marked"][:2], 30)
    for number, delay in enumerate(ATTEMPTS if kind in RAISED else ATTEMPTS[:1]):
        timeline.add_documents(emf_lines[kind][number : number + 1], 31 + delay)
        if kind in RAISED:
            timeline.platform("AWS/Lambda", "Errors", 1, 31 + delay)
    timeline.platform("AWS/SQS", "NumberOfMessagesSent", 1, 36)
    for minute in range(36, 60):
        timeline.platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, minute)
    return timeline


def one_alone(definition: Alarm) -> list[str]:
    """Return the kinds of events of which one alone must not cause this alarm."""
    kinds = FAILURES[definition.name].kinds or (("internal",) if definition.minimum else ())
    kinds += ("throttling", "conflict") if definition.name == "retries" else ()  # those with the most attempts
    return [kind for kind in kinds if definition.minimum is not None and definition.minimum > 1]


@pytest.mark.parametrize(
    ("name", "kind", "reading"),
    some(
        [(alarm.name, kind, reading) for alarm in ALARMS.values() for kind in one_alone(alarm) for reading in READINGS],
        of=3,
    ),
    ids=str,
)
def test_ok_on_one_failing_event_in_a_quiet_hour(emf_lines: EmfLines, name: str, kind: str, reading: Reading) -> None:
    timeline = quiet_hour(emf_lines, kind)

    assert set(timeline.states(alarm(name), range(25, 70), reading)) == {State.OK}
    # It is still reported: the event is in the dead-letter queue.
    assert State.ALARM in timeline.states(alarm("dlq-arrival"), range(25, 70), reading)


def test_alarm_on_one_permanent_failure(emf_lines: EmfLines) -> None:
    at_one = {name for name, alarm in ALARMS.items() if alarm.minimum == 1}

    assert at_one == {"error-rate-access-denied", "error-rate-configuration"}
    for name in at_one:
        timeline = quiet_hour(emf_lines, FAILURES[name].kinds[0])
        assert State.ALARM in timeline.states(alarm(name), range(25, 70))


def test_every_ratio_has_a_minimum() -> None:
    shares = {name for name, alarm in ALARMS.items() if "/" in alarm.expression}

    counts = {"unreported-failures", "spans-lost"}
    assert {name for name, alarm in ALARMS.items() if alarm.minimum is not None} - counts == shares


def logical_ids() -> dict[str, str]:
    """Return the names of alarms by logical ID."""
    return {
        logical_id: resource["Properties"]["AlarmName"].removeprefix(PREFIX)
        for logical_id, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.mark.parametrize("composite", ["error-rate", *(burn.name for burn in BURNS)])
def test_composites(failed: Failed, composite: str) -> None:
    """`test_notifications` has those that suppress each other."""
    failure = FAILURES["error-rate-throttling"]
    timeline = failed("error-rate-throttling")
    ends = BEGINS + failure.minutes
    composites = resources("AWS::CloudWatch::CompositeAlarm")
    (rule,) = [alarm["AlarmRule"] for alarm in composites if alarm["AlarmName"].endswith(f"-test-{composite}")]
    minutes = [*range(1, BEGINS + 1), *during(failure), *after(failure)]
    names = {logical: name for logical, name in logical_ids().items() if logical in str(rule)}
    parts = {logical: timeline.states(alarm(name), minutes) for logical, name in names.items()}

    states = [
        composite_state(rule, {logical: states[number] for logical, states in parts.items()})
        for number in range(len(minutes))
    ]

    assert set(states[:BEGINS]) == {State.OK}
    assert State.ALARM in states[BEGINS : BEGINS + len(during(failure))]
    # The short window resolves it soon after the failure, although the long window is still breaching.
    resolved = next(
        minute for minute, state in zip(minutes, states, strict=True) if minute > ends + 4 and state is State.OK
    )
    assert resolved <= ends + 95
    assert states[-1] is State.OK
