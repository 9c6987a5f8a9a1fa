"""The write: one transaction that marks the row and adds the audit entry, or does neither."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from handler.aws import Response, call
from handler.classification import CONDITION_FAILED, INVALID_RESPONSE, ErrorCategory
from handler.errors import AwsCallError
from handler.event import EarningsEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACTION = "mark_processed"
PREVIOUS_STATE = "unprocessed"
"""What the transaction's condition proves the row to have been."""


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Who writes, and when: for the audit entry.

    Attributes:
        correlation_id: the event's.
        request_id: Lambda's request ID.
        trace_id: 32 hex digits; None without tracing.
        function_version: the function's version.
        recorded_at: now, UTC, as `handler.validation.format_utc` writes it.
    """

    correlation_id: str
    request_id: str
    trace_id: str | None
    function_version: str
    recorded_at: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The transaction committed."""


@dataclass(frozen=True, slots=True)
class AlreadyProcessed:
    """The row had been marked before.

    Attributes:
        same_event: by this very event, delivered again; otherwise by another.
    """

    same_event: bool


@dataclass(frozen=True, slots=True)
class NoSuchRow:
    """The calendar has no such row."""


Decision = Marked | AlreadyProcessed | NoSuchRow


class Transaction:
    """The write for one event in one invocation. Attempting it again is safe, also when a reply was lost.

    The token makes DynamoDB recognise a repeated attempt. It is new for every invocation: an asynchronous retry has the
    same request ID but other parameters, and DynamoDB refuses a known token with other parameters
    (`IdempotentParameterMismatchException`). Between invocations the condition protects.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """

    def __init__(
        self, client: "DynamoDBClient", tables: tuple[str, str], event: EarningsEvent, provenance: AuditContext
    ) -> None:
        """Prepare the transaction.

        Args:
            client: makes the call.
            tables: names of the calendar and of the audit table.
            event: which row to mark.
            provenance: who says so.
        """
        self._client = client
        self._event = event
        self._parameters: dict[str, Any] = {
            "TransactItems": [_update(tables[0], event, provenance), _audit(tables[1], event, provenance)],
            "ClientRequestToken": str(uuid4()),
            # A real reply then has a body; a garbled one cannot pass for a success.
            "ReturnConsumedCapacity": "TOTAL",
        }

    def attempt(self) -> Decision:
        """One attempt.

        Raises:
            AwsCallError: with its category.
        """
        reply = call(self._client.transact_write_items, **self._parameters)
        if "Error" in reply:
            return self._refused(reply)
        if "ConsumedCapacity" not in reply:
            raise AwsCallError(ErrorCategory.DYNAMODB, INVALID_RESPONSE)
        return Marked()

    def _refused(self, reply: Response) -> Decision:
        row = reply["CancellationReasons"][0] or {}
        if row.get("Code") != CONDITION_FAILED:
            # Only the audit entry is there already, which its key rules out for an unmarked row.
            raise AwsCallError(ErrorCategory.INTERNAL, "AuditEntryExists")
        stored: dict[str, Any] = row.get("Item") or {}
        if not stored:
            return NoSuchRow()
        marked_by = stored.get("processed_by_event") or {}
        return AlreadyProcessed(same_event=marked_by.get("S") == self._event.event_id)


def _update(table: str, event: EarningsEvent, provenance: AuditContext) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
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
                ":processed_at": {"S": event.processed_at or provenance.recorded_at},
                ":event_id": {"S": event.event_id},
                ":correlation_id": {"S": provenance.correlation_id},
                ":now": {"S": provenance.recorded_at},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _audit(table: str, event: EarningsEvent, provenance: AuditContext) -> dict[str, Any]:
    entry = {
        "earnings_key": f"{event.asset_symbol}#{event.earnings_date}",
        "entry_id": f"{provenance.recorded_at}#{event.event_id}",
        "event_id": event.event_id,
        "action": ACTION,
        "previous_state": PREVIOUS_STATE,
        "correlation_id": provenance.correlation_id,
        "request_id": provenance.request_id,
        "trace_id": provenance.trace_id,
        "function_version": provenance.function_version,
        "recorded_at": provenance.recorded_at,
    }
    return {
        "Put": {
            "TableName": table,
            "Item": {name: {"S": value} for name, value in entry.items() if value},
            "ConditionExpression": "attribute_not_exists(earnings_key)",
        }
    }
