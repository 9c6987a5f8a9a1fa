"""The function's process is killed before and after every AWS call of every run, and the system converges.

The calls are not listed here: a first run of each run shows them, so that a new call is covered. A thorough run has the
layer around the function, a quick one exports in direct mode.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from deploy.image.trim_botocore import OPERATIONS
from emulator.pipeline.model import Disposition
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from handler.outcome import OutcomeKind
from handler.startup import ADOT_FAILED
from tests.resilience.process_harness import ProcessHarness, ScenarioRun, process_harness
from tests.resilience.scenarios import MARKED_BY_ANOTHER, SCENARIOS, Scenario
from tests.support.invariants import count_outcomes
from tests.support.process_kill import RETURN
from tests.support.stores import DeadLetters, Tables, new_tables
from tests.support.thorough import THOROUGH, few

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


EXPORT_MODE = "layer" if THOROUGH else "direct"


@pytest.fixture(scope="module")
def own_tables(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Tables:
    return new_tables(dynamodb_endpoint.url, dynamodb_client, "kills")


@pytest.fixture(scope="module")
def own_dead_letters(queue_endpoint: QueueEndpoint) -> DeadLetters:
    return DeadLetters(create_queue(queue_endpoint.url, "dead-letters-kills"))


@pytest.fixture(scope="module")
def harness(own_tables: Tables, own_dead_letters: DeadLetters) -> Iterator[ProcessHarness]:
    with process_harness(own_tables, own_dead_letters, export_mode=EXPORT_MODE) as harness:
        yield harness


@pytest.mark.timeout(600, func_only=True)  # a process start for each kill
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_any_call_the_event_ends_as_it_must(harness: ProcessHarness, scenario: Scenario) -> None:
    complete = harness.recorded(scenario)
    check(scenario, complete)
    # Each run starts at another moment, so that the runs together have every kind of call.
    start = SCENARIOS.index(scenario)
    for moment in complete.watch.moments() if THOROUGH else few(complete.watch.states(), of=3, start=start):
        run = harness.run(scenario, moment)
        assert run.watch.killed, f"there was no call {moment.number}: {run.watch.calls}"
        where = f"killed {'after' if moment.after else 'before'} call {moment.number} of {run.watch.calls}"
        check(scenario, run, where)


def check(scenario: Scenario, run: ScenarioRun, where: str = "") -> None:
    """Check for one mark and one audit entry, or dead letters with the whole event, and for the metrics."""
    (result,) = run.results
    assert result.attempts <= 3, where
    if scenario.end == "dead letter":
        check_dead_letters(run, where)
        assert run.marks == [], where
        assert run.row is None or not run.row["is_processed"], where
    else:
        assert run.dead_letters == [], where
    if scenario.end == "marked":
        # If the process is killed after the write, the next attempt finds the row marked.
        assert result.disposition in (
            {Disposition.MARKED, Disposition.DUPLICATE} if run.watch.killed else {Disposition.MARKED}
        ), where
        assert run.row is not None
        assert (run.row["is_processed"], run.row["processed_by_event"]) == (True, run.event["id"]), where
        (mark,) = run.marks
        assert (mark["event_id"], mark["recorded_at"]) == (run.event["id"], run.row["updated_at"]), where
    elif scenario.end == "absorbed":
        assert result.disposition is Disposition.DUPLICATE, where
        assert run.row is not None
        assert {name: run.row[name] for name in MARKED_BY_ANOTHER} == MARKED_BY_ANOTHER, where
        assert run.marks == [], where
    check_metrics(run, where)


def check_dead_letters(run: ScenarioRun, where: str) -> None:
    """Check that there is one dead letter, or two if the process was killed after the first, with the whole event."""
    (result,) = run.results
    from_function = len(run.watch.sent)
    assert from_function <= 1 + run.watch.killed, where
    assert result.disposition is (Disposition.DEAD_LETTERED if from_function else Disposition.ON_FAILURE), where
    assert len(run.dead_letters) == max(from_function, 1), where
    assert run.dead_letter_events() == [run.event] * len(run.dead_letters), where


def check_metrics(run: ScenarioRun, where: str) -> None:
    """Check that each invocation that ended is counted under one outcome."""
    ended = run.watch.calls.count(RETURN)
    assert count_outcomes(run.metrics).total() == len(run.outcomes) == ended, where


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("name", ["invalid", "no row", "access denied"])
def test_both_dead_letters_of_a_killed_event_are_absorbed(harness: ProcessHarness, name: str) -> None:
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.name == name)
    complete = harness.recorded(scenario)
    (sending,) = (
        moment for moment in complete.watch.moments() if moment.after and complete.called(moment) == "SendMessage"
    )
    run = harness.run(scenario, sending, store_dead_letters=True)
    assert len(run.watch.sent) == 2

    again = harness.fix_and_redrive(run)

    dispositions = [result.disposition for result in again.results]
    if name == "invalid":  # an invalid event becomes a dead letter again, once for each message
        assert dispositions == [Disposition.DEAD_LETTERED] * 2
        assert (len(again.dead_letters), again.marks) == (2, [])
    else:
        assert dispositions == [Disposition.MARKED, Disposition.DUPLICATE]
        assert (again.dead_letters, len(again.marks)) == ([], 1)


def test_every_call_is_a_point_and_every_outcome_is_reached(harness: ProcessHarness) -> None:
    runs = [harness.recorded(scenario) for scenario in SCENARIOS]

    for run in runs:
        returns = run.watch.calls.count(RETURN)
        assert len(list(run.watch.moments())) == 2 * len(run.watch.calls) - returns
        assert returns == run.results[0].attempts
    assert {outcome for run in runs for outcome in run.outcomes} == set(OutcomeKind)
    assert not any(ADOT_FAILED in line for line in harness.sandbox.stdout)
    called = {call for run in runs for call in run.watch.calls}
    assert called == {RETURN, *(operation for operations in OPERATIONS.values() for operation in operations)}


def test_one_more_call_has_two_more_points(
    harness: ProcessHarness, own_tables: Tables, own_dead_letters: DeadLetters
) -> None:
    marked = SCENARIOS[0]
    with process_harness(own_tables, own_dead_letters, "tests.support.wrapping_handlers.twice_before_return") as twice:
        more = list(twice.run(marked).watch.moments())

    assert len(more) == len(list(harness.recorded(marked).watch.moments())) + 2
