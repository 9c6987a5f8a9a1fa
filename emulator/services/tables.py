"""The calendar and the audit table on a DynamoDB of this machine: creates, loads and dumps them."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from emulator.calendar_rows import CalendarRow
from emulator.clients import loopback_client
from emulator.errors import EmulatorError, InputError
from emulator.services.loading import load
from emulator.spool import Spool
from handler.contract import AUDIT, CALENDAR, CORRELATION_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef, KeySchemaElementTypeDef

CALENDAR_TABLE = CALENDAR.default
AUDIT_TABLE = AUDIT.default

type OnRows = Callable[[int], None]
"""Called with the number of rows that were loaded or read since the last call."""


def _ignore(_: int) -> None:
    pass


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
                parameter_validation=False,  # a third of the time that a calendar takes to load
            )
        except (ValueError, BotoCoreError) as error:
            raise InputError(f"{url} in region {region} cannot be used: {error}") from error

    def load(self, rows: Iterable[CalendarRow], on_rows: OnRows = _ignore) -> None:
        """Create the tables and load the calendar. Existing tables and rows are not changed.

        Args:
            rows: The rows; of several with one key, the last.
            on_rows: Called with the number of rows that were loaded.

        Raises:
            EmulatorError: DynamoDB does not answer, or rejects a call.
        """
        with self._translated_errors():
            is_new = create_tables(self._client)
            load(self._client, CALENDAR_TABLE, rows, is_new=is_new, on_rows=on_rows)

    def calendar(self, on_rows: OnRows = _ignore) -> Iterator[dict[str, Any]]:
        """Yield the calendar's items as plain JSON values, sorted by key.

        Args:
            on_rows: Called with the number of items that were read.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._translated_errors():
            yield from dump(self._client, CALENDAR_TABLE, on_rows)

    def audit(self, on_rows: OnRows = _ignore) -> Iterator[dict[str, Any]]:
        """Yield the audit entries as plain JSON values, sorted by key.

        Args:
            on_rows: Called with the number of items that were read.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._translated_errors():
            yield from dump(self._client, AUDIT_TABLE, on_rows)

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
) -> bool:
    """Create the two tables, with their keys and the audit table's index by correlation ID.

    Existing tables are not changed.

    Returns:
        Whether the calendar's table is new, and therefore empty.

    Raises:
        EmulatorError: A table of that name has another key.
    """
    is_new = _create(client, calendar_table, CALENDAR.key)
    _create(client, audit_table, AUDIT.key, index_by=("correlation_id",))
    return is_new


def _create(client: "DynamoDBClient", table: str, key: tuple[str, ...], index_by: tuple[str, ...] = ()) -> bool:
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
    is_new = True
    try:
        client.create_table(**request)
    except client.exceptions.ResourceInUseException:
        if client.describe_table(TableName=table)["Table"]["KeySchema"] != schema:
            raise EmulatorError(f"the table {table} exists, and its key is not {', '.join(key)}") from None
        is_new = False
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return is_new


def dump(client: "DynamoDBClient", table: str, on_rows: OnRows = _ignore) -> Iterator[dict[str, Any]]:
    """Yield every item of a table as plain JSON values, sorted by key, in bounded memory.

    Args:
        client: A client of the DynamoDB.
        table: The name of the table.
        on_rows: Called with the number of items that were read.
    """
    key = [element["AttributeName"] for element in client.describe_table(TableName=table)["Table"]["KeySchema"]]
    with Spool() as spool:
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                plain = plain_item(item)
                first, second = (*(plain[name] for name in key), "")[:2]
                spool.put(first, second, json.dumps(plain).encode())
            on_rows(len(page["Items"]))
        for _, _, value in spool.sorted():
            yield json.loads(value)


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of DynamoDB's API (`{"is_processed": {"BOOL": true}}`) as plain JSON values, sorted by name."""
    deserialize = _deserializer()
    return {name: _plain(deserialize(item[name])) for name in sorted(item)}


@cache
def _deserializer() -> Callable[[Any], Any]:
    from boto3.dynamodb.types import TypeDeserializer

    deserialize: Callable[[Any], Any] = TypeDeserializer().deserialize
    return deserialize


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
