"""The calendar is loaded once; the tables are as deployed; what is dumped is plain JSON."""

import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from emulator.calendar_rows import CalendarRow
from emulator.errors import EmulatorError
from emulator.faults import FaultProxy, Reply, answer
from emulator.services.dynamodb import dynamodb_client
from emulator.services.loading import load
from emulator.services.tables import create_tables, dump, plain_item
from handler.contract import CORRELATION_INDEX
from tests.support.stores import Tables

NOW = datetime(2025, 7, 1, 12, 30, tzinfo=UTC)
AT_NOW = "2025-07-01T12:30:00.000000Z"


class TestTables:
    """`create_tables`."""

    def test_audit_entry_is_found_by_correlation_id(self, tables: Tables) -> None:
        for entry, correlation_id in (("1#a", "one"), ("2#b", "two"), ("3#c", "one")):
            item = {
                "earnings_key": "AAPL#2025-07-31",
                "entry_id": entry,
                "correlation_id": correlation_id,
                "action": "x",
            }
            tables.client.put_item(
                TableName=tables.audit_table, Item={name: {"S": value} for name, value in item.items()}
            )
        items = tables.client.query(
            TableName=tables.audit_table,
            IndexName=CORRELATION_INDEX,
            KeyConditionExpression="correlation_id = :id",
            ExpressionAttributeValues={":id": {"S": "one"}},
        )["Items"]
        assert sorted(item["entry_id"]["S"] for item in items) == ["1#a", "3#c"]
        assert {item["action"]["S"] for item in items} == {"x"}

    def test_existing_table_is_not_changed(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31", is_processed=True)
        create_tables(tables.client, tables.calendar_table, tables.audit_table)
        assert tables.row("AAPL", "2025-07-31") is not None

    def test_table_with_another_key_is_rejected(self, tables: Tables) -> None:
        with pytest.raises(EmulatorError, match=f"{tables.audit_table} exists, .*asset_symbol, earnings_date"):
            create_tables(tables.client, tables.audit_table, tables.calendar_table)


class TestLoading:
    """`load`."""

    def test_row_has_the_attributes_of_the_sync(self, tables: Tables) -> None:
        rows = [
            CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal("1.42")}),
            CalendarRow(("BF-B", "2025-08-28")),
        ]
        assert load(tables.client, tables.calendar_table, rows, now=NOW) == 2
        assert tables.row("AAPL", "2025-07-31") == {
            "asset_symbol": "AAPL",
            "earnings_date": "2025-07-31",
            "estimated_eps": 1.42,
            "is_processed": False,
            "created_at": AT_NOW,
            "last_sync_timestamp": AT_NOW,
        }
        without_estimate = tables.row("BF-B", "2025-08-28")
        assert without_estimate is not None
        assert "estimated_eps" not in without_estimate

    def test_thousands_of_rows_are_loaded(self, tables: Tables) -> None:
        rows = [CalendarRow((f"S{number}", "2025-07-31"), {"estimated_eps": Decimal(number)}) for number in range(2010)]
        assert load(tables.client, tables.calendar_table, rows + rows[:50], now=NOW) == 2010
        dumped = list(dump(tables.client, tables.calendar_table))
        assert {(row["asset_symbol"], row["estimated_eps"]) for row in dumped} == {(f"S{n}", n) for n in range(2010)}
        assert len(dumped) == 2010

    def test_existing_rows_are_not_changed(self, tables: Tables) -> None:
        tables.put_row("AAPL", "2025-07-31", is_processed=True, report_time="amc")
        before = tables.row("AAPL", "2025-07-31")
        rows = [CalendarRow(("AAPL", "2025-07-31"), {"estimated_eps": Decimal(9)}), CalendarRow(("MSFT", "2025-07-30"))]
        assert load(tables.client, tables.calendar_table, rows) == 1
        assert tables.row("AAPL", "2025-07-31") == before
        assert load(tables.client, tables.calendar_table, rows) == 0

    def test_unprocessed_items_are_retried(self, tables: Tables) -> None:
        key = {"asset_symbol": {"S": "AAPL"}, "earnings_date": {"S": "2025-07-31"}}
        not_read = answer(
            Reply(
                200, json.dumps({"Responses": {}, "UnprocessedKeys": {tables.calendar_table: {"Keys": [key]}}}).encode()
            )
        )
        not_written = answer(
            Reply(
                200, json.dumps({"UnprocessedItems": {tables.calendar_table: [{"PutRequest": {"Item": key}}]}}).encode()
            )
        )
        waits: list[float] = []
        with FaultProxy(tables.url) as proxy, closing(dynamodb_client(proxy.url)) as client:
            proxy.script(not_read, operation="BatchGetItem")
            proxy.script(not_written, not_written, operation="BatchWriteItem")
            rows = [CalendarRow(("AAPL", "2025-07-31"))]
            assert load(client, tables.calendar_table, rows, sleep=waits.append) == 1
            assert (proxy.attempts("BatchGetItem"), proxy.attempts("BatchWriteItem")) == (2, 3)
        assert waits == [0.05, 0.05, 0.1]
        assert tables.row("AAPL", "2025-07-31") is not None

    def test_items_that_stay_unprocessed_are_an_error(self, tables: Tables) -> None:
        refused = json.dumps({"UnprocessedItems": {tables.calendar_table: [{"PutRequest": {"Item": {}}}]}}).encode()
        waits: list[float] = []
        with (
            FaultProxy(tables.url, *[answer(Reply(200, refused))] * 10, operation="BatchWriteItem") as proxy,
            closing(dynamodb_client(proxy.url)) as client,
        ):
            with pytest.raises(EmulatorError, match=f"did not process all rows of {tables.calendar_table}"):
                load(client, tables.calendar_table, [CalendarRow(("AAPL", "2025-07-31"))], sleep=waits.append)
            assert proxy.attempts("BatchWriteItem") == len(waits) == 10


class TestDumping:
    """`dump`."""

    def test_items_are_sorted_by_key(self, tables: Tables) -> None:
        keys = [("B", "2025-01-02"), ("A", "2025-01-03"), ("B", "2025-01-01")]
        for symbol, date in keys:
            tables.put_row(symbol, date)
        dumped = list(dump(tables.client, tables.calendar_table))
        assert [(row["asset_symbol"], row["earnings_date"]) for row in dumped] == sorted(keys)

    def test_several_pages_are_dumped(self, tables: Tables) -> None:
        for number in range(6):  # a page of a scan is 1 MB
            tables.put_row(f"S{number}", "2025-01-01", filler="x" * 390_000)
        assert len(list(dump(tables.client, tables.calendar_table))) == 6

    def test_every_type_becomes_plain_json(self) -> None:
        item = {
            "text": {"S": "x"},
            "whole": {"N": "12345678901234567890"},
            "fraction": {"N": "1.42"},
            "yes": {"BOOL": True},
            "nothing": {"NULL": True},
            "list": {"L": [{"N": "1"}, {"M": {"deep": {"BOOL": False}}}]},
            "names": {"SS": ["b", "a"]},
            "bytes": {"B": b"\x00\xff"},
        }
        plain = plain_item(item)
        assert plain == json.loads(json.dumps(plain))
        assert plain == {
            "bytes": "AP8=",
            "fraction": 1.42,
            "list": [1, {"deep": False}],
            "names": ["a", "b"],
            "nothing": None,
            "text": "x",
            "whole": 12345678901234567890,
            "yes": True,
        }
        assert list(plain) == sorted(plain)
