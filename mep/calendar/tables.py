"""Reads the calendar in pages, and the audit table by key. Nothing is written, and the audit table is never scanned.

All reads are strongly consistent: what is reported was true when it was read.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from handler.contract import AUDIT, AUDIT_ACTION, CALENDAR, KEY_FIELDS, PROCESSED
from handler.validation import FieldError, parse_date
from mep.aws_errors import aws_errors
from mep.calendar import UNMARKED
from mep.calendar.model import Mark, Row, Scope
from mep.errors import UsageError

PAGE_ROWS = 100
"""Rows of the calendar in one request, so that a request takes little capacity."""

_SYNCED_AT = "last_sync_timestamp"
_MARK = ("recorded_at", "event_id", "correlation_id")


def date_attribute() -> str:
    """Return the part of the calendar's key that is a date.

    Raises:
        UsageError: The contract of this function has none.
    """
    for name, parse in KEY_FIELDS.items():
        if parse is parse_date:
            return name
    raise UsageError(f"the key of the calendar ({', '.join(CALENDAR.key)}) has no date: there is nothing to check")


class TableReader:
    """Reads the two tables, at a limited rate.

    Args:
        client: boto3 client of DynamoDB.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        rate: Requests per second.
        clock: Monotonic time in seconds.
        sleep: Waits for that many seconds.

    Raises:
        UsageError: The contract of this function has no date.
    """

    def __init__(
        self,
        client: Any,
        calendar_table: str,
        audit_table: str,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._calendar_table, self._audit_table = calendar_table, audit_table
        self._interval_s = 1 / rate
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._date = date_attribute()

    def rows(self, scope: Scope) -> Iterator[Row]:
        """Yield the rows of a scope: one company with Query, all with Scan.

        Raises:
            MepError: The calendar cannot be read.
        """
        conditions = _Conditions()
        dates = conditions.between(self._date, scope.first, scope.last)
        if scope.symbol is None:
            request = {"FilterExpression": dates} if dates else {}
            operation = "scan"
        else:
            symbol = conditions.equal(CALENDAR.key[0], scope.symbol)
            request = {"KeyConditionExpression": " AND ".join(filter(None, (symbol, dates)))}
            operation = "query"
        yield from self._rows(operation, request, conditions)

    def row_now(self, key: tuple[str, ...]) -> Row | None:
        """Return a row as it is now; None if there is no such row any more.

        Raises:
            MepError: As for `rows`.
        """
        conditions = _Conditions()
        parts = [conditions.equal(name, value) for name, value in zip(CALENDAR.key, key, strict=True)]
        # Not GetItem: its response for a missing row is as empty as that of another server.
        return next(self._rows("query", {"KeyConditionExpression": " AND ".join(parts)}, conditions), None)

    def marks(self, key: tuple[str, ...]) -> tuple[Mark, ...]:
        """Return the marks of a row that nobody has removed, the oldest first.

        Raises:
            MepError: The audit table cannot be read.
        """
        conditions = _Conditions()
        request = {
            "TableName": self._audit_table,
            "KeyConditionExpression": conditions.equal(AUDIT.key[0], "#".join(key)),
            "FilterExpression": f"{conditions.equal('action', AUDIT_ACTION)} OR {conditions.equal('action', UNMARKED)}",
            "ProjectionExpression": conditions.project((*_MARK, "action")),
        }
        pages = self._pages("query", {**request, **conditions.names_and_values()}, self._audit_table, "audit table")
        return tuple(_marks([item for page in pages for item in page["Items"]]))

    def _rows(self, operation: str, request: Mapping[str, Any], conditions: "_Conditions") -> Iterator[Row]:
        projection = conditions.project((*CALENDAR.key, PROCESSED, _SYNCED_AT))
        request = {
            "TableName": self._calendar_table,
            "ProjectionExpression": projection,
            "PaginationConfig": {"PageSize": PAGE_ROWS},
            **request,
            **conditions.names_and_values(),
        }
        for page in self._pages(operation, request, self._calendar_table, "calendar table"):
            yield from map(self._row, page["Items"])

    def _row(self, item: Mapping[str, Any]) -> Row:
        try:
            day = date.fromisoformat(parse_date(_text(item, self._date)))
        except FieldError:
            day = None
        # As the condition of the function's write.
        marked = item.get(PROCESSED) == {"BOOL": True}
        return Row(tuple(_text(item, name) for name in CALENDAR.key), day, marked, _text(item, _SYNCED_AT))

    def _pages(self, operation: str, request: Mapping[str, Any], table: str, what: str) -> Iterator[Mapping[str, Any]]:
        pages = iter(self._client.get_paginator(operation).paginate(ConsistentRead=True, **request))
        while True:
            self._pace()
            with aws_errors(f"the {what} {table} cannot be read", self._client):
                page = next(pages, None)
            if page is None:
                return
            yield page
            if "LastEvaluatedKey" not in page:
                return

    def _pace(self) -> None:
        wait = self._next - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._next = max(self._next, self._clock()) + self._interval_s


class _Conditions:
    """The names and values of a request's expressions; placeholders, as some names are reserved words."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, dict[str, str]] = {}

    def equal(self, name: str, value: str) -> str:
        """Return the condition that an attribute has a value."""
        return f"{self._name(name)} = {self._value(value)}"

    def between(self, name: str, first: str | None, last: str | None) -> str:
        """Return the condition that an attribute is in a range, ends included; empty where there is no limit."""
        if first is not None and last is not None:
            return f"{self._name(name)} BETWEEN {self._value(first)} AND {self._value(last)}"
        if first is not None:
            return f"{self._name(name)} >= {self._value(first)}"
        return f"{self._name(name)} <= {self._value(last)}" if last is not None else ""

    def project(self, names: tuple[str, ...]) -> str:
        """Return the expression for these attributes."""
        return ", ".join(map(self._name, names))

    def names_and_values(self) -> dict[str, Any]:
        """Return the parameters of the request."""
        values = {"ExpressionAttributeValues": self._values} if self._values else {}
        return {"ExpressionAttributeNames": self._names, **values}

    def _name(self, name: str) -> str:
        placeholder = f"#{name}"
        self._names[placeholder] = name
        return placeholder

    def _value(self, value: str) -> str:
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = {"S": value}
        return placeholder


def _marks(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mark]:
    """Yield the marks that nobody has removed: each entry of a removal cancels the oldest mark of its event.

    Not by time: the clock of the operator's machine is another one than the function's.
    """
    entries = list(entries)
    removed = Counter(_text(entry, "event_id") for entry in entries if _text(entry, "action") == UNMARKED)
    for entry in entries:
        mark = Mark(*(_text(entry, name) for name in _MARK))
        if _text(entry, "action") == UNMARKED:
            continue
        if removed[mark.event_id]:
            removed[mark.event_id] -= 1
        else:
            yield mark


def _text(item: Mapping[str, Any], name: str) -> str:
    """Return an attribute that is a text; empty if it is not."""
    return str(item.get(name, {}).get("S", ""))
