"""Whatever happens, in whatever order: every event is somewhere, and what is told of it agrees with what is there.

`PROOF_EXAMPLES=500 .venv/bin/python -m pytest tests/proof/test_anything.py --timeout 0` looks longer.
"""

import json
import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from local.chain.places import Place
from local.chain.timeline import SIMULATION_START
from tests.proof.books import Trouble, event_id
from tests.proof.ledger import DATE, Ledger
from tests.proof.operator import Operator
from tests.proof.world import SEND, WRITE, World, worlds
from tests.support.runs import event
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

    make: Callable[[int], World]

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.world = self.make(seed)
        self.ledger = Ledger(self.world)
        self.rows: set[str] = set()
        self.numbers = count(1)
        world = self.world
        self.operator = Operator(world.queue_url, world.bus_url, world.queue, world.tables, world.books.handles)

    @rule(symbol=st.sampled_from(ROWS), hour=st.integers(0, 2), valid=st.sampled_from([True, True, True, False]))
    def an_event(self, symbol: str, hour: int, valid: bool) -> None:
        """Its time may be before that of an earlier one; its row may come later, or never."""
        number = next(self.numbers)
        sent = event(symbol, DATE if valid else "soon", number, time=f"2025-07-31T{20 + hour}:00:00Z")
        sent["detail"]["event_id"] = f"event-{number}"
        self.ledger.events[f"event-{number}"] = sent
        self.world.publish(sent)

    @rule(which=st.integers(0, 99))
    def an_event_again(self, which: int) -> None:
        """Its producer publishes it once more."""
        if events := list(self.ledger.events.values()):
            self.world.publish(events[which % len(events)])

    @rule(symbol=st.sampled_from(ROWS))
    def a_row(self, symbol: str) -> None:
        """The calendar's sync brings it."""
        if symbol not in self.rows:
            self.world.tables.put_row(symbol, DATE)
            self.rows.add(symbol)

    @rule(trouble=TROUBLES, tries=st.integers(1, 4))
    def trouble(self, trouble: Trouble, tries: int) -> None:
        self.world.troubles.extend([trouble] * tries)

    @rule(of=st.sampled_from(["refuses_function", "refuses_platform", "no_permission"]), broken=st.booleans())
    def a_net(self, of: str, broken: bool) -> None:
        """It breaks, or is mended."""
        setattr(self.world, of, broken)

    @rule(seconds=st.sampled_from([1, 61, 200, _HOUR_S]))
    def time(self, seconds: int) -> None:
        self.world.let_pass(seconds)

    @rule(hour=st.integers(0, 2))
    def a_replay(self, hour: int) -> None:
        start = SIMULATION_START + hour * _HOUR_S
        for arrival in list(self.world.chain.replay("again", start, start + _HOUR_S))[:6]:
            self.world.deliver(arrival.payload)

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
        self.world.let_pass(0)
        self.ledger.balance()

    def teardown(self) -> None:
        """Mend everything and bring everything back: then every valid event is marked, and only poison is left."""
        if not hasattr(self, "ledger") or not self.ledger.sound:
            return
        world, ledger = self.world, self.ledger
        world.refuses_function = world.refuses_platform = world.no_permission = False
        world.troubles.clear()
        for symbol in ROWS:
            self.a_row(symbol)
        world.chain.run()
        self.operator.redrive(force=True)
        world.chain.run()
        ledger.balance()
        assert not any(map(ledger.valid, ledger.in_the_queue()))
        bodies = [json.loads(letter.body) for letter in world.queue.drain()]
        held = [event_id(body.get("requestPayload", body)) for body in bodies]
        assert sorted(held) == sorted(ledger.in_the_queue()), "the books agree with the queue"

        world.books.deleted |= world.books.letters.keys()
        for arrival in list(world.chain.replay("everything", 0, SIMULATION_START + 99 * _HOUR_S)):
            world.deliver(arrival.payload)
        world.chain.run()
        assert world.chain.account.live == 0, "nothing is on its way for ever"
        valid = {ledger.symbol(identity) for identity in ledger.events if ledger.valid(identity)}
        ledger.audit = ledger._scan(world.tables.audit_table)
        ledger._rows()
        assert ledger.marked == valid, "the archive brings back what no net took"


@pytest.fixture
def making(tables: Tables, dead_letters: DeadLetters) -> Iterator[Callable[[int], World]]:
    with worlds(tables, dead_letters) as make:
        yield make


@pytest.mark.timeout(900, func_only=True)
def test_anything_may_happen(making: Callable[[int], World]) -> None:
    machine = type("Anything", (Anything,), {"make": staticmethod(making)})
    chosen = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_a_story_in_which_everything_happens(making: Callable[[int], World]) -> None:
    """The steps do what they say: each place and each outcome is reached, and the account balances all along."""
    story = type("Story", (Anything,), {"make": staticmethod(making)})()
    story.begin(seed=1)

    def then(*_: object, passes: int = _HOUR_S) -> None:
        story.the_account_balances()
        story.world.let_pass(passes)
        story.the_account_balances()

    then(story.a_row("A"), story.an_event("A", 1, True), story.an_event("A", 0, True))
    then(story.an_event("B", 0, True), story.an_event("C", 0, False), story.an_event_again(0))
    for operation in (WRITE, SEND):
        for after in (False, True):
            for deadline in (False, True):
                then(
                    story.trouble(Trouble(dies=operation, after=after, deadline=deadline), 1),
                    story.an_event("B", 0, True),
                )
    then(story.a_row("C"), story.trouble(Trouble(writes=("lost",)), 1), story.an_event("C", 0, True))
    then(story.trouble(Trouble(writes=("lost",) * 3), 3), story.an_event("B", 0, True))
    then(story.trouble(Trouble(lambda_throttles=True), 20), story.an_event("A", 0, True))
    story.world.troubles.clear()
    then(story.a_net("refuses_function", True), story.an_event("B", 0, True))
    then(story.a_net("refuses_platform", True), story.an_event("B", 0, True))
    then(story.a_net("refuses_platform", False), story.a_net("no_permission", True), story.an_event("B", 2, True))
    story.a_net("refuses_function", False)
    story.a_net("no_permission", False)
    then(story.a_discard("validation", "PutItem"))
    then(story.a_discard("validation", None))
    then(story.a_row("B"), story.a_redrive(True, "PutEvents"))
    then(story.a_redrive(True, "DeleteMessage"))
    then(story.a_redrive(True, None))
    then(story.a_replay(2))

    reached = {ending.place for ending in story.world.books.endings}
    assert reached == set(Place) - {Place.NO_OUTCOME, Place.FILTERED, Place.LAMBDA_DLQ}
    outcomes = {each.outcome for each in story.world.books.tries}
    assert outcomes == {"marked", "duplicate", "dead_lettered", "raised", "struck", "crashed"}
    kinds = set().union(*map(story.ledger.places, story.ledger.events))
    assert kinds == {"marked", "discarded", "archive only"}, "nothing is left in the queue"
    assert any(ending.redelivered for ending in story.world.books.endings)
    story.teardown()
