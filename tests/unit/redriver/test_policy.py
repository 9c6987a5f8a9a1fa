"""Which events the automatic redrive sends, and which it tries first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ErrorCategory
from mep.dlq.model import DeadLetter, DeadLetterSource
from redriver import TIMEOUT_S, VISIBILITY_TIMEOUT_S, policy
from redriver.invocation import READ_TIMEOUT_S
from redriver.policy import History, choose_probe, is_candidate, oldest_ages
from redriver.settings import CONNECT_TIMEOUT_S, load_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEEDS_A_PERSON = {
    *(ErrorCategory.VALIDATION, ErrorCategory.NOT_FOUND, ErrorCategory.ACCESS_DENIED, ErrorCategory.CONFIGURATION),
    ErrorCategory.INTERNAL,
}


def dead_letter(number: int = 0, category: ErrorCategory | None = ErrorCategory.TIMEOUT) -> DeadLetter:
    sent_at = NOW - timedelta(hours=number)
    return DeadLetter(
        str(number), DeadLetterSource.RULE, "{}", event={}, event_text="{}", category=category, sent_at=sent_at
    )


def test_categories() -> None:
    assert set(ErrorCategory) == policy.CATEGORIES | NEEDS_A_PERSON
    assert all(category.transient for category in policy.CATEGORIES)


@pytest.mark.parametrize("category", [*ErrorCategory, None])
def test_candidates(category: ErrorCategory | None) -> None:
    assert is_candidate(dead_letter(0, category)) == (category in policy.CATEGORIES)


@pytest.mark.parametrize("shape", [DeadLetterSource.UNKNOWN, DeadLetterSource.SUBSCRIBER])
def test_messages_without_an_event_are_no_candidates(shape: DeadLetterSource) -> None:
    assert not is_candidate(DeadLetter("m", shape, "", category=ErrorCategory.TIMEOUT))


def test_an_event_alone_is_not_given_up_in_an_outage_of_six_hours() -> None:
    assert len(policy.PROBE_WAITS) == policy.MAX_REDRIVES
    assert sum(policy.PROBE_WAITS, timedelta()) > timedelta(hours=6)


def test_a_slow_event_ends_before_the_run_does() -> None:
    assert CONNECT_TIMEOUT_S + READ_TIMEOUT_S < policy.RESERVE_S < TIMEOUT_S < VISIBILITY_TIMEOUT_S


@pytest.mark.parametrize("service", ["dynamodb", "events", "lambda", "sqs"])
def test_a_call_that_is_never_answered_ends_before_the_run_does(service: str) -> None:
    """With all of its attempts and botocore's waits between them: the run is reported, and not a blank."""
    variables = dict.fromkeys(("ENVIRONMENT", "EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE"), "x")
    names = dict.fromkeys(("AUTO_REDRIVE_FUNCTION", "AUTO_REDRIVE_RULE", "EVENT_BUS_NAME"), "x")
    queue = {"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/q"}
    config = load_settings({**variables, **names, **queue}).client(service).meta.config

    attempts = config.retries["total_max_attempts"]
    waits = sum(2**attempt for attempt in range(attempts - 1))
    assert attempts * (config.connect_timeout + config.read_timeout) + waits < policy.RESERVE_S


histories = st.builds(
    History,
    st.integers(0, 4),
    st.none() | st.builds(lambda minutes: NOW - timedelta(minutes=minutes), st.integers(0, 600)),
)


@given(st.lists(histories | st.none(), max_size=8))
def test_the_probe_is_due_and_has_the_fewest_attempts(found: list[History | None]) -> None:
    candidates = [dead_letter(number) for number in range(len(found))]
    known = {str(number): history for number, history in enumerate(found) if history is not None}

    probe = choose_probe(candidates, known, NOW)

    due = {number: history for number, history in known.items() if history.may_probe(NOW)}
    if probe is None:
        assert due == {}
        return
    fewest = min(history.count for history in due.values())
    assert due[probe.message_id].count == fewest < policy.MAX_REDRIVES
    newest = max((int(number) for number, history in due.items() if history.count == fewest))
    assert int(probe.message_id) == newest


@pytest.mark.parametrize(
    ("history", "due"),
    [
        (History(0), True),
        (History(2), True),
        (History(3), False),
        (History(1, NOW - timedelta(minutes=59)), False),
        (History(1, NOW - timedelta(minutes=60)), True),
        (History(2, NOW - timedelta(hours=5)), False),
        (History(2, NOW - timedelta(hours=6)), True),
        (History(3, NOW - timedelta(days=6)), False),
    ],
)
def test_waits_between_probes(history: History, due: bool) -> None:
    assert history.may_probe(NOW) is due


def test_ages() -> None:
    messages = [dead_letter(3), dead_letter(1), dead_letter(2, None)]

    assert oldest_ages(messages, NOW) == {"timeout": 3 * 3600, "unknown": 2 * 3600}
