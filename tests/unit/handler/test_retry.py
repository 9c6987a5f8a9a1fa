"""The retry policy: its delays, limits and time budget, on a fake clock."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity.nap
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ErrorCategory, ProcessingError
from handler.retry import MAX_DELAY, RETRY_POLICIES, Backoff, Budget, call_with_retries
from tests.support.clock import Clock

C = ErrorCategory
FOR_EVER = 1e9
RESERVE = 2.0

FIRST_DELAY = {C.THROTTLING: 1.0, C.CONFLICT: 0.05, C.NETWORK: 0.1, C.DYNAMODB: 0.1}
MAX_ATTEMPTS = {C.NETWORK: 3, C.DYNAMODB: 3}
NEVER = [C.VALIDATION, C.NOT_FOUND, C.ACCESS_DENIED, C.CONFIGURATION, C.TIMEOUT, C.INTERNAL]


@dataclass
class Attempts:
    """A scripted call: fails as the script says, then succeeds."""

    failures: Iterator[ErrorCategory]
    count: int = 0
    clock: Clock = field(default_factory=Clock)
    seconds: float = 0.0

    def __call__(self) -> str:
        self.count += 1
        self.clock.advance(self.seconds)
        category = next(self.failures, None)
        if category is not None:
            raise ProcessingError(category, f"failure {self.count}")
        return "done"


@dataclass(frozen=True)
class Result:
    """What came of a call with retries."""

    outcome: str | ProcessingError
    waits: list[Backoff]
    slept: list[float]
    attempts: int
    left: float


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    """Where stamina's waits end up."""
    with pytest.MonkeyPatch.context() as patch:
        ours = Clock()
        patch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=ours.advance))
        yield ours


def run(
    clock: Clock,
    failures: Sequence[ErrorCategory] | Iterator[ErrorCategory],
    *,
    seconds: float = 0.0,
    remaining: float = FOR_EVER,
    worst: float = 4.0,
    jitter: Any = min,
) -> Result:
    attempts = Attempts(iter(failures), clock=clock, seconds=seconds)
    waits: list[Backoff] = []
    begun: list[float] = []
    clock.now = 0.0  # its borders are exact only from there
    deadline = clock.now + remaining

    def on_backoff(wait: Backoff) -> None:
        waits.append(wait)
        begun.append(clock.now)

    def attempt() -> str:
        if begun:
            slept.append(clock.now - begun[-1])
        return attempts()

    slept: list[float] = []
    budget = Budget(lambda: deadline - clock.now, worst)
    outcome: str | ProcessingError
    try:
        outcome = call_with_retries(attempt, budget=budget, on_backoff=on_backoff, jitter=jitter)
    except ProcessingError as failed:
        outcome = failed
    return Result(outcome, waits, slept, attempts.count, deadline - clock.now)


def test_delays_and_limits() -> None:
    assert {category: rule.first_delay for category, rule in RETRY_POLICIES.items()} == FIRST_DELAY
    assert {
        category: rule.max_attempts for category, rule in RETRY_POLICIES.items() if rule.max_attempts
    } == MAX_ATTEMPTS
    assert MAX_DELAY == 30.0


def test_a_success_needs_no_second_attempt(clock: Clock) -> None:
    result = run(clock, [])
    assert (result.outcome, result.attempts, result.waits) == ("done", 1, [])


@pytest.mark.parametrize("category", RETRY_POLICIES)
def test_a_failure_that_may_be_retried_is(clock: Clock, category: ErrorCategory) -> None:
    result = run(clock, [category])
    assert (result.outcome, result.attempts) == ("done", 2)
    assert result.waits == [Backoff(1, FIRST_DELAY[category], category)]


@pytest.mark.parametrize("category", NEVER)
@pytest.mark.parametrize("before", [[], [C.THROTTLING], [C.NETWORK, C.CONFLICT]])
def test_the_others_never_are(clock: Clock, category: ErrorCategory, before: list[ErrorCategory]) -> None:
    result = run(clock, [*before, category])
    assert isinstance(result.outcome, ProcessingError)
    assert result.outcome.category is category
    assert result.attempts == len(before) + 1


