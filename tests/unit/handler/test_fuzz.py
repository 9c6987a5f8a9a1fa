"""Every event and every response of AWS ends in a category that an operator can act on."""

import json
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.utils import suppress_instrumentation

from handler.errors import ErrorCategory
from tests.support.events import eventbridge_event
from tests.support.harness import FunctionHarness
from tests.support.scripted_aws import (
    COMMITTED,
    DEAD_LETTER,
    NO_SUCH_ROW,
    SENT,
    THROTTLED,
    WRITE,
    Step,
    already,
    aws_error,
)
from tests.support.strategies import SENTINEL, camel_case, fuzzed_events, json_values
from tests.support.thorough import is_thorough
from tests.unit.handler.harness import HandlerHarness, Run

CASES = 10_000 if is_thorough() else 200

OUTCOMES = {"marked", "duplicate", "dead_lettered", "retry"}
CATEGORIES = {category.value for category in ErrorCategory} - {"internal"}

# What a table with many rows would answer.
ANSWERS: list[list[Step]] = [
    [COMMITTED],
    [already("event-1")],
    [NO_SUCH_ROW],
    [THROTTLED, COMMITTED],
    [aws_error("AccessDeniedException")],
    [aws_error("InternalServerError", 500)],
]

fuzz = hypothesis_settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="module")
def sandbox(harness: HandlerHarness) -> FunctionHarness:
    """One sandbox for all events, as a busy function has."""
    return harness.sandbox()


@pytest.fixture(scope="module")
def untraced(harness: HandlerHarness) -> FunctionHarness:
    """One that makes no spans."""
    return harness.sandbox(traced=False)


def check(run: Run, event: object) -> None:
    """An outcome, a category that is no defect, and the whole event where it went to the queue."""
    outcome, category = run.outcome_line["outcome"], run.outcome_line.get("error_category")
    assert outcome in OUTCOMES
    assert (category is None) == (outcome in {"marked", "duplicate"})
    assert category is None or category in CATEGORIES
    assert "exception_type" not in run.outcome_line
    assert (run.error is not None) == (outcome == "retry")
    assert json.loads(json.dumps(run.answer)) == run.answer
    assert run.metric_line["EventsReceived"] == 1
    if outcome == "dead_lettered":
        dead_letter = run.sent(DEAD_LETTER)[-1]
        assert canonical(json.loads(dead_letter["MessageBody"])) == canonical(event)
        assert dead_letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == category


def canonical(value: Any) -> str:
    """Equal texts for equal JSON; NaN equals NaN."""
    return json.dumps(value, sort_keys=True)


def answers_for(event: Any) -> list[Step]:
    return ANSWERS[crc32(canonical(event).encode()) % len(ANSWERS)]


@pytest.mark.timeout(600)
@pytest.mark.no_cover  # which doubles the time; what it would see, the next test shows it
@given(event=fuzzed_events)
@hypothesis_settings(fuzz, max_examples=CASES)
def test_any_event_ends_in_a_category_and_never_in_a_defect(
    harness: HandlerHarness, untraced: FunctionHarness, event: Any
) -> None:
    with suppress_instrumentation():
        check(harness.invoke(event, dynamodb=answers_for(event), sandbox=untraced), event)


@given(event=fuzzed_events)
@fuzz
def test_nor_does_it_where_spans_are_made(harness: HandlerHarness, sandbox: FunctionHarness, event: Any) -> None:
    run = harness.invoke(event, dynamodb=answers_for(event), sandbox=sandbox)
    check(run, event)
    assert len(run.spans) == len(run.requests) + 1
    assert all(span["attributes"]["correlation_id"] == run.outcome_line["correlation_id"] for span in run.spans)


FIELDS = ("asset_symbol", "earnings_date", "event_id", "earnings_id", "processed_at", "correlation_id", "traceparent")
DETAIL = [*FIELDS, *map(camel_case, FIELDS), "unknown", SENTINEL]
ENVELOPE = ("version", "id", "source", "detail-type", "account", "time", "region", "resources", "replay-name", SENTINEL)
SECRET = st.sampled_from([SENTINEL, [SENTINEL], {SENTINEL: SENTINEL}, {"a": {"b": [SENTINEL]}}])


@given(
    detail=st.dictionaries(st.sampled_from(DETAIL), SECRET),
    envelope=st.dictionaries(st.sampled_from(ENVELOPE), SECRET, max_size=3),
    answers=st.sampled_from([*ANSWERS, [aws_error("ValidationException", message=SENTINEL)]]),
    sqs=st.sampled_from([SENT, aws_error("AccessDeniedException", message=SENTINEL)]),
)
def test_a_secret_in_any_field_stays_in_the_dead_letters_body(
    harness: HandlerHarness,
    sandbox: FunctionHarness,
    detail: dict[str, Any],
    envelope: dict[str, Any],
    answers: list[Step],
    sqs: Step,
) -> None:
    row = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
    event = eventbridge_event(row | detail) | envelope
    run = harness.invoke(event, dynamodb=answers, sqs=[sqs], sandbox=sandbox)
    attributes = [dead_letter["MessageAttributes"] for dead_letter in run.sent(DEAD_LETTER)]
    output = json.dumps([run.answer, repr(run.error), attributes, run.spans, run.sent(WRITE)]) + run.output.decode()
    assert "s3ntinel" not in output


def garbled_replies() -> st.SearchStrategy[bytes]:
    """Bodies that nearly are what AWS answers."""
    codes = st.sampled_from(["None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"])
    rows = st.dictionaries(st.sampled_from(["processed_by_event", "is_processed"]), json_values)
    reason = st.fixed_dictionaries({}, optional={"Code": codes | json_values, "Item": rows | json_values})
    members = st.fixed_dictionaries(
        {},
        optional={
            "__type": st.sampled_from(["x#TransactionCanceledException", "x#ThrottlingException"]) | json_values,
            "CancellationReasons": st.lists(reason | json_values, max_size=2),
            "ConsumedCapacity": json_values,
            "MessageId": json_values,
        },
    )
    return (members | json_values).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)


@given(
    event=st.sampled_from([eventbridge_event(), eventbridge_event({})]),
    dynamodb=st.tuples(garbled_replies(), st.sampled_from([200, 400, 403, 500])),
    sqs=st.tuples(garbled_replies(), st.sampled_from([200, 400, 403, 500])),
)
def test_no_reply_of_aws_is_a_defect_of_ours(
    harness: HandlerHarness, sandbox: FunctionHarness, event: Any, dynamodb: tuple[bytes, int], sqs: tuple[bytes, int]
) -> None:
    steps = [Step(status, body) for body, status in (dynamodb, sqs)]
    run = harness.invoke(event, dynamodb=steps[:1], sqs=steps[1:], sandbox=sandbox)
    assert run.outcome_line["outcome"] in OUTCOMES
    assert "exception_type" not in run.outcome_line
    assert run.outcome_line.get("error_category") != "internal" or run.outcome_line["error_code"] == "AuditEntryExists"
