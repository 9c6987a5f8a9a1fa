"""DynamoDB's tables as the soak needs them: fast, in a file, and exact in what the product relies on.

Conditions, both-or-neither, `ReturnValuesOnConditionCheckFailure`, and the ten minutes in which a
`ClientRequestToken` is known. `tests/soak/test_differential.py` holds it against DynamoDB Local.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.soak.expressions import ExpressionError, condition, update

TOKEN_SECONDS = 600
_PRUNE_EVERY = 5_000
_PAGE_BYTES = 1 << 20
_FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
_FINE = {"Code": "None"}

type Request = Mapping[str, Any]


class TableError(Exception):
    """An error reply.

    Attributes:
        code: DynamoDB's.
        extra: Further members of its body.
    """

    def __init__(self, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.code = code
        self.extra = extra


@dataclass(frozen=True, slots=True)
class _Table:
    number: int
    key: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Write:
    """What one item of a transaction would do."""

    table: _Table
    key: tuple[str, str]
    new: Mapping[str, Any]
    reason: Mapping[str, Any]


class Tables:
    """The tables; one thread uses them.

    Attributes:
        counts: What was done: `committed` transactions, `replayed` ones (a known token), `refused` ones (a condition).

    Args:
        clock: Seconds; for tokens.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # "" is SQLite's name for a temporary file.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA cache_size=-16384")
        self._database.execute("CREATE TABLE token (token TEXT PRIMARY KEY, digest BLOB, at REAL) WITHOUT ROWID")
        self._database.execute("CREATE INDEX token_at ON token (at)")
        self._database.execute("BEGIN")
        self._tables: dict[str, _Table] = {}
        self._until_pruned = _PRUNE_EVERY
        self.counts = dict.fromkeys(("committed", "replayed", "refused"), 0)

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def create_table(self, request: Request) -> dict[str, Any]:
        """`CreateTable`: what keys it has is all that counts."""
        name = request["TableName"]
        if name in self._tables:
            raise TableError("ResourceInUseException", f"Table already exists: {name}")
        first, second = (element["AttributeName"] for element in request["KeySchema"])
        table = self._tables[name] = _Table(len(self._tables), (first, second))
        self._database.execute(
            f"CREATE TABLE t{table.number} (pk TEXT, sk TEXT, item BLOB, PRIMARY KEY (pk, sk)) WITHOUT ROWID"
        )
        return {"TableDescription": self._description(name)}

    def describe_table(self, request: Request) -> dict[str, Any]:
        """`DescribeTable`."""
        return {"Table": self._description(request["TableName"])}

    def put_item(self, request: Request) -> dict[str, Any]:
        """`PutItem`."""
        write = self._judge("Put", request)
        if write.reason is not _FINE:
            extra = {"Item": write.reason["Item"]} if "Item" in write.reason else {}
            raise TableError("ConditionalCheckFailedException", "The conditional request failed", **extra)
        self._do(write)
        return {}

    def get_item(self, request: Request) -> dict[str, Any]:
        """`GetItem`."""
        table = self._table(request)
        found = self._find(table, _key_of(table, request["Key"]))
        return {} if found is None else {"Item": found}

    def batch_write_item(self, request: Request) -> dict[str, Any]:
        """`BatchWriteItem` of puts."""
        for name, requests in request["RequestItems"].items():
            for each in requests:
                self._do(self._judge("Put", {"TableName": name, "Item": each["PutRequest"]["Item"]}))
        return {"UnprocessedItems": {}}

    def scan(self, request: Request) -> bytes:
        """`Scan`, page by page in the order of the keys."""
        table = self._table(request)
        start = request.get("ExclusiveStartKey")
        after = _key_of(table, start) if start else ("", "")
        rows = self._database.execute(
            f"SELECT pk, sk, item FROM t{table.number} WHERE (pk, sk) > (?, ?) ORDER BY pk, sk",
            after,
        )
        items: list[bytes] = []
        size, last = 0, b""
        for first, second, item in rows:
            items.append(item)
            size += len(item)
            if size >= _PAGE_BYTES:
                key = {table.key[0]: {"S": first}, table.key[1]: {"S": second}}
                last = b',"LastEvaluatedKey":' + orjson.dumps(key)
                break
        count = str(len(items)).encode()
        return b'{"Items":[%b],"Count":%b,"ScannedCount":%b%b}' % (b",".join(items), count, count, last)

    def transact_write_items(self, request: Request) -> dict[str, Any]:
        """`TransactWriteItems` of updates and puts: all of them or none."""
        token, digest = request.get("ClientRequestToken"), b""
        if token is not None:
            digest = hashlib.blake2b(orjson.dumps(request["TransactItems"], option=orjson.OPT_SORT_KEYS)).digest()[:16]
            known = self._known(token)
            if known is not None:
                if known != digest:
                    raise TableError("IdempotentParameterMismatchException", "other parameters under a known token")
                self.counts["replayed"] += 1
                return self._done(request)
        writes = [self._judge(kind, action) for each in request["TransactItems"] for kind, action in each.items()]
        if len({(write.table.number, write.key) for write in writes}) < len(writes):
            raise TableError(
                "ValidationException", "Transaction request cannot include multiple operations on one item"
            )
        if any(write.reason is not _FINE for write in writes):
            self.counts["refused"] += 1
            raise cancelled([write.reason for write in writes])
        for write in writes:
            self._do(write)
        if token is not None:
            self._database.execute("INSERT INTO token VALUES (?, ?, ?)", (token, digest, self._clock()))
        self.counts["committed"] += 1
        return self._done(request)

    def _known(self, token: str) -> bytes | None:
        self._until_pruned -= 1
        if not self._until_pruned:
            self._until_pruned = _PRUNE_EVERY
            self._database.execute("DELETE FROM token WHERE at < ?", (self._clock() - TOKEN_SECONDS,))
        row = self._database.execute("SELECT digest, at FROM token WHERE token = ?", (token,)).fetchone()
        if row is not None and row[1] < self._clock() - TOKEN_SECONDS:
            self._database.execute("DELETE FROM token WHERE token = ?", (token,))
            return None
        return None if row is None else bytes(row[0])

    def _judge(self, kind: str, action: Request) -> _Write:
        table = self._table(action)
        if kind not in {"Put", "Update"}:
            raise TableError("ValidationException", f"{kind} is not served here")
        key = _key_of(table, action["Item"] if kind == "Put" else action["Key"])
        old = self._find(table, key) if kind == "Update" or "ConditionExpression" in action else None
        values = action.get("ExpressionAttributeValues", {})
        reason: Mapping[str, Any] = _FINE
        try:
            if "ConditionExpression" in action and not self.holds(action["ConditionExpression"], old or {}, values):
                wanted = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old is not None
                reason = {**_FAILED, "Item": old} if wanted else dict(_FAILED)
            if kind == "Put":
                new = action["Item"]
            else:
                changes = {name: values[value] for name, value in update(action["UpdateExpression"])}
                new = {**(old if old is not None else action["Key"]), **changes}
        except (ExpressionError, KeyError) as error:
            raise TableError("ValidationException", f"Invalid expression: {error}") from error
        return _Write(table, key, new, reason)

    def holds(self, expression: str, item: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether a condition holds. A store that is wrong on purpose answers something else."""
        return condition(expression)(item, values)

    def _do(self, write: _Write) -> None:
        self._database.execute(
            f"REPLACE INTO t{write.table.number} VALUES (?, ?, ?)",
            (*write.key, orjson.dumps(write.new)),
        )

    def _find(self, table: _Table, key: tuple[str, str]) -> dict[str, Any] | None:
        row = self._database.execute(
            f"SELECT item FROM t{table.number} WHERE pk = ? AND sk = ?",
            key,
        ).fetchone()
        return None if row is None else orjson.loads(row[0])

    def _table(self, request: Request) -> _Table:
        table = self._tables.get(request["TableName"])
        if table is None:
            raise TableError("ResourceNotFoundException", "Cannot do operations on a non-existent table")
        return table

    def _description(self, name: str) -> dict[str, Any]:
        key = self._table({"TableName": name}).key
        schema = [{"AttributeName": part, "KeyType": kind} for part, kind in zip(key, ("HASH", "RANGE"), strict=True)]
        return {"TableName": name, "TableStatus": "ACTIVE", "KeySchema": schema}

    @staticmethod
    def _done(request: Request) -> dict[str, Any]:
        if request.get("ReturnConsumedCapacity", "NONE") == "NONE":
            return {}
        names = dict.fromkeys(action["TableName"] for each in request["TransactItems"] for action in each.values())
        return {"ConsumedCapacity": [{"TableName": name, "CapacityUnits": 2.0} for name in names]}


def cancelled(reasons: list[Mapping[str, Any]]) -> TableError:
    """The error of a transaction that did not commit."""
    codes = ", ".join(str(reason["Code"]) for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return TableError("TransactionCanceledException", message, CancellationReasons=list(reasons))


def _key_of(table: _Table, item: Mapping[str, Any]) -> tuple[str, str]:
    try:
        return item[table.key[0]]["S"], item[table.key[1]]["S"]
    except KeyError as error:
        raise TableError("ValidationException", f"One of the required keys was not given a value: {error}") from error