def test_every_category_is_one_or_the_other() -> None:
    assert {*RETRY_POLICIES, *NEVER} == set(ErrorCategory)


@pytest.mark.parametrize("category", [C.NETWORK, C.DYNAMODB])
def test_at_most_three_attempts(clock: Clock, category: ErrorCategory) -> None:
    result = run(clock, repeat(category))
    assert result.attempts == 3
    assert isinstance(result.outcome, ProcessingError)
    assert result.outcome.code == "failure 3"  # the last failure is reported


@pytest.mark.parametrize("category", [C.THROTTLING, C.CONFLICT])
def test_no_other_limit_than_the_time(clock: Clock, category: ErrorCategory) -> None:
    assert run(clock, [category] * 50).attempts == 51


@pytest.mark.parametrize("category", RETRY_POLICIES)
def test_exponential_between_the_first_delay_and_thirty_seconds(clock: Clock, category: ErrorCategory) -> None:
    shortest = [wait.delay for wait in run(clock, [category] * 12, jitter=min).waits]
    longest = [wait.delay for wait in run(clock, [category] * 12, jitter=max).waits]
    steps = [FIRST_DELAY[category] * 2**n for n in range(MAX_ATTEMPTS.get(category, 13) - 1)]
    assert shortest == [min(step, 15.0) for step in steps], "apart from one another at the upper bound too"
    assert longest == [min(2 * step, 30.0) for step in steps]


@given(st.sampled_from([*RETRY_POLICIES]), st.randoms(use_true_random=False))
def test_jitter_stays_within_its_range(clock: Clock, category: ErrorCategory, random: Random) -> None:
    waits = run(clock, [category] * 10, jitter=random.uniform).waits
    for number, wait in enumerate(waits):
        step = FIRST_DELAY[category] * 2**number
        assert min(step, 15.0) <= wait.delay <= min(2 * step, 30.0)
    if category is C.THROTTLING:
        assert all(1.0 <= wait.delay <= 30.0 for wait in waits)


def test_the_default_jitter_draws(clock: Clock) -> None:
    budget = Budget(lambda: FOR_EVER, 4.0)
    drawn: set[float] = set()
    for _ in range(5):
        attempts = Attempts(iter([C.CONFLICT]), clock=clock)
        call_with_retries(attempts, budget=budget, on_backoff=lambda wait: drawn.add(wait.delay))
    assert len(drawn) > 1
    assert all(0.05 <= delay <= 0.1 for delay in drawn)


def test_each_category_counts_its_own_failures(clock: Clock) -> None:
    result = run(clock, [C.NETWORK, C.DYNAMODB, C.NETWORK, C.THROTTLING, C.DYNAMODB, C.THROTTLING])
    assert result.outcome == "done"
    assert [(wait.attempt, wait.category, wait.delay) for wait in result.waits] == [
        (1, C.NETWORK, 0.1),
        (2, C.DYNAMODB, 0.1),
        (3, C.NETWORK, 0.2),
        (4, C.THROTTLING, 1.0),
        (5, C.DYNAMODB, 0.2),
        (6, C.THROTTLING, 2.0),
    ]


@given(st.lists(st.sampled_from([*RETRY_POLICIES]), max_size=8), st.randoms(use_true_random=False))
def test_it_sleeps_the_delays_that_it_reports(clock: Clock, failures: list[ErrorCategory], random: Random) -> None:
    result = run(clock, failures, jitter=random.uniform)
    assert result.slept == pytest.approx([wait.delay for wait in result.waits])
    assert result.attempts == len(result.waits) + 1


