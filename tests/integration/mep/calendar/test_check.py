"""`mep calendar check` on DynamoDB Local: marks of the function, and a sync that replaces items."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from emulator.faults import FaultProxy, Reply, answer
from emulator.faults.proxy import PASS
from mep.calendar import tables as calendar_tables
from mep.errors import ExitStatus
from tests.integration.harness import OTHERS_ATTRIBUTES, Harness
from tests.support.command_line import mep
from tests.support.events import unique_event
from tests.support.stores import Tables

DATE = "2025-07-31"
FAR = "2125-07-31"
_JSON = {"Content-Type": "application/x-amz-json-1.0"}
DENIED = Reply(400, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "no"}', _JSON)

Check = Callable[..., tuple[int, Any]]


@pytest.fixture
def check(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the command with `--json`; return exit status and output."""

    def run(*options: str) -> tuple[int, Any]:
        status = mep(environ, "calendar", "check", "--rate", "10000", "--json", *options)
        output = capsys.readouterr()
        return status, json.loads(output.out) | {"error": output.err}

    return run


def mark(harness: Harness, symbol: str, date: str = DATE) -> dict[str, Any]:
    """Have the function mark a row, which is put if there is none; return the event's detail."""
    if harness.services.tables.row(symbol, date) is None:
        harness.services.tables.put_row(symbol, date, **OTHERS_ATTRIBUTES)
    event = unique_event({"asset_symbol": symbol, "earnings_date": date})
    assert harness(event).answer == {"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]}
    return dict(event["detail"])


def sync_puts(tables: Tables, *keys: tuple[str, str]) -> None:
    """Write whole items, as a sync does that must not."""
    serialize = TypeSerializer().serialize
    for symbol, date in keys:
        row = {"asset_symbol": symbol, "earnings_date": date, **OTHERS_ATTRIBUTES}
        item = {name: serialize(value) for name, value in row.items()}
        tables.client.batch_write_item(RequestItems={tables.calendar_table: [{"PutRequest": {"Item": item}}]})


def found(output: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["kind"], each["asset_symbol"]) for each in output["findings"]]


def test_each_kind_is_found(harness: Harness, tables: Tables, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar_tables, "PAGE_ROWS", 2)  # several pages of the calendar
    mark(harness, "FINE")
    lost = mark(harness, "LOST")
    first = mark(harness, "TWICE")
    sync_puts(tables, ("LOST", DATE), ("TWICE", DATE), ("PAST", DATE), ("COMING", FAR))
    second = mark(harness, "TWICE")
    tables.put_row("SOON", "soon")
    redriven = {"earnings_key": f"PAST#{DATE}", "entry_id": "2025-08-01T00:00:00.000000Z#e", "action": "redriven"}
    tables.client.put_item(TableName=tables.audit_table, Item={name: {"S": each} for name, each in redriven.items()})
    for number in range(4):
        tables.put_row("NEW", f"2125-01-0{number + 1}")

    status, output = check()

    assert status == ExitStatus.FAILED
    assert found(output) == [("mark_lost", "LOST"), ("not_marked", "PAST"), ("marked_twice", "TWICE")]
    assert output["counts"] == {"not_marked": 1, "mark_lost": 1, "marked_twice": 1}
    assert (output["rows"], output["undated"], output["complete"]) == (10, 1, True)
    marks = {each["asset_symbol"]: each["marks"] for each in output["findings"]}
    assert [each["correlation_id"] for each in marks["LOST"]] == [lost["correlation_id"]]
    assert [each["event_id"] for each in marks["TWICE"]] == [first["event_id"], second["event_id"]]
    assert marks["PAST"] == []
    assert {each["last_sync_timestamp"] for each in output["findings"]} == {OTHERS_ATTRIBUTES["last_sync_timestamp"]}

    assert found(check("--symbol", "lost")[1]) == [("mark_lost", "LOST")]
    assert check("--symbol", "LOST", "--from", "2025-08-01")[0] == ExitStatus.DONE
    assert found(check("--limit", "1")[1]) == [("mark_lost", "LOST")]
    assert found(check("--limit", "0")[1]) == []
    coming = check("--from", "2025-08-01", "--to", FAR)
    assert (coming[0], coming[1]["rows"], coming[1]["findings"]) == (ExitStatus.DONE, 5, [])
    assert (coming[1]["from"], coming[1]["to"]) == ("2025-08-01", FAR)
    assert found(check("--to", DATE, "--grace", "36500d")[1]) == [("mark_lost", "LOST"), ("marked_twice", "TWICE")]
    assert tables.row("LOST", DATE) == {"asset_symbol": "LOST", "earnings_date": DATE, **OTHERS_ATTRIBUTES}, "read only"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits(
    width: int, tables: Tables, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    correlation_id = "c" * 120
    for symbol in ("BRK B", "VERY-LONG-SYMBOL-OF-A"):
        tables.put_row(symbol, DATE, last_sync_timestamp="2025-07-30T00:00:00\x1b[2JZ")
    for second in (1, 2):
        entry = {
            "earnings_key": f"BRK B#{DATE}",
            "entry_id": f"2025-07-31T00:00:0{second}.000000Z#e",
            "action": "mark_processed",
            "recorded_at": f"2025-07-31T00:00:0{second}.000000Z",
            "correlation_id": correlation_id,
        }
        item = {name: {"S": value} for name, value in entry.items()}
        tables.client.put_item(TableName=tables.audit_table, Item=item)
    environ.setenv("COLUMNS", str(width))

    assert mep(environ, "calendar", "check", "--rate", "10000") == ExitStatus.FAILED

    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if "mep trace" not in line]
    assert [line for line in lines if len(line) > width] == []
    text = "".join("".join(lines).split())
    assert "…" not in text
    assert "\x1b" not in shown
    for part in ("2rowschecked", "mark_lost", "marked_twice", "not_marked", correlation_id, "BRKB2025-07-31"):
        assert part in text
    assert any(line.strip().endswith("trace BRK B 2025-07-31") for line in shown.splitlines())


