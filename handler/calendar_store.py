"""The write: one transaction that marks the row and adds the audit entry, or does neither."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from handler import contract
from handler.aws import Response, call
from handler.classification import CONDITION_FAILED, INVALID_RESPONSE
from handler.errors import ErrorCategory, ProcessingError
from handler.event import ValidEvent
from handler.outcome import Outcome, OutcomeKind
from handler.settings import Settings
from handler.validation import format_utc
from otel.record import EventRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from handler.invocation import Invocation

_AUDIT_KEY, _ENTRY_ID = contract.AUDIT.key
_UPDATE = (
    f"SET {contract.PROCESSED} = :true, {contract.PROCESSED_AT} = :processed_at, {contract.PROCESSED_BY} = :event_id, "
    "correlation_id = :correlation_id, updated_at = :now"
)
_CONDITION = (
    f"attribute_exists({contract.CALENDAR.key[0]}) AND "
    f"(attribute_not_exists({contract.PROCESSED}) OR {contract.PROCESSED} <> :true)"
)

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

    def mark_processed(self, event: ValidEvent, invocation: "Invocation") -> Outcome:
        """Mark the event's row, exactly once.

        Returns:
            `marked`, or `duplicate` if the row was marked before.

        Raises:
            ProcessingError: `not_found` if there is no such row, else the category of the call that failed.
        """
        transaction = self.transaction(event, invocation.record)
        return invocation.write(lambda: self._attempt(transaction, event))

    def transaction(self, event: ValidEvent, record: EventRecord) -> dict[str, Any]:
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

    def _attempt(self, transaction: dict[str, Any], event: ValidEvent) -> Outcome:
        response = call("DynamoDB", self._client.transact_write_items, **transaction)
        if "Error" in response:
            return _condition_failed(response, event)
        if "ConsumedCapacity" not in response:
            raise ProcessingError(ErrorCategory.DYNAMODB, INVALID_RESPONSE, service="DynamoDB")
        return _MARKED

    def _update(self, event: ValidEvent, record: EventRecord, now: str) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._settings.calendar_table,
                "Key": {name: {"S": value} for name, value in event.key.items()},
                "UpdateExpression": _UPDATE,
                "ConditionExpression": _CONDITION,
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

    def _audit_entry(self, event: ValidEvent, record: EventRecord, now: str) -> dict[str, Any]:
        entry = {
            _AUDIT_KEY: "#".join(event.key.values()),
            _ENTRY_ID: f"{now}#{event.event_id}",
            "event_id": event.event_id,
            "action": contract.AUDIT_ACTION,
            "previous_state": contract.PREVIOUS_STATE,
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
                "ConditionExpression": f"attribute_not_exists({_AUDIT_KEY})",
            }
        }


def _condition_failed(response: Response, event: ValidEvent) -> Outcome:
    row = response["CancellationReasons"][0] or {}
    if row.get("Code") != CONDITION_FAILED:
        # Only the audit entry exists already, which its key rules out for an unmarked row.
        raise ProcessingError(ErrorCategory.INTERNAL, "AuditEntryExists", service="DynamoDB")
    stored: dict[str, Any] = row.get("Item") or {}
    if not stored:
        message = f"no row for {contract.ROW_TEXT.format_map(event.key)}"
        raise ProcessingError(ErrorCategory.NOT_FOUND, "NoSuchRow", message)
    marked_by = stored.get(contract.PROCESSED_BY) or {}
    return Outcome(OutcomeKind.DUPLICATE, same_event=marked_by.get("S") == event.event_id)
