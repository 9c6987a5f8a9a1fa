"""What the automatic redrive reads in DynamoDB: earlier attempts, and whether a row is marked. Strongly consistent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handler.contract import AUDIT, CALENDAR, KEY_FIELDS, PROCESSED
from handler.event import optional
from handler.validation import FieldError
from mep.aws_errors import aws_errors
from mep.dlq.audit import Action, earnings_key
from mep.dlq.model import DeadLetter
from redriver import OPERATOR
from redriver.policy import History

type EventKey = tuple[str, str]
"""The key of an event's audit entries, and its ID there: what all messages of one event have in common."""


def event_key(dead_letter: DeadLetter) -> EventKey:
    """Return the key of the event of a message."""
    return earnings_key(dead_letter), dead_letter.event_id or dead_letter.message_id


@dataclass(frozen=True, slots=True)
class Attempts:
    """Reads from the audit table how often an event was sent.

    The count in `detail.redrive_count` alone does not suffice: the message of an event that fails again stays as it is.

    Attributes:
        client: boto3 client of DynamoDB.
        table: Name of the audit table.
    """

    client: Any
    table: str

    def of(self, dead_letter: DeadLetter) -> History:
        """Return the history of the event of a message: every attempt of this function, and those of persons.

        A person's attempt counts once it was accepted: if not, the event did not reach the function.

        Raises:
            MepError: The audit table cannot be read.
        """
        key, event_id = event_key(dead_letter)
        values = {
            ":key": key,
            ":requested": Action.REDRIVE_REQUESTED.value,
            ":redriven": Action.REDRIVEN.value,
            ":operator": OPERATOR,
            ":event": event_id,
        }
        own = "#action = :requested AND #operator = :operator"
        others = "#action = :redriven AND #operator <> :operator"
        request = {
            "TableName": self.table,
            "KeyConditionExpression": "#key = :key",
            "FilterExpression": f"#event = :event AND (({own}) OR ({others}))",
            "ProjectionExpression": "recorded_at, #operator",
            "ExpressionAttributeNames": {
                "#key": AUDIT.key[0],
                "#action": "action",
                "#operator": "operator",
                "#event": "event_id",
            },
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ConsistentRead": True,
        }
        with aws_errors(f"the audit table {self.table} cannot be read", self.client):
            pages = list(self.client.get_paginator("query").paginate(**request))
        items = [item for page in pages for item in page["Items"]]
        times = [
            datetime.fromisoformat(item["recorded_at"]["S"]) for item in items if item["operator"] == {"S": OPERATOR}
        ]
        return History(max(len(items), dead_letter.redrives), max(times, default=None))


@dataclass(frozen=True, slots=True)
class Rows:
    """Reads whether the row of an event is marked.

    Attributes:
        client: boto3 client of DynamoDB.
        table: Name of the calendar table.
    """

    client: Any
    table: str

    def is_marked(self, event: object) -> bool:
        """Return whether the row that an event names is marked; False for an event that names none.

        Raises:
            MepError: The calendar cannot be read.
        """
        key = _key(event)
        if key is None:
            return False
        with aws_errors(f"the calendar table {self.table} cannot be read", self.client):
            response = self.client.get_item(
                TableName=self.table,
                Key={name: {"S": key[name]} for name in CALENDAR.key},
                ProjectionExpression="#processed",
                ExpressionAttributeNames={"#processed": PROCESSED},
                ConsistentRead=True,
            )
        return bool(response.get("Item", {}).get(PROCESSED) == {"BOOL": True})


def _key(event: object) -> Mapping[str, str] | None:
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(detail, Mapping):
        return None
    try:
        return {name: validate(optional(detail, name)) for name, validate in KEY_FIELDS.items()}
    except FieldError:
        return None
