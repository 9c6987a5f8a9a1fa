"""Anything may happen, in any order: no event is lost, and everything that reports an event agrees with the stores.

`PROOF_EXAMPLES=500 .venv/bin/python -m pytest tests/resilience/test_state_machine.py --timeout 0` runs more examples.
"""

import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from emulator.pipeline.model import Disposition
from emulator.pipeline.scheduler import SIMULATION_START
from tests.resilience.invariants import InvariantChecker
from tests.resilience.observations import FaultPlan, event_id
from tests.resilience.redrive_operator import Operator
from tests.resilience.simulation import SEND, WRITE, Simulation, simulations
from tests.support.events import DATE, event
from tests.support.stores import DeadLetters, Tables
from tests.support.thorough import EXAMPLES

STEPS = 25
"""Steps in each sequence."""

ROWS = ("A", "B", "C")
_HOUR_S = 3600

FAULT_PLANS = st.one_of(
    st.builds(
        FaultPlan,
        fails_at=st.sampled_from([WRITE, SEND]),
        after=st.booleans(),
        deadline=st.booleans(),
        writes=st.sampled_from([(), ("lost",), ("throttled",)]),
    ),
    st.builds(
        FaultPlan, writes=st.lists(st.sampled_from(["lost", "conflict", "error", "reset"]), max_size=4).map(tuple)
    ),
    st.sampled_from(
        [
            FaultPlan(writes=("throttled",) * 5),
            FaultPlan(writes=("lost",) * 3),
            FaultPlan(writes=("denied",)),
            FaultPlan(lambda_throttles=True),
        ]
    ),
)


class Anything(RuleBasedStateMachine):
    """Every step that can happen to events."""

    make: Callable[[int], Simulation]

    @initialize(seed=st.integers(0, 99))
    def start(self, seed: int) -> None:
        self.simulation = self.make(seed)
        self.checker = InvariantChecker(self.simulation)
        self.rows: set[str] = set()
        self.numbers = count(1)
        simulation = self.simulation
        self.operator = Operator(
            simulation.queue_url,
            simulation.bus_url,
            simulation.queue,
            simulation.tables,
            simulation.observations.receipt_handles,
        )

    @rule(symbol=st.sampled_from(ROWS), hour=st.integers(0, 2), valid=st.sampled_from([True, True, True, False]))
    def publish(self, symbol: str, hour: int, valid: bool) -> None:
        """Publish an event; its time may precede that of an earlier one, its row may be added later or never."""
        number = next(self.numbers)
        sent = event(symbol, DATE if valid else "soon", number, time=f"2025-07-31T{20 + hour}:00:00Z")
        sent["detail"]["event_id"] = f"event-{number}"
        self.checker.events[f"event-{number}"] = sent
        self.simulation.publish(sent)

    @rule(index=st.integers(0, 99))
    def publish_again(self, index: int) -> None:
        """Publish an event again."""
        if events := list(self.checker.events.values()):
            self.simulation.publish(events[index % len(events)])

    @rule(symbol=st.sampled_from(ROWS))
    def add_row(self, symbol: str) -> None:
        """Add a calendar row, as the calendar sync does."""
        if symbol not in self.rows:
            self.simulation.tables.put_row(symbol, DATE)
            self.rows.add(symbol)

    @rule(plan=FAULT_PLANS, times=st.integers(1, 4))
    def inject(self, plan: FaultPlan, times: int) -> None:
        self.simulation.fault_plans.extend([plan] * times)

    @rule(switch=st.sampled_from(["refuses_function", "refuses_platform", "no_permission"]), broken=st.booleans())
    def set_outage(self, switch: str, broken: bool) -> None:
        """Break or fix a failure destination, or EventBridge's permission."""
        setattr(self.simulation, switch, broken)

    @rule(seconds=st.sampled_from([1, 61, 200, _HOUR_S]))
    def advance(self, seconds: int) -> None:
        self.simulation.advance(seconds)

    @rule(hour=st.integers(0, 2))
    def replay(self, hour: int) -> None:
        start = SIMULATION_START + hour * _HOUR_S
        for replayed in list(self.simulation.pipeline.replay("again", start, start + _HOUR_S))[:6]:
            self.simulation.deliver(replayed.payload)

    @rule(force=st.booleans(), dies_at=st.none() | st.integers(0, 40))
    def redrive(self, force: bool, dies_at: int | str | None) -> None:
        self.operator.dies_at = dies_at
        self.operator.redrive(force=force)

    @rule(category=st.sampled_from(["validation", "not_found", "throttling"]), dies_at=st.none() | st.integers(0, 20))
    def discard(self, category: str, dies_at: int | str | None) -> None:
        self.operator.dies_at = dies_at
        self.operator.discard(category)

    @invariant()
    def invariants_hold(self) -> None:
        self.simulation.advance(0)
        self.checker.check()

    def teardown(self) -> None:
        """Fix everything and redrive everything: every valid event is marked, only invalid ones are left."""
        if not hasattr(self, "checker") or not self.checker.holds:
            return
        simulation, checker = self.simulation, self.checker
        simulation.refuses_function = simulation.refuses_platform = simulation.no_permission = False
        simulation.fault_plans.clear()
        for symbol in ROWS:
            self.add_row(symbol)
        simulation.pipeline.run()
        self.operator.redrive(force=True)
        simulation.pipeline.run()
        checker.check()
        assert not any(map(checker.valid, checker.queued_events()))
        bodies = [json.loads(dead_letter.body) for dead_letter in simulation.queue.drain()]
        queued = [event_id(body.get("requestPayload", body)) for body in bodies]
        assert sorted(queued) == sorted(checker.queued_events()), "the observations agree with the queue"

        simulation.observations.deleted |= simulation.observations.dead_letters.keys()
        for replayed in list(simulation.pipeline.replay("everything", 0, SIMULATION_START + 99 * _HOUR_S)):
            simulation.deliver(replayed.payload)
        simulation.pipeline.run()
        assert simulation.pipeline.counters.live == 0, "no delivery is retried for ever"
        valid = {checker.symbol(identity) for identity in checker.events if checker.valid(identity)}
        checker.check_rows()
        assert checker.marked == valid, "a replay of the archive recovers what no failure destination accepted"