def test_a_symbol_alone_is_read_with_query(tables: Tables, environ: pytest.MonkeyPatch) -> None:
    tables.put_row("A", DATE, is_processed=True)
    tables.put_row("B", DATE, is_processed=True)
    with FaultProxy(tables.url) as proxy:
        environ.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        assert mep(environ, "calendar", "check", "--symbol", "A") == ExitStatus.DONE
        one = [(each.request.operation, each.request.json["TableName"]) for each in proxy.requests]
        assert mep(environ, "calendar", "check") == ExitStatus.DONE
        others = [(each.request.operation, each.request.json["TableName"]) for each in proxy.requests[len(one) :]]

    calendar, audit = tables.calendar_table, tables.audit_table
    assert one == [("Query", calendar), ("Query", audit)]
    assert others == [("Scan", calendar), ("Query", audit), ("Query", audit)]


@pytest.mark.parametrize(("operation", "rows"), [("Scan", 0), ("Query", 1)])
def test_a_denied_call_is_never_nothing_found(
    operation: str, rows: int, tables: Tables, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each call of an operation beyond the rows before it; what was found before is shown."""
    for symbol in ("A", "B"):
        tables.put_row(symbol, DATE)
    script = [PASS] * rows + [answer(DENIED, name="denied")]
    with FaultProxy(tables.url, *script, *script, operation=operation) as proxy:
        environ.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)

        assert mep(environ, "calendar", "check") == ExitStatus.UNAVAILABLE
        text = capsys.readouterr()
        assert mep(environ, "calendar", "check", "--json") == ExitStatus.UNAVAILABLE
        as_json = capsys.readouterr()

    table = tables.calendar_table if operation == "Scan" else tables.audit_table
    assert (text.out == "") == (rows == 0)
    assert rows == 0 or "1 row checked; today is" in text.out
    assert rows == 0 or "; incomplete" in text.out
    (line,) = text.err.splitlines()
    assert line.startswith(f"mep: the check is incomplete after {rows} rows: the ")
    assert f"{table} cannot be read: AccessDeniedException at {operation}" in line
    assert f"dynamodb:{operation}" in line
    output = json.loads(as_json.out)
    assert (output["complete"], output["problem"]["reason"], output["rows"]) == (False, "access_denied", rows)
    assert len(output["findings"]) == rows


def test_an_interrupted_check_shows_what_was_found(tables: Tables, environ: pytest.MonkeyPatch, check: Check) -> None:
    for symbol in ("A", "B"):
        tables.put_row(symbol, DATE)
    read = calendar_tables.TableReader.marks
    calls: list[tuple[str, ...]] = []

    def marks(reader: calendar_tables.TableReader, key: tuple[str, ...]) -> Any:
        calls.append(key)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return read(reader, key)

    environ.setattr(calendar_tables.TableReader, "marks", marks)

    status, output = check()

    assert status == ExitStatus.INTERRUPTED
    assert (output["interrupted"], output["complete"], output["rows"]) == (True, False, 1)
    assert len(output["findings"]) == 1
    assert output["error"] == "mep: interrupted after 1 rows: the check is incomplete\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "2025-7-1"), "--from 2025-7-1: must be a calendar day, YYYY-MM-DD"),
        (("--to", "soon"), "--to soon: must be a calendar day"),
        (("--from", "2025-07-02", "--to", "2025-07-01"), "--from 2025-07-02 is after --to 2025-07-01"),
        (("--symbol", "A#B"), "--symbol A#B: must be"),
        (("--grace", "soon"), "--grace soon: must be an age"),
    ],
)
def test_wrong_usage(
    options: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "calendar", "check", *options) == ExitStatus.WRONG_USAGE
    assert capsys.readouterr().err.startswith(f"mep: {words}")
