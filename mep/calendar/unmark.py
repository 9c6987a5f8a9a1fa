"""Removes a mark: the attributes of the mark in the row, and an audit entry, in one transaction.

For a row that the wrong event has marked. The condition is the mark that was read: one that another event sets in
between stays. The row is then open again, and its next event marks it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from handler.contract import AUDIT, CALENDAR, PROCESSED, PROCESSED_AT, PROCESSED_BY, ROW_TEXT
from handler.validation import format_utc
from mep.aws_errors import UnreadableReplyError, aws_errors
from mep.calendar import UNMARKED
from mep.errors import RunError

PREVIOUS_STATE = "processed"
_OF_THE_MARK = (PROCESSED_AT, PROCESSED_BY, "correlation_id")
_UPDATED_AT = "updated_at"


@dataclass(frozen=True, slots=True)
class RowMark:
    """The mark of a row, as the calendar has it.

    Attributes:
        key: The values of the row's key.
        values: Time, event ID and correlation ID of the mark, by attribute; a migration makes marks without them.
    """

    key: tuple[str, ...]
    values: Mapping[str, str]

    @property
    def row(self) -> str:
        """The row, in messages."""
        return ROW_TEXT.format_map(dict(zip(CALENDAR.key, self.key, strict=True)))

    @property
    def event_id(self) -> str:
        """The event that has marked the row; empty if the row does not name it."""
        return self.values.get(PROCESSED_BY, "")


@dataclass(frozen=True, slots=True)
class Unmarker:
    """Removes marks.

    Attributes:
        client: boto3 client of DynamoDB.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        clock: The time of day, UTC.
    """

    client: Any
    calendar_table: str
    audit_table: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def read(self, key: tuple[str, ...]) -> RowMark:
        """Return the mark of a row.

        Raises:
            RunError: There is no such row, or it is not marked.
            UnavailableError: The calendar cannot be read.
        """
        with aws_errors(f"the calendar table {self.calendar_table} cannot be read", self.client):
            # Not GetItem: its response for a missing row is as empty as that of another server.
            items = self.client.query(
                TableName=self.calendar_table,
                KeyConditionExpression=" AND ".join(f"#{name} = :{name}" for name in CALENDAR.key),
                ExpressionAttributeNames={f"#{name}": name for name in CALENDAR.key},
                ExpressionAttributeValues={
                    f":{name}": {"S": value} for name, value in zip(CALENDAR.key, key, strict=True)
                },
                ConsistentRead=True,
            )["Items"]
        row = RowMark(key, {})
        if not items:
            raise RunError(f"there is no row for {row.row}")
        if items[0].get(PROCESSED) != {"BOOL": True}:  # as the condition of the function's write
            raise RunError(f"the row for {row.row} is not marked")
        texts = {name: items[0].get(name, {}).get("S", "") for name in _OF_THE_MARK}
        return RowMark(key, {name: text for name, text in texts.items() if text})

    def remove(self, mark: RowMark, *, operator: str, reason: str) -> None:
        """Remove a mark, and write the audit entry.

        Args:
            mark: The mark that was read.
            operator: Who removes it.
            reason: Why.

        Raises:
            RunError: The row has changed since it was read, or another transaction is writing to it.
            UnavailableError: The call failed.
        """
        now = format_utc(self.clock())
        items = [self._update(mark, now), self._audit_entry(mark, now, operator, reason)]
        what = f"the mark of {mark.row} was not removed, or the response was lost"
        with aws_errors(what, self.client):
            try:
                # With ConsumedCapacity a real response has a body.
                response = self.client.transact_write_items(TransactItems=items, ReturnConsumedCapacity="TOTAL")
                if "ConsumedCapacity" not in response:
                    host = self.client.meta.endpoint_url
                    raise UnreadableReplyError(host=host, operation="TransactWriteItems")
            except ClientError as error:
                reasons = {each.get("Code") for each in error.response.get("CancellationReasons", ())}
                if "ConditionalCheckFailed" in reasons:
                    text = "has changed since it was read: nothing was written; run the command again"
                    raise RunError(f"the row for {mark.row} {text}") from error
                if "TransactionConflict" in reasons:
                    text = "is being written to: nothing was written; run the command again"
                    raise RunError(f"the row for {mark.row} {text}") from error
                raise

    def _update(self, mark: RowMark, now: str) -> dict[str, Any]:
        conditions = [f"{PROCESSED} = :true"]
        values = {":true": {"BOOL": True}, ":false": {"BOOL": False}, ":now": {"S": now}}
        for name in _OF_THE_MARK:
            if name in mark.values:
                conditions.append(f"{name} = :{name}")
                values[f":{name}"] = {"S": mark.values[name]}
            else:
                conditions.append(f"attribute_not_exists({name})")
        return {
            "Update": {
                "TableName": self.calendar_table,
                "Key": {name: {"S": value} for name, value in zip(CALENDAR.key, mark.key, strict=True)},
                "UpdateExpression": f"SET {PROCESSED} = :false, {_UPDATED_AT} = :now REMOVE {', '.join(_OF_THE_MARK)}",
                "ConditionExpression": " AND ".join(conditions),
                "ExpressionAttributeValues": values,
            }
        }

    def _audit_entry(self, mark: RowMark, now: str, operator: str, reason: str) -> dict[str, Any]:
        key, entry_id = AUDIT.key
        entry = {
            key: "#".join(mark.key),
            entry_id: f"{now}#{mark.event_id}",
            "event_id": mark.event_id,
            "action": UNMARKED,
            "previous_state": PREVIOUS_STATE,
            "correlation_id": mark.values.get("correlation_id", ""),
            PROCESSED_AT: mark.values.get(PROCESSED_AT, ""),
            "recorded_at": now,
            "operator": operator,
            "reason": reason,
        }
        return {
            "Put": {
                "TableName": self.audit_table,
                "Item": {name: {"S": value} for name, value in entry.items() if value},
                "ConditionExpression": f"attribute_not_exists({key})",
            }
        }
