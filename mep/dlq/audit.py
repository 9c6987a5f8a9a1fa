"""Audit entries of what people do with dead letters: in the audit table, append-only like the function's own.

Two entries frame each act: one before it (`redrive_requested`, `discard_requested`) and one after it (`redriven`,
`discarded`). A first one without a second one means that the command ended in between: the event may have been sent
or the message deleted, or not. So whatever moment a crash picks, the table says nothing that is not so.
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
from mep.aws_errors import asking
from mep.dlq.event import event_id, trace_id
from mep.dlq.model import DeadLetter
from mep.errors import RunError

NO_ROW_KEY = "DEAD_LETTER"
"""Stands for the symbol in the key of an event that names no row: `DEAD_LETTER#MESSAGE_ID`."""


class Action(StrEnum):
    """What a person did, or is about to do."""

    REDRIVE_REQUESTED = "redrive_requested"
    REDRIVEN = "redriven"
    DISCARD_REQUESTED = "discard_requested"
    DISCARDED = "discarded"


_KEY, _ENTRY_ID = AUDIT.key


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Writes audit entries.

    Attributes:
        client: of DynamoDB.
        table: name of the audit table.
        operator: who does it.
        clock: now, UTC.
    """

    client: Any
    table: str
    operator: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def record(self, action: Action, dead_letter: DeadLetter, **more: str) -> None:
        """Write an entry.

        Args:
            action: what is done.
            dead_letter: to which message.
            more: further attributes: `destination`, `accepted_as`, `reason`.

        Raises:
            UnavailableError: the table does not take it.
            RunError: its key is taken, again and again.
        """
        for _ in range(3):  # two acts on one row in the same microsecond: one of them waits
            if self._put(action, dead_letter, more):
                return
        raise RunError(f"the audit entry of message {dead_letter.message_id} could not be written: its key is taken")

    def _put(self, action: Action, dead_letter: DeadLetter, more: Mapping[str, str]) -> bool:
        now = format_utc(self.clock())
        identity = event_id(dead_letter) or dead_letter.message_id
        entry = {
            _KEY: earnings_key(dead_letter),
            _ENTRY_ID: f"{now}#{identity}",
            "event_id": identity,
            "action": action.value,
            "previous_state": "dead_lettered",
            "correlation_id": dead_letter.correlation_id,
            "request_id": dead_letter.request_id,
            "trace_id": trace_id(dead_letter),
            "recorded_at": now,
            "operator": self.operator,
            "message_id": dead_letter.message_id,
            "shape": dead_letter.shape.value,
            "error_category": dead_letter.group,
            **more,
        }
        item = {name: {"S": value} for name, value in entry.items() if value}
        with asking(f"the audit table {self.table} cannot be written", self.client):
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
                # Our own entry, when only the reply to its first attempt was lost.
                return bool(error.response.get("Item") == item)
        return True


def earnings_key(dead_letter: DeadLetter) -> str:
    """The partition key: the row that the event names, else the message's own."""
    event = dead_letter.event if isinstance(dead_letter.event, Mapping) else {}
    detail = event.get("detail")
    if isinstance(detail, Mapping):
        try:
            return "#".join(validate(optional(detail, name)) for name, validate in KEY_FIELDS.items())
        except FieldError:
            pass
    return f"{NO_ROW_KEY}#{dead_letter.message_id}"
