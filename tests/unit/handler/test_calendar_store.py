"""The transaction: what exactly is asked of DynamoDB, and what its replies mean."""

import json
import re
from typing import Any

import pytest

from handler.calendar_store import CalendarStore
from handler.errors import ErrorCategory, ProcessingError
from handler.event import ValidEvent
from handler.outcome import Outcome, OutcomeKind
from otel.record import EventRecord
from tests.support.scripted_aws import COMMITTED, NO_SUCH_ROW, THROTTLED, WRITE, Step, already, cancelled, reply
from tests.support.telemetry import event_record
from tests.unit.handler.harness import NOW, HandlerHarness, settings

EVENT = ValidEvent({"asset_symbol": "BF-B", "earnings_date": "2025-07-31"}, "event-1", "2025-07-31T20:00:00.000000Z")
RECORD = event_record(
    correlation_id="correlation-1", request_id="request-1", trace_id="5759e988bd862e3fe1be46a994272793"
)
RECORDED_AT = "2025-07-31T20:05:00.123456Z"
MARKED = Outcome(OutcomeKind.MARKED)
TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def calendar(harness: HandlerHarness) -> CalendarStore:
    tables = {
        "EARNINGS_CALENDAR_TABLE": "calendar",
        "EARNINGS_AUDIT_TABLE": "audit",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
    }
    return CalendarStore(harness.dynamodb, settings(**tables), now=lambda: NOW)


def asked(harness: HandlerHarness, event: ValidEvent = EVENT, record: EventRecord = RECORD) -> dict[str, Any]:
    harness.aws.script([COMMITTED])
    store = calendar(harness)
    store._attempt(store.transaction(event, record), event)
    (request,) = harness.aws.requests
    assert request.operation == WRITE
    return request.parameters


def decided(harness: HandlerHarness, step: Step) -> Outcome:
    harness.aws.script([step])
    store = calendar(harness)
    return store._attempt(store.transaction(EVENT, RECORD), EVENT)


def check_no_such_row(harness: HandlerHarness, step: Step) -> None:
    with pytest.raises(ProcessingError) as caught:
        decided(harness, step)
    assert (caught.value.category, caught.value.code) == (ErrorCategory.NOT_FOUND, "NoSuchRow")
    assert caught.value.message == "no row for BF-B on 2025-07-31 in the calendar"


