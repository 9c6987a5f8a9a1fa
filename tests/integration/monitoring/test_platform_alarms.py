"""The synthesised alarms on the platform's metrics, as the emulated event pipeline counts them on failures."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from emulator.pipeline.pipeline import FailureDestinations, InputEvent
from emulator.pipeline.platform_metrics import rule_dimensions
from emulator.pipeline.rule_target import InvokeError
from emulator.pipeline.scheduler import SIMULATION_START
from monitoring.alarm_states import State
from monitoring.log_alarms import HOLD
from monitoring.metric_store import MetricStore
from tests.integration.monitoring.failure_scenarios import DIMENSIONS
from tests.support.cloudwatch.alarms import READINGS, MetricAlarm, Reading
from tests.support.monitoring_template import alarm
from tests.support.pipeline_helpers import PAYLOAD, MemoryDestination, Simulation, simulation

if TYPE_CHECKING:
    from emulator.lambda_runtime.worker import Status


def refused(_: bytes) -> InvokeError:
    return InvokeError("NO_PERMISSIONS", "the rule may not invoke the function")


def dropped() -> Simulation:
    return simulation("error", destinations=FailureDestinations()).deliver()


def destination_broken() -> Simulation:
    return simulation("error", destinations=FailureDestinations(on_failure=MemoryDestination(broken=True))).deliver()


def not_delivered() -> Simulation:
    return simulation(invoke_api=refused, destinations=FailureDestinations(rule_dlq=MemoryDestination())).deliver()


def rule_queue_broken() -> Simulation:
    return simulation(
        invoke_api=refused, destinations=FailureDestinations(rule_dlq=MemoryDestination(broken=True))
    ).deliver()


def throttled() -> Simulation:
    answers: list[Status] = ["throttled"] * 14
    return simulation(*answers, "ok").deliver()


def crashing() -> Simulation:
    """Let the process crash in every invocation, so that the function reports nothing."""
    events = (InputEvent(PAYLOAD, at=SIMULATION_START + number * 30) for number in range(30))
    return simulation("crashed", destinations=FailureDestinations(on_failure=MemoryDestination())).run(events)


FAILURES: dict[str, Callable[[], Simulation]] = {
    "async-events-dropped": dropped,
    "destination-delivery-failures": destination_broken,
    "rule-failed-invocations": not_delivered,
    "rule-dlq-failures": rule_queue_broken,
    "async-event-age": throttled,
    "throttles": throttled,
    "unreported-failures": crashing,
}


def states(name: str, simulated: Simulation, reading: Reading) -> list[State]:
    """Return the states from the start until long after the end."""
    store = MetricStore()
    for point in simulated.points:
        # The emulated function and rule have other names; the dimensions must be the same.
        assert set(point.dimensions) == set(DIMENSIONS[point.namespace])
        store.put_platform(point.as_dict(), dimensions=DIMENSIONS[point.namespace])
    end = simulated.scheduler.now()
    evaluated = MetricAlarm(alarm(name), reading)
    minutes = range(int(end - SIMULATION_START) // 60 + HOLD + 10)
    return [evaluated.evaluate(store, SIMULATION_START + minute * 60) for minute in minutes]


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("name", FAILURES)
def test_alarm_and_recovery(name: str, reading: Reading) -> None:
    found = states(name, FAILURES[name](), reading)

    assert State.ALARM in found
    assert (found[0], found[-1]) == (State.OK, State.OK)


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("answers", [("ok",), ("error", "error", "ok"), ("throttled", "ok")], ids=str)
def test_ok_on_what_retries_resolve(name: str, answers: tuple[Any, ...]) -> None:
    simulated = simulation(*answers, destinations=FailureDestinations(on_failure=MemoryDestination())).deliver()

    assert set(states(name, simulated, Reading())) == {State.OK}


def test_rule_dimensions() -> None:
    arn = "arn:aws:events:us-east-1:111122223333:rule/{}".format
    assert rule_dimensions(arn("bus/rule")) == {"EventBusName": "bus", "RuleName": "rule"}
    assert rule_dimensions(arn("rule")) == {"RuleName": "rule"}
