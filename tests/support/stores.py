"""The tables and the dead-letter queue, as a test reads them."""

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from emulator.services.sqs import DeadLetter, QueueEndpoint, drain, sqs_client
from emulator.services.tables import AUDIT_TABLE, CALENDAR_TABLE, create_tables, plain_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Tables:
    """A calendar and an audit table.

    Attributes:
        url: URL of the DynamoDB.
        calendar_table: Name of the calendar.
        audit_table: Name of the audit table.
        client: A client of the DynamoDB.
    """

    url: str
    calendar_table: str
    audit_table: str
    client: "DynamoDBClient"

    def put_row(self, symbol: str, date: str, **attributes: Any) -> None:
        """Put a calendar row, not processed by default; attributes are plain values, numbers `Decimal`."""
        row = {"asset_symbol": symbol, "earnings_date": date, "is_processed": False, **attributes}
        serialize = TypeSerializer().serialize
        item = {name: serialize(value) for name, value in row.items()}
        self.client.put_item(TableName=self.calendar_table, Item=item)

    def row(self, symbol: str, date: str) -> dict[str, Any] | None:
        """Return a calendar row as plain JSON values; None where there is none."""
        key = {"asset_symbol": {"S": symbol}, "earnings_date": {"S": date}}
        item = self.client.get_item(TableName=self.calendar_table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else plain_item(item)

    def audit(self, symbol: str, date: str) -> list[dict[str, Any]]:
        """Return a row's audit entries in their order, as plain JSON values."""
        reply = self.client.query(
            TableName=self.audit_table,
            KeyConditionExpression="earnings_key = :key",
            ExpressionAttributeValues={":key": {"S": f"{symbol}#{date}"}},
            ConsistentRead=True,
        )
        return [plain_item(item) for item in reply["Items"]]


def delete_run_tables(client: "DynamoDBClient") -> None:
    """Delete the tables of `mep local` in the client's region, for a run that begins with an empty database."""
    for table in {CALENDAR_TABLE, AUDIT_TABLE} & set(client.list_tables()["TableNames"]):
        client.delete_table(TableName=table)


def new_tables(url: str, client: "DynamoDBClient", name: str) -> Tables:
    """Create both tables, with `name` in their names."""
    tables = Tables(url, f"calendar-{name}", f"audit-{name}", client)
    create_tables(client, tables.calendar_table, tables.audit_table)
    return tables


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A dead-letter queue.

    Attributes:
        endpoint: Its URLs.
    """

    endpoint: QueueEndpoint

    @property
    def url(self) -> str:
        """URL of the SQS API."""
        return self.endpoint.url

    @property
    def queue_url(self) -> str:
        """URL of the queue."""
        return self.endpoint.queue_url

    def drain(self) -> list[DeadLetter]:
        """Receive and delete every message."""
        return drain(self.endpoint)

    def show_again(self, handles: Iterable[str]) -> None:
        """Make the messages that a killed process received visible again, without the wait; some may be deleted."""
        with closing(sqs_client(self.url)) as client:
            for handle in handles:
                with suppress(ClientError):
                    client.change_message_visibility(QueueUrl=self.queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
