"""Loads a calendar into its table, in batches and over several connections at once."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from emulator.calendar_rows import CalendarRow, CalendarRows
from emulator.errors import EmulatorError
from handler.contract import CALENDAR, PROCESSED
from handler.validation import format_utc

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB's limits of a batch.
_GET_BATCH = 100
_WRITE_BATCH = 25

_MAX_ROUNDS = 10
_FIRST_WAIT_SECONDS = 0.05

_CONNECTIONS = 4
_BATCHES_AHEAD = 2 * _CONNECTIONS

type OnRows = Callable[[int], None]
"""Called with the number of rows that were loaded since the last call."""


def _ignore(_: int) -> None:
    pass


def load(
    client: "DynamoDBClient",
    table: str,
    rows: Iterable[CalendarRow],
    *,
    is_new: bool = False,
    now: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
    on_rows: OnRows = _ignore,
) -> int:
    """Put unprocessed calendar rows into the table. Existing rows are not changed.

    Several batches are sent at once, in bounded memory.

    Args:
        client: A client of the DynamoDB.
        table: The name of the calendar's table.
        rows: The rows; of several with one key, the last.
        is_new: Whether the table is empty, so that no row can exist.
        now: The value of `created_at` and `last_sync_timestamp`; None for now.
        sleep: Waits that many seconds before a retry of unprocessed items.
        on_rows: Called with the number of rows that were loaded, in the calling thread.

    Returns:
        The number of new rows.

    Raises:
        EmulatorError: DynamoDB left items unprocessed after all retries.
    """
    timestamp = format_utc(now or datetime.now(UTC))
    new_rows = 0
    in_progress: deque[tuple[int, Future[int]]] = deque()
    with ExitStack() as stack:
        unique = rows if isinstance(rows, CalendarRows) else stack.enter_context(CalendarRows(rows))
        executor = stack.enter_context(ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="load"))
        stack.callback(executor.shutdown, wait=True, cancel_futures=True)
        load_batch = partial(_load_batch, client, table, timestamp=timestamp, is_new=is_new, sleep=sleep)
        for batch in itertools.batched(unique, _GET_BATCH, strict=False):
            in_progress.append((len(batch), executor.submit(load_batch, batch)))
            if len(in_progress) > _BATCHES_AHEAD:
                new_rows += _loaded(in_progress, on_rows)
        while in_progress:
            new_rows += _loaded(in_progress, on_rows)
    return new_rows


def _loaded(in_progress: deque[tuple[int, Future[int]]], on_rows: OnRows) -> int:
    """Wait for the oldest batch, and return the number of its new rows."""
    size, future = in_progress.popleft()
    new_rows = future.result()
    on_rows(size)
    return new_rows


def _load_batch(
    client: "DynamoDBClient",
    table: str,
    rows: Sequence[CalendarRow],
    *,
    timestamp: str,
    is_new: bool,
    sleep: Callable[[float], None],
) -> int:
    """Put the rows of a batch that do not exist, and return their number."""
    new_rows = {row.key: row for row in rows}
    if not is_new:
        for present in _present(client, table, list(new_rows), sleep):
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
