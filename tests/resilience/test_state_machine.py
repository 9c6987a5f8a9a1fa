"""Whatever happens, in whatever order: every event is somewhere, and what is told of it agrees with what is there.

`PROOF_EXAMPLES=500 .venv/bin/python -m pytest tests/resilience/test_state_machine.py --timeout 0` looks longer.
"""

import json
import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from emulator.pipeline.model import Disposition
from emulator.pipeline.scheduler import SIMULATION_START
from tests.resilience.invariants import Ledger
from tests.resilience.observations import Trouble, event_id
from tests.resilience.redrive_operator import Operator
from tests.resilience.simulation import SEND, WRITE, Simulation, worlds
from tests.support.events import DATE, event
from tests.support.stores import DeadLetters, Tables

EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "12"))
"""Stories that are told."""
STEPS = 25
"""Of each story."""

ROWS = ("A", "B", "C")
_HOUR_S = 3600

TROUBLES = st.one_of(
    st.builds(
        Trouble,
        dies=st.sampled_from([WRITE, SEND]),
        after=st.booleans(),
        deadline=st.booleans(),
        writes=st.sampled_from([(), ("lost",), ("throttled",)]),
    ),
    st.builds(Trouble, writes=st.lists(st.sampled_from(["lost", "conflict", "error", "reset"]), max_size=4).map(tuple)),
    st.sampled_from(
        [
            Trouble(writes=("throttled",) * 5),
            Trouble(writes=("lost",) * 3),
            Trouble(writes=("denied",)),
            Trouble(lambda_throttles=True),
        ]
    ),
)


class Anything(RuleBasedStateMachine):
    """Events, and everything that can happen to them."""

    make: Callable[[int], Simulation]

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.simulation = self.make(seed)
        self.ledger = Ledger(self.simulation)
        self.rows: set[str] = set()
        self.numbers = count(1)
        simulation = self.simulation
        self.operator = Operator(
            simulation.queue_url,
            simulation.bus_url,
            simulation.queue,
            simulation.tables,
            simulation.observations.handles,
        )

    @rule(symbol=st.sampled_from(ROWS), hour=st.integers(0, 2), valid=st.sampled_from([True, True, True, False]))
    def an_event(self, symbol: str, hour: int, valid: bool) -> None:
        """Its time may be before that of an earlier one; its row may come later, or never."""
        number = next(self.numbers)
        sent = event(symbol, DATE if valid else "soon", number, time=f"2025-07-31T{20 + hour}:00:00Z")
        sent["detail"]["event_id"] = f"event-{number}"
        self.ledger.events[f"event-{number}"] = sent
        self.simulation.publish(sent)

    @rule(which=st.integers(0, 99))
    def an_event_again(self, which: int) -> None:
        """Its producer publishes it once more."""
        if events := list(self.ledger.events.values()):
            self.simulation.publish(events[which % len(events)])

    @rule(symbol=st.sampled_from(ROWS))
    def a_row(self, symbol: str) -> None:
        """The calendar's sync brings it."""
        if symbol not in self.rows:
            self.simulation.tables.put_row(symbol, DATE)
            self.rows.add(symbol)

    @rule(trouble=TROUBLES, tries=st.integers(1, 4))
    def trouble(self, trouble: Trouble, tries: int) -> None:
        self.simulation.troubles.extend([trouble] * tries)

    @rule(of=st.sampled_from(["refuses_function", "refuses_platform", "no_permission"]), broken=st.booleans())
    def a_net(self, of: str, broken: bool) -> None:
        """It breaks, or is mended."""
        setattr(self.simulation, of, broken)

    @rule(seconds=st.sampled_from([1, 61, 200, _HOUR_S]))
    def time(self, seconds: int) -> None:
        self.simulation.advance(seconds)

    @rule(hour=st.integers(0, 2))
    def a_replay(self, hour: int) -> None:
        start = SIMULATION_START + hour * _HOUR_S
        for arrival in list(self.simulation.pipeline.replay("again", start, start + _HOUR_S))[:6]:
            self.simulation.deliver(arrival.payload)

    @rule(force=st.booleans(), dies_at=st.none() | st.integers(0, 40))
    def a_redrive(self, force: bool, dies_at: int | str | None) -> None:
        self.operator.dies_at = dies_at
        self.operator.redrive(force=force)

    @rule(category=st.sampled_from(["validation", "not_found", "throttling"]), dies_at=st.none() | st.integers(0, 20))
    def a_discard(self, category: str, dies_at: int | str | None) -> None:
        self.operator.dies_at = dies_at
        self.operator.discard(category)

    @invariant()
    def the_account_balances(self) -> None:
        self.simulation.advance(0)
        self.ledger.balance()

    def teardown(self) -> None:
        """Mend everything and bring everything back: then every valid event is marked, and only poison is left."""
        if not hasattr(self, "ledger") or not self.ledger.sound:
            return
        simulation, ledger = self.simulation, self.ledger
        simulation.refuses_function = simulation.refuses_platform = simulation.no_permission = False
        simulation.troubles.clear()
        for symbol in ROWS:
            self.a_row(symbol)
        simulation.pipeline.run()
        self.operator.redrive(force=True)
        simulation.pipeline.run()
        ledger.balance()
        assert not any(map(ledger.valid, ledger.in_the_queue()))
        bodies = [json.loads(dead_letter.body) for dead_letter in simulation.queue.drain()]
        held = [event_id(body.get("requestPayload", body)) for body in bodies]
        assert sorted(held) == sorted(ledger.in_the_queue()), "the books agree with the queue"

        simulation.observations.deleted |= simulation.observations.dead_letters.keys()
        for arrival in list(simulation.pipeline.replay("everything", 0, SIMULATION_START + 99 * _HOUR_S)):
            simulation.deliver(arrival.payload)
        simulation.pipeline.run()
        assert simulation.pipeline.counters.live == 0, "nothing is on its way for ever"
        valid = {ledger.symbol(identity) for identity in ledger.events if ledger.valid(identity)}
        ledger.audit = ledger._scan(simulation.tables.audit_table)
        ledger._rows()
        assert ledger.marked == valid, "the archive brings back what no net took"


