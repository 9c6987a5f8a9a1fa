"""The answer of the function, and what its exceptions say."""

import json

import pytest

from handler.errors import ErrorCategory, EventNotProcessed, MarkEarningsError, ProcessingError
from handler.outcome import Outcome, OutcomeKind
from handler.validation import Violation


def test_the_words_are_a_contract() -> None:
    assert [kind.value for kind in OutcomeKind] == ["marked", "duplicate", "dead_lettered", "retry"]


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Outcome(OutcomeKind.MARKED), {"outcome": "marked"}),
        (Outcome(OutcomeKind.DUPLICATE, same_event=True), {"outcome": "duplicate", "same_event": True}),
        (Outcome(OutcomeKind.DUPLICATE, same_event=False), {"outcome": "duplicate", "same_event": False}),
        (
            Outcome(OutcomeKind.DEAD_LETTERED, ErrorCategory.NOT_FOUND, "NoSuchRow"),
            {"outcome": "dead_lettered", "error_category": "not_found", "error_code": "NoSuchRow"},
        ),
        (
            Outcome(
                OutcomeKind.DEAD_LETTERED,
                ErrorCategory.VALIDATION,
                "InvalidEvent",
                violations=(Violation("detail", "a JSON object", "null"),),
            ),
            {
                "outcome": "dead_lettered",
                "error_category": "validation",
                "error_code": "InvalidEvent",
                "violations": [{"field": "detail", "rule": "a JSON object", "received": "null"}],
            },
        ),
    ],
)
def test_the_answer_is_plain_json(outcome: Outcome, answer: dict[str, object]) -> None:
    found = outcome.as_json("correlation-1")
    assert found == answer | {"correlation_id": "correlation-1"}
    assert json.loads(json.dumps(found)) == found
    assert all(type(value) in {str, bool, list} for value in found.values())  # no enum that prints differently


def test_what_a_failed_call_says() -> None:
    error = ProcessingError(ErrorCategory.THROTTLING, "ThrottlingException")
    assert (error.category, error.code) == (ErrorCategory.THROTTLING, "ThrottlingException")
    assert str(error) == "throttling: ThrottlingException"


def test_message_of_event_not_processed() -> None:
    error = EventNotProcessed(ErrorCategory.THROTTLING, "correlation-1", "ThrottlingException")
    assert str(error) == "category=throttling correlation_id=correlation-1 : ThrottlingException"
    why = ("R1 arn:aws:dynamodb:us-east-1:111122223333:table/t", "R2")
    error = EventNotProcessed(ErrorCategory.THROTTLING, "c-1", "ThrottlingException", why)
    assert str(error) == f"category=throttling correlation_id=c-1 : ThrottlingException ({why[0]}; R2)"
    assert type(error).__name__ == "EventNotProcessed"  # Lambda's errorType
    assert isinstance(error, MarkEarningsError)
