"""The two tables on a DynamoDB of this machine, and what is loaded into them and read from them."""

import base64
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from emulator.calendar_csv import CalendarRow
from emulator.errors import EmulatorError
from handler.validation import format_utc

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef, KeySchemaElementTypeDef

CORRELATION_INDEX = "correlation_id-index"

_CALENDAR_KEY = ("asset_symbol", "earnings_date")
_AUDIT_KEY = ("earnings_key", "entry_id")

# DynamoDB's limits of a batch.
_GET_BATCH = 100
_WRITE_BATCH = 25

_UNPROCESSED_ROUNDS = 10
_FIRST_WAIT_SECONDS = 0.05


def create_tables(client: "DynamoDBClient", calendar_table: str, audit_table: str) -> None:
    """Make the two tables, with their keys and the audit table's index by correlation ID.

    A table that exists is taken as it is, with what is in it.

    Raises:
        EmulatorError: a table of that name has other keys.
    """
    _create(client, calendar_table, _CALENDAR_KEY)
    _create(client, audit_table, _AUDIT_KEY, index_by=("correlation_id",))


def _create(client: "DynamoDBClient", table: str, key: tuple[str, str], index_by: tuple[str, ...] = ()) -> None:
    schema: list[KeySchemaElementTypeDef] = [
        {"AttributeName": key[0], "KeyType": "HASH"},
        {"AttributeName": key[1], "KeyType": "RANGE"},
    ]
    request: CreateTableInputTypeDef = {
        "TableName": table,
        "KeySchema": schema,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in (*key, *index_by)],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if index_by:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": CORRELATION_INDEX,
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in index_by],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    try:
        client.create_table(**request)
    except client.exceptions.ResourceInUseException:
        if client.describe_table(TableName=table)["Table"]["KeySchema"] != schema:
            raise EmulatorError(f"there is a table {table} already, and its key is not {', '.join(key)}") from None
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def load(
    client: "DynamoDBClient",
    table: str,
    rows: Iterable[CalendarRow],
    *,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Put calendar rows into the table, not processed yet. Rows that are there already stay as they are.

    Args:
        client: of the DynamoDB.
        table: the calendar's name.
        rows: what to load; the last of several with one key counts.
        now: what `created_at` and `last_sync_timestamp` say.
        sleep: waits that many seconds before what DynamoDB did not take is sent again.

    Returns:
        How many rows were put.

    Raises:
        EmulatorError: DynamoDB would not take all of them, however often it was asked.
    """
    stamp = format_utc(now or datetime.now(UTC))
    wanted = {(row.asset_symbol, row.earnings_date): row for row in rows}
    for keys in itertools.batched(list(wanted), _GET_BATCH, strict=False):
        for present in _present(client, table, keys, sleep):
            del wanted[present]
    for batch in itertools.batched(wanted.values(), _WRITE_BATCH, strict=False):
        requests: Mapping[str, Any] = {table: [{"PutRequest": {"Item": _item(row, stamp)}} for row in batch]}
        for wait in _waits(table):
            requests = client.batch_write_item(RequestItems=requests).get("UnprocessedItems", {})
            if not requests:
                break
            sleep(wait)
    return len(wanted)


def _present(
    client: "DynamoDBClient", table: str, keys: Sequence[tuple[str, str]], sleep: Callable[[float], None]
) -> Iterator[tuple[str, str]]:
    key_items = [{name: {"S": part} for name, part in zip(_CALENDAR_KEY, key, strict=True)} for key in keys]
    requests: Mapping[str, Any] = {
        table: {"Keys": key_items, "ProjectionExpression": ", ".join(_CALENDAR_KEY), "ConsistentRead": True}
    }
    for wait in _waits(table):
        reply = client.batch_get_item(RequestItems=requests)
        for item in reply["Responses"].get(table, []):
            yield item["asset_symbol"]["S"], item["earnings_date"]["S"]
        requests = reply.get("UnprocessedKeys", {})
        if not requests:
            return
        sleep(wait)


def _waits(table: str) -> Iterator[float]:
    """The waits before asking again for what DynamoDB left undone; at their end it is given up."""
    for round_number in range(_UNPROCESSED_ROUNDS):
        yield _FIRST_WAIT_SECONDS * 2**round_number
    raise EmulatorError(f"DynamoDB is throttling: it does not take all rows of {table}")


def _item(row: CalendarRow, stamp: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "asset_symbol": {"S": row.asset_symbol},
        "earnings_date": {"S": row.earnings_date},
        "is_processed": {"BOOL": False},
        "created_at": {"S": stamp},
        "last_sync_timestamp": {"S": stamp},
    }
    if row.estimated_eps is not None:
        item["estimated_eps"] = {"N": str(row.estimated_eps)}
    return item


def dump(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """Return every item of a table as plain JSON values, in the order of its key."""
    key = [element["AttributeName"] for element in client.describe_table(TableName=table)["Table"]["KeySchema"]]
    items = [
        plain_item(item)
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for item in page["Items"]
    ]
    return sorted(items, key=lambda item: [item[name] for name in key])


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as a client got it (`{"is_processed": {"BOOL": true}}`) as plain JSON values, sorted by name."""
    from boto3.dynamodb.types import TypeDeserializer

    deserialize = TypeDeserializer().deserialize
    return {name: _plain(deserialize(item[name])) for name in sorted(item)}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case set():
            return sorted(_plain(member) for member in value)
        case None | bool() | str():
            return value
        case _:  # boto3's Binary
            return base64.b64encode(bytes(value)).decode()
