"""Audit entries of redrives and discards, in the audit table. None replaces another: a condition on the put, not IAM.

Two entries frame each action: one before it (`redrive_requested`, `discard_requested`) and one after it (`redriven`,
`discarded`). A first entry without a second one means that the command ended in between: the event may have been sent,
or the message deleted, or not. So a crash at any point leaves no entry that is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from handler.contract import AUDIT, KEY_FIELDS
from handler.event import optional
from handler.validation import FieldError, format_utc
from mep.aws_errors import aws_errors
from mep.dlq.model import DeadLetter
from mep.errors import RunError

NO_ROW_KEY = "DEAD_LETTER"
"""Replaces the symbol in the key of an event that names no row: `DEAD_LETTER#MESSAGE_ID`."""


class Action(StrEnum):
    """What an operator did, or is about to do."""

    REDRIVE_REQUESTED = "redrive_requested"
    REDRIVEN = "redriven"
    DISCARD_REQUESTED = "discard_requested"
    DISCARDED = "discarded"


_KEY, _ENTRY_ID = AUDIT.key


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Writes audit entries.

    Attributes:
        client: boto3 client of DynamoDB.
        table: Name of the audit table.
        operator: Who acts.
        clock: The time of day, UTC.
    """

    client: Any
    table: str
    operator: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def record(self, action: Action, dead_letter: DeadLetter, **extra: str) -> None:
        """Write an entry.

        Args:
            action: What is done.
            dead_letter: The message concerned.
            extra: Further attributes: `destination`, `accepted_as`, `reason`.

        Raises:
            UnavailableError: A call failed.
            RunError: Every key that was tried is taken.
        """
        for _ in range(3):  # another action on the same row in the same microsecond takes the key
            if self._put(action, dead_letter, extra):
                return
        raise RunError(f"the audit entry of message {dead_letter.message_id} could not be written: its key is taken")

    def _put(self, action: Action, dead_letter: DeadLetter, extra: Mapping[str, str]) -> bool:
        now = format_utc(self.clock())
        event_id = dead_letter.event_id or dead_letter.message_id
        entry = {
            _KEY: earnings_key(dead_letter),
            _ENTRY_ID: f"{now}#{event_id}",
            "event_id": event_id,
            "action": action.value,
            "previous_state": "dead_lettered",
            "correlation_id": dead_letter.correlation_id,
            "request_id": dead_letter.request_id,
            "trace_id": dead_letter.trace_id,
            "recorded_at": now,
            "operator": self.operator,
            "message_id": dead_letter.message_id,
            "shape": dead_letter.shape.value,
            "error_category": dead_letter.group,
            **extra,
        }
        item = {name: {"S": value} for name, value in entry.items() if value}
        with aws_errors(f"the audit table {self.table} cannot be written", self.client):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=item,
                    ConditionExpression=f"attribute_not_exists({_KEY})",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                    raise
                # It is this entry if the response to botocore's first attempt was lost.
                return bool(error.response.get("Item") == item)
        return True


def earnings_key(dead_letter: DeadLetter) -> str:
    """Return the partition key: the row that the event names, else the message's own."""
    event = dead_letter.event if isinstance(dead_letter.event, Mapping) else {}
    detail = event.get("detail")
    if isinstance(detail, Mapping):
        try:
            return "#".join(validate(optional(detail, name)) for name, validate in KEY_FIELDS.items())
        except FieldError:
            pass
    return f"{NO_ROW_KEY}#{dead_letter.message_id}"
