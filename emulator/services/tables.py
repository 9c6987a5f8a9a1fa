"""The calendar and the audit table on a DynamoDB of this machine: creates, loads and dumps them."""

import base64
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from emulator.calendar_csv import CalendarRow
from emulator.clients import loopback_client
from emulator.errors import EmulatorError, InputError
from handler.contract import AUDIT, CALENDAR, CORRELATION_INDEX, PROCESSED
from handler.validation import format_utc

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef, KeySchemaElementTypeDef

CALENDAR_TABLE = CALENDAR.default
AUDIT_TABLE = AUDIT.default

# DynamoDB's limits of a batch.
_GET_BATCH = 100
_WRITE_BATCH = 25

_MAX_ROUNDS = 10
_FIRST_WAIT_SECONDS = 0.05


class CalendarTables:
    """The two tables of a run; a context manager that owns its client.

    Args:
        url: The endpoint of the DynamoDB.
        region: The region of the tables.
        credentials: The `AWS_*` variables to sign with.

    Raises:
        InputError: The URL or the region is invalid.
    """

    def __init__(self, url: str, region: str, credentials: Mapping[str, str]) -> None:
        self._url = url
        try:
            self._client = loopback_client(
                "dynamodb",
                url,
                region,
                credentials=credentials,
                # By default, a wrong address is reported after half a minute only.
                retries={"mode": "standard", "total_max_attempts": 3},
            )
        except (ValueError, BotoCoreError) as error:
            raise InputError(f"{url} in region {region} cannot be used: {error}") from error

    def load(self, rows: Sequence[CalendarRow]) -> None:
        """Create the tables and load the calendar. Existing tables and rows are not changed.

        Raises:
            EmulatorError: DynamoDB does not answer, or rejects a call.
        """
        with self._translated_errors():
            create_tables(self._client)
            load(self._client, CALENDAR_TABLE, rows)

    def calendar(self) -> list[dict[str, Any]]:
        """Return the calendar's items as plain JSON values.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._translated_errors():
            return dump(self._client, CALENDAR_TABLE)

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit entries as plain JSON values.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._translated_errors():
            return dump(self._client, AUDIT_TABLE)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise EmulatorError(f"DynamoDB at {self._url} failed: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def create_tables(
    client: "DynamoDBClient", calendar_table: str = CALENDAR_TABLE, audit_table: str = AUDIT_TABLE
) -> None:
    """Create the two tables, with their keys and the audit table's index by correlation ID.

    Existing tables are not changed.

    Raises:
        EmulatorError: A table of that name has another key.
    """
    _create(client, calendar_table, CALENDAR.key)
    _create(client, audit_table, AUDIT.key, index_by=("correlation_id",))


def _create(client: "DynamoDBClient", table: str, key: tuple[str, ...], index_by: tuple[str, ...] = ()) -> None:
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": key[0], "KeyType": "HASH"}]
    schema += [{"AttributeName": name, "KeyType": "RANGE"} for name in key[1:]]
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
            raise EmulatorError(f"the table {table} exists, and its key is not {', '.join(key)}") from None
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def load(
    client: "DynamoDBClient",
    table: str,
    rows: Iterable[CalendarRow],
    *,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Put unprocessed calendar rows into the table. Existing rows are not changed.

    Args:
        client: A client of the DynamoDB.
        table: The name of the calendar's table.
        rows: The rows; of several with one key, the last.
        now: The value of `created_at` and `last_sync_timestamp`; None for now.
        sleep: Waits that many seconds before a retry of unprocessed items.

    Returns:
        The number of new rows.

    Raises:
        EmulatorError: DynamoDB left items unprocessed after all retries.
    """
    timestamp = format_utc(now or datetime.now(UTC))
    new_rows = {row.key: row for row in rows}
    for keys in itertools.batched(list(new_rows), _GET_BATCH, strict=False):
        for present in _present(client, table, keys, sleep):
            del new_rows[present]
    for batch in itertools.batched(new_rows.values(), _WRITE_BATCH, strict=False):
        requests: Mapping[str, Any] = {table: [{"PutRequest": {"Item": _item(row, timestamp)}} for row in batch]}
        for wait in _waits(table):
            requests = client.batch_write_item(RequestItems=requests).get("UnprocessedItems", {})
            if not requests:
                break
            sleep(wait)
    return len(new_rows)


def _present(
    client: "DynamoDBClient", table: str, keys: Sequence[tuple[str, ...]], sleep: Callable[[float], None]
) -> Iterator[tuple[str, ...]]:
    key_items = [{name: {"S": part} for name, part in zip(CALENDAR.key, key, strict=True)} for key in keys]
    requests: Mapping[str, Any] = {
        table: {"Keys": key_items, "ProjectionExpression": ", ".join(CALENDAR.key), "ConsistentRead": True}
    }
    for wait in _waits(table):
        reply = client.batch_get_item(RequestItems=requests)
        for item in reply["Responses"].get(table, []):
            yield tuple(item[name]["S"] for name in CALENDAR.key)
        requests = reply.get("UnprocessedKeys", {})
        if not requests:
            return
        sleep(wait)


def _waits(table: str) -> Iterator[float]:
    """Yield the waits before each retry of unprocessed items; raise after the last."""
    for round_number in range(_MAX_ROUNDS):
        yield _FIRST_WAIT_SECONDS * 2**round_number
    raise EmulatorError(f"DynamoDB throttles: it did not process all rows of {table}")


def _item(row: CalendarRow, timestamp: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        **{name: {"S": value} for name, value in zip(CALENDAR.key, row.key, strict=True)},
        PROCESSED: {"BOOL": False},
        "created_at": {"S": timestamp},
        "last_sync_timestamp": {"S": timestamp},
    }
    return item | {name: {"N": str(value)} for name, value in row.numbers.items()}


def dump(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """Return every item of a table as plain JSON values, sorted by key."""
    key = [element["AttributeName"] for element in client.describe_table(TableName=table)["Table"]["KeySchema"]]
    items = [
        plain_item(item)
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for item in page["Items"]
    ]
    return sorted(items, key=lambda item: [item[name] for name in key])


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of DynamoDB's API (`{"is_processed": {"BOOL": true}}`) as plain JSON values, sorted by name."""
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
