"""The function's process killed before and after every AWS call of every path: the chain goes on, and it converges.

The calls are not listed here: a first delivery on each path tells them, so that a new call is covered.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from handler.outcome import OutcomeKind
from local.chain.places import Place
from local.dynamodb import DynamoDBEndpoint
from local.queue import QueueEndpoint, create_queue
from local.tables import create_tables
from tests.proof.paths import OTHERS, PATHS, Path
from tests.proof.stage import Stage, Story, stage
from tests.support.kills import RETURN
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import emf_values
from tools.trim_botocore import OPERATIONS

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
def own_letters(queue_endpoint: QueueEndpoint) -> DeadLetters:
    return DeadLetters(create_queue(queue_endpoint.url, "dead-letters-kills"))


@pytest.fixture(scope="module")
def ours(own_tables: Tables, own_letters: DeadLetters) -> Iterator[Stage]:
    with stage(own_tables, own_letters) as made:
        yield made


@pytest.mark.timeout(600, func_only=True)  # a process start for each kill
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_killed_at_any_call_an_event_still_ends_where_it_must(ours: Stage, path: Path) -> None:
    whole = ours.recorded(path)
    check(path, whole)
    for moment in whole.watch.moments():
        story = ours.play(path, moment)
        assert story.watch.killed, f"there was no call {moment.number}: {story.watch.calls}"
        where = f"killed {'after' if moment.after else 'before'} call {moment.number} of {story.watch.calls}"
        check(path, story, where)


def check(path: Path, story: Story, where: str = "") -> None:
    """One marking and one audit entry, or dead letters that are all the event; and the account balances."""
    (ending,) = story.endings
    assert ending.tries <= 3, where
    if path.end == "dead letter":
        check_letters(story, where)
        assert story.marks == [], where
        assert story.row is None or not story.row["is_processed"], where
    else:
        assert story.letters == [], where
    if path.end == "marked":
        # Where the mark was made and the process died of it, the next try finds it.
        assert ending.place in ({Place.MARKED, Place.DUPLICATE} if story.watch.killed else {Place.MARKED}), where
        assert story.row is not None
        assert (story.row["is_processed"], story.row["processed_by_event"]) == (True, story.event["id"]), where
        (mark,) = story.marks
        assert (mark["event_id"], mark["recorded_at"]) == (story.event["id"], story.row["updated_at"]), where
    elif path.end == "absorbed":
        assert ending.place is Place.DUPLICATE, where
        assert story.row is not None
        assert {name: story.row[name] for name in OTHERS} == OTHERS, where
        assert story.marks == [], where
    check_metrics(story, where)


def check_letters(story: Story, where: str) -> None:
    """At least one, never none; a second one only where the process died after the first was sent; all the event."""
    (ending,) = story.endings
    by_the_function = len(story.watch.sent)
    assert by_the_function <= 1 + story.watch.killed, where
    assert ending.place is (Place.DEAD_LETTERED if by_the_function else Place.ON_FAILURE), where
    assert len(story.letters) == max(by_the_function, 1), where
    assert story.held() == [story.event] * len(story.letters), where


def check_metrics(story: Story, where: str) -> None:
    """Each invocation that came to its end is counted under one outcome."""
    counted = [sum(emf_values(story.metrics, name)) for name in _COUNTED.values()]
    came_to_their_end = story.watch.calls.count(RETURN)
    assert sum(emf_values(story.metrics, "EventsReceived")) == sum(counted) == came_to_their_end, where
    assert len(story.outcomes) == came_to_their_end, where


@pytest.mark.timeout(600, func_only=True)
@pytest.mark.parametrize("name", ["invalid", "no row", "access denied"])
def test_both_letters_of_an_event_that_was_killed_are_absorbed_when_they_are_redriven(ours: Stage, name: str) -> None:
    (path,) = (path for path in PATHS if path.name == name)
    whole = ours.recorded(path)
    (sending,) = (moment for moment in whole.watch.moments() if moment.after and whole.called(moment) == "SendMessage")
    story = ours.play(path, sending, keep_letters=True)
    assert len(story.watch.sent) == 2

    again = ours.mended(story)

    places = [ending.place for ending in again.endings]
    if name == "invalid":  # what cannot be mended comes back, each letter once
        assert places == [Place.DEAD_LETTERED] * 2
        assert (len(again.letters), again.marks) == (2, [])
    else:
        assert places == [Place.MARKED, Place.DUPLICATE]
        assert (again.letters, len(again.marks)) == ([], 1)


def test_every_call_is_a_point_and_every_kind_of_call_and_outcome_is_on_a_path(ours: Stage) -> None:
    stories = [ours.recorded(path) for path in PATHS]

    for story in stories:
        returns = story.watch.calls.count(RETURN)
        assert len(list(story.watch.moments())) == 2 * len(story.watch.calls) - returns
        assert returns == story.endings[0].tries
    assert {outcome for story in stories for outcome in story.outcomes} == set(OutcomeKind)
    called = {call for story in stories for call in story.watch.calls}
    assert called == {RETURN, *(each for operations in OPERATIONS.values() for each in operations)}


def test_a_path_with_one_more_call_has_two_more_points(
    ours: Stage, own_tables: Tables, own_letters: DeadLetters
) -> None:
    marked = PATHS[0]
    with stage(own_tables, own_letters, "tests.support.around.twice_before_return") as twice:
        more = list(twice.play(marked).watch.moments())

    assert len(more) == len(list(ours.recorded(marked).watch.moments())) + 2