class TestRequest:
    """What is asked of DynamoDB."""

    def test_exactly_this(self, harness: HandlerHarness) -> None:
        parameters = asked(harness)
        assert TOKEN.match(parameters.pop("ClientRequestToken"))
        assert parameters == {
            "ReturnConsumedCapacity": "TOTAL",
            "TransactItems": [
                {
                    "Update": {
                        "TableName": "calendar",
                        "Key": {"asset_symbol": {"S": "BF-B"}, "earnings_date": {"S": "2025-07-31"}},
                        "UpdateExpression": (
                            "SET is_processed = :true, processed_at = :processed_at, "
                            "processed_by_event = :event_id, correlation_id = :correlation_id, updated_at = :now"
                        ),
                        "ConditionExpression": (
                            "attribute_exists(asset_symbol) AND "
                            "(attribute_not_exists(is_processed) OR is_processed <> :true)"
                        ),
                        "ExpressionAttributeValues": {
                            ":true": {"BOOL": True},
                            ":processed_at": {"S": "2025-07-31T20:00:00.000000Z"},
                            ":event_id": {"S": "event-1"},
                            ":correlation_id": {"S": "correlation-1"},
                            ":now": {"S": "2025-07-31T20:05:00.123456Z"},
                        },
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                {
                    "Put": {
                        "TableName": "audit",
                        "Item": {
                            "earnings_key": {"S": "BF-B#2025-07-31"},
                            "entry_id": {"S": "2025-07-31T20:05:00.123456Z#event-1"},
                            "event_id": {"S": "event-1"},
                            "action": {"S": "mark_processed"},
                            "previous_state": {"S": "unprocessed"},
                            "correlation_id": {"S": "correlation-1"},
                            "request_id": {"S": "request-1"},
                            "trace_id": {"S": "5759e988bd862e3fe1be46a994272793"},
                            "function_version": {"S": "7"},
                            "recorded_at": {"S": "2025-07-31T20:05:00.123456Z"},
                        },
                        "ConditionExpression": "attribute_not_exists(earnings_key)",
                    }
                },
            ],
        }

    def test_only_what_is_this_functions_is_written(self, harness: HandlerHarness) -> None:
        expression = asked(harness)["TransactItems"][0]["Update"]["UpdateExpression"]
        assert expression.startswith("SET ")
        written = [assignment.split(" = ")[0] for assignment in expression.removeprefix("SET ").split(", ")]
        assert written == ["is_processed", "processed_at", "processed_by_event", "correlation_id", "updated_at"]

    def test_processed_at_is_now_where_the_producer_did_not_say(self, harness: HandlerHarness) -> None:
        parameters = asked(harness, EVENT._replace(processed_at=None))
        values = parameters["TransactItems"][0]["Update"]["ExpressionAttributeValues"]
        assert values[":processed_at"] == {"S": RECORDED_AT}

    def test_what_is_not_known_is_left_out(self, harness: HandlerHarness) -> None:
        parameters = asked(harness, record=event_record(trace_id=None))
        assert "trace_id" not in parameters["TransactItems"][1]["Put"]["Item"]
        assert "null" not in json.dumps(parameters)

    def test_the_token_is_one_for_all_attempts_of_a_transaction(self, harness: HandlerHarness) -> None:
        harness.aws.script([THROTTLED, COMMITTED])
        store = calendar(harness)
        transaction = store.transaction(EVENT, RECORD)
        with pytest.raises(ProcessingError):
            store._attempt(transaction, EVENT)
        assert store._attempt(transaction, EVENT) == MARKED
        first, second = (request.parameters for request in harness.aws.requests)
        assert first == second

    def test_and_new_for_each_transaction_of_one_event(self, harness: HandlerHarness) -> None:
        first, second = asked(harness), asked(harness)
        assert first.pop("ClientRequestToken") != second.pop("ClientRequestToken")
        assert first == second


class TestDecision:
    """What a reply means."""

    def test_committed(self, harness: HandlerHarness) -> None:
        assert decided(harness, COMMITTED) == MARKED

    def test_marked_by_this_event(self, harness: HandlerHarness) -> None:
        assert decided(harness, already("event-1")) == Outcome(OutcomeKind.DUPLICATE, same_event=True)

    def test_marked_by_another(self, harness: HandlerHarness) -> None:
        assert decided(harness, already("event-2")) == Outcome(OutcomeKind.DUPLICATE, same_event=False)

    @pytest.mark.parametrize("by", [{}, {"processed_by_event": {"NULL": True}}, {"processed_by_event": {"N": "1"}}])
    def test_marked_by_somebody_who_did_not_say(self, harness: HandlerHarness, by: dict[str, Any]) -> None:
        row = {"is_processed": {"BOOL": True}} | by
        step = cancelled({"Code": "ConditionalCheckFailed", "Item": row}, None)
        assert decided(harness, step) == Outcome(OutcomeKind.DUPLICATE, same_event=False)

    def test_no_such_row(self, harness: HandlerHarness) -> None:
        check_no_such_row(harness, NO_SUCH_ROW)

    def test_no_such_row_when_both_conditions_fail(self, harness: HandlerHarness) -> None:
        check_no_such_row(harness, cancelled("ConditionalCheckFailed", "ConditionalCheckFailed"))

    @pytest.mark.parametrize("row", [None, {"is_processed": {"BOOL": True}, "processed_by_event": {"S": "event-1"}}])
    @pytest.mark.parametrize("beside", ["TransactionConflict", "ThrottlingError", "AccessDenied", "ValidationError"])
    @pytest.mark.parametrize("first", [True, False])
    def test_a_condition_that_failed_decides_nothing_beside_another_reason(
        self, harness: HandlerHarness, row: dict[str, Any] | None, beside: str, *, first: bool
    ) -> None:
        failed = {"Code": "ConditionalCheckFailed"} | ({"Item": row} if row else {})
        with pytest.raises(ProcessingError) as caught:
            decided(harness, cancelled(failed, beside) if first else cancelled(beside, failed))
        assert caught.value.code == "TransactionCanceledException"
        assert caught.value.category is not ErrorCategory.INTERNAL

    def test_an_audit_entry_that_is_there_already_is_a_defect(self, harness: HandlerHarness) -> None:
        with pytest.raises(ProcessingError) as caught:
            decided(harness, cancelled(None, "ConditionalCheckFailed"))
        assert (caught.value.category, caught.value.code) == (ErrorCategory.INTERNAL, "AuditEntryExists")

    @pytest.mark.parametrize(
        "step",
        [
            Step(200, b""),
            Step(200, b"<html>"),
            reply({}),
            reply({"MessageId": "x"}),
            reply({"ItemCollectionMetrics": {}}),
        ],
    )
    def test_a_200_that_cannot_be_read_is_no_success(self, harness: HandlerHarness, step: Step) -> None:
        with pytest.raises(ProcessingError) as caught:
            decided(harness, step)
        assert (caught.value.category, caught.value.code) == (ErrorCategory.DYNAMODB, "UnreadableReply")

    @pytest.mark.parametrize(
        ("codes", "category"),
        [
            (("TransactionConflict", None), ErrorCategory.CONFLICT),
            (("ThrottlingError", "TransactionConflict"), ErrorCategory.THROTTLING),
            ((None, "AccessDenied"), ErrorCategory.ACCESS_DENIED),
            (("ValidationError", "ThrottlingError"), ErrorCategory.CONFIGURATION),
        ],
    )
    def test_other_reasons(
        self, harness: HandlerHarness, codes: tuple[str | None, ...], category: ErrorCategory
    ) -> None:
        with pytest.raises(ProcessingError) as caught:
            decided(harness, cancelled(*codes))
        assert (caught.value.category, caught.value.code) == (category, "TransactionCanceledException")
