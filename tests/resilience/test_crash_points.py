"""The function's process killed before and after every AWS call of every path: the chain goes on, and it converges.

The calls are not listed here: a first delivery on each path tells them, so that a new call is covered.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from deploy.image.trim_botocore import OPERATIONS
from emulator.pipeline.model import Disposition
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from emulator.services.tables import create_tables
from handler.outcome import OutcomeKind
from tests.resilience.process_harness import FailureScenario, ProcessHarness, process_harness
from tests.resilience.scenarios import OTHERS, PATHS, Path
from tests.support.process_kill import RETURN
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import emf_values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNTED = {
    OutcomeKind.MARKED: "EventsMarked",
    OutcomeKind.DUPLICATE: "EventsDuplicate",
    OutcomeKind.DEAD_LETTERED: "EventsDeadLettered",
    OutcomeKind.RETRY: "EventsRetried",
}


@pytest.fixture(scope="module")
def own_tables(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Tables:
    made = Tables(dynamodb_endpoint.url, "calendar-kills", "audit-kills", dynamodb_client)
    create_tables(dynamodb_client, made.calendar_table, made.audit_table)
    return made


@pytest.fixture(scope="module")
def own_dead_letters(queue_endpoint: QueueEndpoint) -> DeadLetters:
    return DeadLetters(create_queue(queue_endpoint.url, "dead-letters-kills"))


@pytest.fixture(scope="module")
def ours(own_tables: Tables, own_dead_letters: DeadLetters) -> Iterator[ProcessHarness]:
    with process_harness(own_tables, own_dead_letters) as made:
        yield made


@pytest.mark.timeout(600, func_only=True)  # a process start for each kill
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_killed_at_any_call_an_event_still_ends_where_it_must(ours: ProcessHarness, path: Path) -> None:
    whole = ours.recorded(path)
    check(path, whole)
    for moment in whole.watch.moments():
        scenario = ours.play(path, moment)
        assert scenario.watch.killed, f"there was no call {moment.number}: {scenario.watch.calls}"
        where = f"killed {'after' if moment.after else 'before'} call {moment.number} of {scenario.watch.calls}"
        check(path, scenario, where)


def check(path: Path, scenario: FailureScenario, where: str = "") -> None:
    """One marking and one audit entry, or dead letters that are all the event; and the account balances."""
    (delivery_result,) = scenario.endings
    assert delivery_result.attempts <= 3, where
    if path.end == "dead letter":
        check_dead_letters(scenario, where)
        assert scenario.marks == [], where
        assert scenario.row is None or not scenario.row["is_processed"], where
    else:
        assert scenario.dead_letters == [], where
    if path.end == "marked":
        # Where the mark was made and the process died of it, the next try finds it.
        assert delivery_result.disposition in (
            {Disposition.MARKED, Disposition.DUPLICATE} if scenario.watch.killed else {Disposition.MARKED}
        ), where
        assert scenario.row is not None
        assert (scenario.row["is_processed"], scenario.row["processed_by_event"]) == (True, scenario.event["id"]), where
        (mark,) = scenario.marks
        assert (mark["event_id"], mark["recorded_at"]) == (scenario.event["id"], scenario.row["updated_at"]), where
    elif path.end == "absorbed":
        assert delivery_result.disposition is Disposition.DUPLICATE, where
        assert scenario.row is not None
        assert {name: scenario.row[name] for name in OTHERS} == OTHERS, where
        assert scenario.marks == [], where
    check_metrics(scenario, where)


def check_dead_letters(scenario: FailureScenario, where: str) -> None:
    """At least one, never none; a second one only where the process died after the first was sent; all the event."""
    (delivery_result,) = scenario.endings
    by_the_function = len(scenario.watch.sent)
    assert by_the_function <= 1 + scenario.watch.killed, where
    assert delivery_result.disposition is (Disposition.DEAD_LETTERED if by_the_function else Disposition.ON_FAILURE), (
        where
    )
    assert len(scenario.dead_letters) == max(by_the_function, 1), where
    assert scenario.held() == [scenario.event] * len(scenario.dead_letters), where


def check_metrics(scenario: FailureScenario, where: str) -> None:
    """Each invocation that came to its end is counted under one outcome."""
    counted = [sum(emf_values(scenario.metrics, name)) for name in _COUNTED.values()]
    came_to_their_end = scenario.watch.calls.count(RETURN)
    assert sum(emf_values(scenario.metrics, "EventsReceived")) == sum(counted) == came_to_their_end, where
    assert len(scenario.outcomes) == came_to_their_end, where


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("name", ["invalid", "no row", "access denied"])
def test_both_letters_of_an_event_that_was_killed_are_absorbed_when_they_are_redriven(
    ours: ProcessHarness, name: str
) -> None:
    (path,) = (path for path in PATHS if path.name == name)
    whole = ours.recorded(path)
    (sending,) = (moment for moment in whole.watch.moments() if moment.after and whole.called(moment) == "SendMessage")
    scenario = ours.play(path, sending, store_dead_letters=True)
    assert len(scenario.watch.sent) == 2

    again = ours.mended(scenario)

    dispositions = [delivery_result.disposition for delivery_result in again.endings]
    if name == "invalid":  # what cannot be mended comes back, each letter once
        assert dispositions == [Disposition.DEAD_LETTERED] * 2
        assert (len(again.dead_letters), again.marks) == (2, [])
    else:
        assert dispositions == [Disposition.MARKED, Disposition.DUPLICATE]
        assert (again.dead_letters, len(again.marks)) == ([], 1)


def test_every_call_is_a_point_and_every_kind_of_call_and_outcome_is_on_a_path(ours: ProcessHarness) -> None:
    scenarios = [ours.recorded(path) for path in PATHS]

    for scenario in scenarios:
        returns = scenario.watch.calls.count(RETURN)
        assert len(list(scenario.watch.moments())) == 2 * len(scenario.watch.calls) - returns
        assert returns == scenario.endings[0].attempts
    assert {outcome for scenario in scenarios for outcome in scenario.outcomes} == set(OutcomeKind)
    called = {call for scenario in scenarios for call in scenario.watch.calls}
    assert called == {RETURN, *(each for operations in OPERATIONS.values() for each in operations)}


def test_a_path_with_one_more_call_has_two_more_points(
    ours: ProcessHarness, own_tables: Tables, own_dead_letters: DeadLetters
) -> None:
    marked = PATHS[0]
    with process_harness(own_tables, own_dead_letters, "tests.support.wrapping_handlers.twice_before_return") as twice:
        more = list(twice.play(marked).watch.moments())

    assert len(more) == len(list(ours.recorded(marked).watch.moments())) + 2