@pytest.fixture
def making(tables: Tables, dead_letters: DeadLetters) -> Iterator[Callable[[int], Simulation]]:
    with worlds(tables, dead_letters) as make:
        yield make


@pytest.mark.timeout(900, func_only=True)
def test_anything_may_happen(making: Callable[[int], Simulation]) -> None:
    machine = type("Anything", (Anything,), {"make": staticmethod(making)})
    chosen = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_a_story_in_which_everything_happens(making: Callable[[int], Simulation]) -> None:
    """The steps do what they say: each place and each outcome is reached, and the account balances all along."""
    scenario = type("Story", (Anything,), {"make": staticmethod(making)})()
    scenario.begin(seed=1)

    def then(*_: object, passes: int = _HOUR_S) -> None:
        scenario.the_account_balances()
        scenario.simulation.advance(passes)
        scenario.the_account_balances()

    then(scenario.a_row("A"), scenario.an_event("A", 1, True), scenario.an_event("A", 0, True))
    then(scenario.an_event("B", 0, True), scenario.an_event("C", 0, False), scenario.an_event_again(0))
    for operation in (WRITE, SEND):
        for after in (False, True):
            for deadline in (False, True):
                then(
                    scenario.trouble(Trouble(dies=operation, after=after, deadline=deadline), 1),
                    scenario.an_event("B", 0, True),
                )
    then(scenario.a_row("C"), scenario.trouble(Trouble(writes=("lost",)), 1), scenario.an_event("C", 0, True))
    then(scenario.trouble(Trouble(writes=("lost",) * 3), 3), scenario.an_event("B", 0, True))
    then(scenario.trouble(Trouble(lambda_throttles=True), 20), scenario.an_event("A", 0, True))
    scenario.simulation.troubles.clear()
    then(scenario.a_net("refuses_function", True), scenario.an_event("B", 0, True))
    then(scenario.a_net("refuses_platform", True), scenario.an_event("B", 0, True))
    then(
        scenario.a_net("refuses_platform", False),
        scenario.a_net("no_permission", True),
        scenario.an_event("B", 2, True),
    )
    scenario.a_net("refuses_function", False)
    scenario.a_net("no_permission", False)
    then(scenario.a_discard("validation", "PutItem"))
    then(scenario.a_discard("validation", None))
    then(scenario.a_row("B"), scenario.a_redrive(True, "PutEvents"))
    then(scenario.a_redrive(True, "DeleteMessage"))
    then(scenario.a_redrive(True, None))
    then(scenario.a_replay(2))

    reached = {delivery_result.disposition for delivery_result in scenario.simulation.observations.endings}
    assert reached == set(Disposition) - {Disposition.NO_OUTCOME, Disposition.FILTERED, Disposition.LAMBDA_DLQ}
    outcomes = {each.outcome for each in scenario.simulation.observations.tries}
    assert outcomes == {"marked", "duplicate", "dead_lettered", "raised", "struck", "crashed"}
    kinds = set().union(*map(scenario.ledger.dispositions, scenario.ledger.events))
    assert kinds == {"marked", "discarded", "archive only"}, "nothing is left in the queue"
    assert any(delivery_result.redelivered for delivery_result in scenario.simulation.observations.endings)
    scenario.teardown()
