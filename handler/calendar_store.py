"""The write: one transaction that marks the row and adds the audit entry, or does neither."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from handler.aws import Response, call
from handler.classification import CONDITION_FAILED, INVALID_RESPONSE
from handler.errors import ErrorCategory, ProcessingError
from handler.event import EarningsEvent
from handler.outcome import Outcome, OutcomeKind
from handler.settings import Settings
from handler.validation import format_utc
from otel.record import EventRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from handler.invocation import Invocation

ACTION = "mark_processed"
PREVIOUS_STATE = "unprocessed"
"""What the transaction's condition proves the row to have been."""

_MARKED = Outcome(OutcomeKind.MARKED)


class CalendarStore:
    """The calendar and its audit table.

    Args:
        client: Makes the calls.
        settings: Names the tables and the function's version.
        now: Returns the time of day, UTC.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._settings = settings
        self._now = now

    def mark_processed(self, event: EarningsEvent, invocation: "Invocation") -> Outcome:
        """Mark the event's row, exactly once.

        Returns:
            `marked`, or `duplicate` if the row was marked before.

        Raises:
            ProcessingError: `not_found` if there is no such row, else the category of the call that failed.
        """
        transaction = self.transaction(event, invocation.record)
        return invocation.write(lambda: self._attempt(transaction, event))

    def transaction(self, event: EarningsEvent, record: EventRecord) -> dict[str, Any]:
        """Return the parameters of `TransactWriteItems`. Attempting them again is safe, also after a lost response.

        The token makes DynamoDB recognise a repeated attempt. It is new for every invocation: an asynchronous retry has
        the same request ID but other parameters, and DynamoDB refuses a known token with other parameters
        (`IdempotentParameterMismatchException`). Between invocations the condition protects.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        now = format_utc(self._now())
        return {
            "TransactItems": [self._update(event, record, now), self._audit_entry(event, record, now)],
            "ClientRequestToken": str(uuid4()),
            # A real response then has a body; a garbled one cannot pass for a success.
            "ReturnConsumedCapacity": "TOTAL",
        }

    def _attempt(self, transaction: dict[str, Any], event: EarningsEvent) -> Outcome:
        response = call("DynamoDB", self._client.transact_write_items, **transaction)
        if "Error" in response:
            return _condition_failed(response, event)
        if "ConsumedCapacity" not in response:
            raise ProcessingError(ErrorCategory.DYNAMODB, INVALID_RESPONSE, service="DynamoDB")
        return _MARKED

    def _update(self, event: EarningsEvent, record: EventRecord, now: str) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._settings.calendar_table,
                "Key": {"asset_symbol": {"S": event.asset_symbol}, "earnings_date": {"S": event.earnings_date}},
                "UpdateExpression": (
                    "SET is_processed = :true, processed_at = :processed_at, processed_by_event = :event_id, "
                    "correlation_id = :correlation_id, updated_at = :now"
                ),
                "ConditionExpression": (
                    "attribute_exists(asset_symbol) AND (attribute_not_exists(is_processed) OR is_processed <> :true)"
                ),
                "ExpressionAttributeValues": {
                    ":true": {"BOOL": True},
                    ":processed_at": {"S": event.processed_at or now},
                    ":event_id": {"S": event.event_id},
                    ":correlation_id": {"S": record.correlation_id},
                    ":now": {"S": now},
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _audit_entry(self, event: EarningsEvent, record: EventRecord, now: str) -> dict[str, Any]:
        entry = {
            "earnings_key": f"{event.asset_symbol}#{event.earnings_date}",
            "entry_id": f"{now}#{event.event_id}",
            "event_id": event.event_id,
            "action": ACTION,
            "previous_state": PREVIOUS_STATE,
            "correlation_id": record.correlation_id,
            "request_id": record.request_id,
            "trace_id": record.trace_id,
            "function_version": self._settings.function_version,
            "recorded_at": now,
        }
        return {
            "Put": {
                "TableName": self._settings.audit_table,
                "Item": {name: {"S": value} for name, value in entry.items() if value},
                "ConditionExpression": "attribute_not_exists(earnings_key)",
            }
        }


def _condition_failed(response: Response, event: EarningsEvent) -> Outcome:
    row = response["CancellationReasons"][0] or {}
    if row.get("Code") != CONDITION_FAILED:
        # Only the audit entry exists already, which its key rules out for an unmarked row.
        raise ProcessingError(ErrorCategory.INTERNAL, "AuditEntryExists", service="DynamoDB")
    stored: dict[str, Any] = row.get("Item") or {}
    if not stored:
        message = f"no row for {event.asset_symbol} on {event.earnings_date} in the calendar"
        raise ProcessingError(ErrorCategory.NOT_FOUND, "NoSuchRow", message)
    marked_by = stored.get("processed_by_event") or {}
    return Outcome(OutcomeKind.DUPLICATE, same_event=marked_by.get("S") == event.event_id)