class TestBudget:
    """The deadline is what ends it."""

    @pytest.mark.parametrize(("remaining", "attempts"), [(6.001, 1), (6.0, 0), (1.0, 0), (0.0, 0), (-1.0, 0)])
    def test_not_even_a_first_attempt_without_the_time_for_it(
        self, clock: Clock, remaining: float, attempts: int
    ) -> None:
        result = run(clock, [], remaining=remaining, worst=4.0)
        assert result.attempts == attempts
        if not attempts:
            assert isinstance(result.outcome, ProcessingError)
            assert (result.outcome.category, result.outcome.code) == (C.TIMEOUT, "NoTimeForAnAttempt")

    @pytest.mark.parametrize(("remaining", "attempts"), [(7.001, 2), (7.0, 1)])
    def test_the_wait_the_worst_attempt_and_the_reserve_must_fit(
        self, clock: Clock, remaining: float, attempts: int
    ) -> None:
        result = run(clock, [C.THROTTLING], remaining=remaining, worst=4.0)
        assert result.attempts == attempts

    def test_the_failure_is_reported_not_the_spent_budget(self, clock: Clock) -> None:
        result = run(clock, repeat(C.THROTTLING), remaining=30.0)
        assert isinstance(result.outcome, ProcessingError)
        assert result.outcome.category is C.THROTTLING
        assert result.attempts > 1

    def test_a_wait_that_does_not_happen_is_not_announced(self, clock: Clock) -> None:
        result = run(clock, repeat(C.THROTTLING), remaining=30.0)
        assert len(result.waits) == result.attempts - 1

    @given(
        st.floats(0, 900),
        st.floats(0.01, 60),
        st.lists(st.sampled_from([*RETRY_POLICIES]), min_size=1, max_size=40),
        st.floats(0, 1),
        st.randoms(use_true_random=False),
    )
    def test_the_reserve_is_never_touched(
        self,
        clock: Clock,
        remaining: float,
        worst: float,
        failures: list[ErrorCategory],
        share: float,
        random: Random,
    ) -> None:
        result = run(clock, failures, remaining=remaining, worst=worst, seconds=share * worst, jitter=random.uniform)
        assert result.left >= min(remaining, RESERVE) - 1e-6  # what floats lose
        if result.attempts == 0:
            assert remaining <= worst + RESERVE


class TestStamina:
    """How the library underneath is used."""

    def test_other_exceptions_pass_at_once(self, clock: Clock) -> None:
        calls = iter([ProcessingError(C.CONFLICT, "x"), KeyError("defect")])
        waits: list[Backoff] = []

        def attempt() -> None:
            raise next(calls)

        with pytest.raises(KeyError):
            call_with_retries(attempt, budget=Budget(lambda: FOR_EVER, 4.0), on_backoff=waits.append)
        assert len(waits) == 1
        assert clock.now > 0

    def test_its_hooks_that_log_arguments_are_off(self, clock: Clock) -> None:
        import stamina.instrumentation

        stamina.instrumentation.set_on_retry_hooks(None)  # its defaults
        run(clock, [C.CONFLICT])
        assert stamina.instrumentation.get_on_retry_hooks() == ()

    def test_it_is_imported_by_the_first_failure_only(self) -> None:
        program = """
import sys
from handler.errors import ErrorCategory, ProcessingError
from handler.retry import Budget, call_with_retries

def attempt():
    if failures:
        raise ProcessingError(failures.pop(), "x")

def loaded():
    return sorted({"stamina", "tenacity"} & set(sys.modules))

for failures in [], [ErrorCategory.ACCESS_DENIED], [ErrorCategory.CONFLICT]:
    try:
        call_with_retries(attempt, budget=Budget(lambda: 100.0, 1.0), on_backoff=print, jitter=lambda *_: 0.0)
    except ProcessingError:
        pass
    print(loaded())
"""
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
        )
        before, permanent, _, after = done.stdout.splitlines()
        assert (before, permanent, after) == ("[]", "[]", "['stamina', 'tenacity']")
        assert done.stderr == ""