@pytest.fixture
def new_simulation(tables: Tables, dead_letters: DeadLetters) -> Iterator[Callable[[int], Simulation]]:
    with simulations(tables, dead_letters) as make:
        yield make


@pytest.mark.timeout(900, func_only=True)
def test_anything_may_happen(new_simulation: Callable[[int], Simulation]) -> None:
    machine = type("Anything", (Anything,), {"make": staticmethod(new_simulation)})
    configured = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=configured)


def test_every_step_once(new_simulation: Callable[[int], Simulation]) -> None:
    """Every disposition and every outcome is reached, and the invariants hold throughout."""
    machine = type("EveryStep", (Anything,), {"make": staticmethod(new_simulation)})()
    machine.start(seed=1)

    def then(*_: object, seconds: int = _HOUR_S) -> None:
        machine.invariants_hold()
        machine.simulation.advance(seconds)
        machine.invariants_hold()

    then(machine.add_row("A"), machine.publish("A", 1, True), machine.publish("A", 0, True))
    then(machine.publish("B", 0, True), machine.publish("C", 0, False), machine.publish_again(0))
    for operation in (WRITE, SEND):
        for after in (False, True):
            for deadline in (False, True):
                then(
                    machine.inject(FaultPlan(fails_at=operation, after=after, deadline=deadline), 1),
                    machine.publish("B", 0, True),
                )
    then(machine.add_row("C"), machine.inject(FaultPlan(writes=("lost",)), 1), machine.publish("C", 0, True))
    then(machine.inject(FaultPlan(writes=("lost",) * 3), 3), machine.publish("B", 0, True))
    then(machine.inject(FaultPlan(lambda_throttles=True), 20), machine.publish("A", 0, True))
    machine.simulation.fault_plans.clear()
    then(machine.set_outage("refuses_function", True), machine.publish("B", 0, True))
    then(machine.set_outage("refuses_platform", True), machine.publish("B", 0, True))
    then(
        machine.set_outage("refuses_platform", False),
        machine.set_outage("no_permission", True),
        machine.publish("B", 2, True),
    )
    machine.set_outage("refuses_function", False)
    machine.set_outage("no_permission", False)
    then(machine.discard("validation", "PutItem"))
    then(machine.discard("validation", None))
    then(machine.add_row("B"), machine.redrive(True, "PutEvents"))
    then(machine.redrive(True, "DeleteMessage"))
    then(machine.redrive(True, None))
    then(machine.replay(2))

    reached = {result.disposition for result in machine.simulation.observations.results}
    assert reached == set(Disposition) - {
        *(Disposition.NO_OUTCOME, Disposition.FILTERED, Disposition.LAMBDA_DLQ, Disposition.RETURNED)
    }
    outcomes = {attempt.outcome for attempt in machine.simulation.observations.attempts}
    assert outcomes == {"marked", "duplicate", "dead_lettered", "raised", "timed_out", "crashed"}
    dispositions = set().union(*map(machine.checker.dispositions, machine.checker.events))
    assert dispositions == {"marked", "discarded", "archive only"}, "nothing is left in the queue"
    assert any(result.redelivered for result in machine.simulation.observations.results)
    machine.teardown()
