"""The event pipeline against a third-party implementation: same events, same results, same dead letters.

LocalEmu runs the function's image behind the APIs of EventBridge and Lambda; our pipeline (`emulator/pipeline`) runs
its process. Both must show the same, except for what is listed here. Where they differ, AWS's documentation decides,
and the page is named. A difference that goes away, or a new one, fails: whoever changed, the list has to be looked at
again.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from emulator.pipeline.api import emulated_matcher
from emulator.pipeline.bus import PatternMatcher
from tests.support.events import DATE
from tests.support.stores import DeadLetters, Tables
from tests.system.image.events import event
from tests.system.localemu.localemu import Emulator
from tests.system.localemu.observed import NOTHING, Difference, differences
from tests.system.localemu.pipeline import pipeline
from tests.system.localemu.runners import ours, theirs
from tests.system.localemu.scenarios import SCENARIOS, Scenario

_RULE_DLQ = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"
_RECORDS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
_TIMEOUT = "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"

DIFFERENCES: Mapping[str, Mapping[str, Difference]] = {
    "no function": {
        "dead_letter.attributes.ERROR_CODE": Difference(
            "TARGET_DELIVERY_FAILED", "NO_RESOURCE", f"ours is one of the listed codes, theirs is not: {_RULE_DLQ}"
        ),
        "dead_letter.category": Difference("unknown", "configuration", "follows from the code"),
        "dead_letter.attributes.ERROR_MESSAGE": Difference(
            "An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found: "
            "arn:aws:lambda:us-east-1:000000000000:function:<the name>:$LATEST",
            "Function not found",
            f"the target's own text, which is not specified: {_RULE_DLQ}",
        ),
        "dead_letter.attributes.RETRY_ATTEMPTS": Difference(NOTHING, "0", f"one of the listed attributes: {_RULE_DLQ}"),
        "dead_letter.tries": Difference(None, 0, "follows from RETRY_ATTEMPTS"),
    },
    "the classic queue": {
        "dead_letter.attributes.RequestID": Difference(
            "<an ID>", "<the request's ID>", f"the ID of the invocation request: {_RECORDS}#invocation-dlq"
        ),
    },
    "timed out": {
        "dead_letter.body.responsePayload.errorType": Difference(
            NOTHING,
            "Sandbox.Timedout",
            f"neither {_RECORDS} nor {_TIMEOUT} shows it; readers of dead letters use the message, too",
        ),
        "dead_letter.body.responsePayload.errorMessage": Difference(
            "0000-00-00T00:00:00Z <the request's ID> Task timed out after 5.00 seconds",
            "0000-00-00T00:00:00.000Z <the request's ID> Task timed out after 5.00 seconds",
            f"only `Task timed out after 5.00 seconds` is documented: {_TIMEOUT}",
        ),
    },
}


@pytest.fixture(scope="session")
def pattern_test(no_account: None) -> Iterator[PatternMatcher]:
    """Another emulator's `TestEventPattern`, which our pipeline uses."""
    with emulated_matcher() as test:
        yield test


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_both_show_the_same(
    aws: Emulator,
    emulated_image: str,
    new_tables: Callable[[], Tables],
    dead_letters: DeadLetters,
    pattern_test: PatternMatcher,
    scenario: Scenario,
) -> None:
    name = f"mep-{uuid.uuid4().hex[:8]}"
    there, here = new_tables(), new_tables()
    if scenario.row:
        for tables in (there, here):
            tables.put_row(scenario.symbol, DATE)

    they = theirs(aws, name, emulated_image, there, scenario)
    we = ours(name, here, dead_letters, pattern_test, scenario)

    known = DIFFERENCES.get(scenario.name, {})
    assert differences(they, we) == {fact: (each.theirs, each.ours) for fact, each in known.items()}
    assert we["tries"] == list(scenario.tries)
    assert (we.get("dead_letter.shape"), we.get("dead_letter.category")) == (scenario.shape, scenario.category)
    assert we["dead_letters"] == (scenario.shape is not None)
    assert we["audit"] == (["evt-1"] if "marked" in scenario.tries else [])


def test_every_listed_difference_belongs_to_a_scenario() -> None:
    assert DIFFERENCES.keys() <= {scenario.name for scenario in SCENARIOS}


def test_a_replay_is_beyond_the_emulator(aws: Emulator, emulated_image: str, new_tables: Callable[[], Tables]) -> None:
    """Its StartReplay breaks on an archive that holds an event: replays are compared when it does not any more."""
    tables = new_tables()
    tables.put_row("AAPL", DATE)
    name = f"mep-{uuid.uuid4().hex[:8]}"
    with pipeline(aws, name, emulated_image, tables, {}) as made, closing(aws.client("events")) as events:
        bus = events.describe_event_bus(Name=name)["Arn"]
        archive = events.create_archive(ArchiveName=name, EventSourceArn=bus)["ArchiveArn"]
        made.put(event())
        aws.wait_until("the event is marked", made.outcome_lines)
        now = datetime.now(UTC)
        # After its internal error the client tries again, and finds that the replay is there.
        with pytest.raises(ClientError, match=r"InternalError|ResourceAlreadyExistsException"):
            events.start_replay(
                ReplayName=name,
                EventSourceArn=archive,
                EventStartTime=now - timedelta(hours=1),
                EventEndTime=now + timedelta(hours=1),
                Destination={"Arn": bus},
            )
        assert [line["outcome"] for line in made.outcome_lines()] == ["marked"]
