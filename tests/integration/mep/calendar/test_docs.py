"""docs/calendar.md: a table with a further index, its sync by update, what a put does, and the restored mark."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.tables import create_tables, plain_item
from mep.calendar.model import FindingKind
from mep.errors import ExitStatus
from tests.integration.harness import Harness, Services, make_harness
from tests.support.command_line import mep
from tests.support.events import unique_event
from tests.support.stores import DeadLetters, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = (PROJECT_ROOT / "docs" / "calendar.md").read_text()
SYMBOL, DATE = "AAPL", "2025-07-31"
INDEX = "upcoming-earnings-index"


@pytest.fixture
def tables(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Iterator[Tables]:
    """A calendar that somebody else has made, with an index of its own, and an audit table."""
    name = uuid.uuid4().hex
    tables = Tables(dynamodb_endpoint.url, f"calendar-{name}", f"audit-{name}", dynamodb_client)
    dynamodb_client.create_table(
        TableName=tables.calendar_table,
        KeySchema=[
            {"AttributeName": "asset_symbol", "KeyType": "HASH"},
            {"AttributeName": "earnings_date", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"} for each in ("asset_symbol", "earnings_date", "report_time")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [
                    {"AttributeName": "earnings_date", "KeyType": "HASH"},
                    {"AttributeName": "report_time", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    assert not create_tables(dynamodb_client, tables.calendar_table, tables.audit_table), "the table is used as it is"
    yield tables
    for table in (tables.calendar_table, tables.audit_table):
        dynamodb_client.delete_table(TableName=table)


@pytest.fixture
def harness(tables: Tables, dead_letters: DeadLetters) -> Iterator[Harness]:
    """The function on these tables."""
    with ExitStack() as stack:
        yield make_harness(stack, Services(tables, dead_letters))


@pytest.fixture
def sync(tables: Tables) -> Callable[[str], None]:
    """The sync as the page writes it; the argument is the time."""
    (source,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - code of our own page, which is tested so
    session = boto3.Session("local", "local", region_name=tables.client.meta.region_name)
    table = session.resource("dynamodb", endpoint_url=tables.url).Table(tables.calendar_table)

    def write(now: str) -> None:
        names["write_row"](table, SYMBOL, DATE, {"report_time": "after-close", "estimated_eps": 1}, now)

    return write


def findings(tables: Tables, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What `mep calendar check` finds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.url)
    monkeypatch.setenv("EARNINGS_CALENDAR_TABLE", tables.calendar_table)
    monkeypatch.setenv("EARNINGS_AUDIT_TABLE", tables.audit_table)
    status = mep(monkeypatch, "calendar", "check", "--json")
    found = list(json.loads(capsys.readouterr().out)["findings"])
    assert status == (ExitStatus.FAILED if found else ExitStatus.DONE)
    return found


def upcoming(tables: Tables) -> list[dict[str, Any]]:
    """The rows that the further index has for the day."""
    reply = tables.client.query(
        TableName=tables.calendar_table,
        IndexName=INDEX,
        KeyConditionExpression="earnings_date = :day AND report_time = :time",
        ExpressionAttributeValues={":day": {"S": DATE}, ":time": {"S": "after-close"}},
    )
    return [plain_item(item) for item in reply["Items"]]


def restore(tables: Tables, mark: dict[str, str]) -> None:
    """Restore a mark as the page does."""
    (command,) = re.findall(r"^    (aws dynamodb update-item .*\n(?:^        .+\n)+)", PAGE, re.MULTILINE)
    values = json.loads(re.findall(r"--expression-attribute-values '(.*)'", command)[0])
    given = {":recorded_at": "recorded_at", ":event_id": "event_id", ":correlation_id": "correlation_id"}
    assert set(values) == {":true", *given}
    tables.client.update_item(
        TableName=tables.calendar_table,
        Key={"asset_symbol": {"S": SYMBOL}, "earnings_date": {"S": DATE}},
        UpdateExpression=re.findall(r"--update-expression '(.*)'", command)[0],
        ConditionExpression=re.findall(r"--condition-expression '(.*)'", command)[0],
        ExpressionAttributeValues=values | {name: {"S": mark[member]} for name, member in given.items()},
    )


def test_the_contract_of_the_sync(
    harness: Harness,
    tables: Tables,
    sync: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = unique_event({"asset_symbol": SYMBOL, "earnings_date": DATE})
    sync("2025-07-30T00:00:00Z")
    created = tables.row(SYMBOL, DATE)

    assert harness(event).outcome_line["outcome"] == "marked"
    marked = tables.row(SYMBOL, DATE)
    assert marked is not None
    assert created is not None
    assert marked.items() >= created.items()
    assert upcoming(tables) == [marked], "the index keeps the row, and shows the mark"

    sync("2025-08-01T00:00:00Z")
    updated = {**marked, "last_sync_timestamp": "2025-08-01T00:00:00Z"}
    assert tables.row(SYMBOL, DATE) == updated, "an update keeps the mark and the time of creation"
    assert upcoming(tables) == [updated]
    assert harness(event).outcome_line["outcome"] == "duplicate"
    assert findings(tables, monkeypatch, capsys) == []

    tables.put_row(SYMBOL, DATE, **created)
    (lost,) = findings(tables, monkeypatch, capsys)
    assert lost["kind"] == FindingKind.MARK_LOST

    restore(tables, lost["marks"][0])
    row = tables.row(SYMBOL, DATE)
    assert row is not None
    assert {name: row[name] for name in marked.keys() - created.keys()} == {
        name: marked[name] for name in marked.keys() - created.keys()
    }
    assert findings(tables, monkeypatch, capsys) == []
    assert harness(event).outcome_line["outcome"] == "duplicate"
    with pytest.raises(tables.client.exceptions.ConditionalCheckFailedException):
        restore(tables, lost["marks"][0])


def test_a_put_makes_the_function_mark_twice(
    harness: Harness,
    tables: Tables,
    sync: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = unique_event({"asset_symbol": SYMBOL, "earnings_date": DATE})
    sync("2025-07-30T00:00:00Z")
    outcomes = [harness(event).outcome_line["outcome"]]
    tables.put_row(SYMBOL, DATE)
    outcomes.append(harness(event).outcome_line["outcome"])

    assert outcomes == ["marked", "marked"], "the same event, twice"
    assert [each["kind"] for each in findings(tables, monkeypatch, capsys)] == [FindingKind.MARKED_TWICE]


def test_the_page_names_what_is_found() -> None:
    kinds = re.findall(r"^\| `([a-z_]+)` \|", PAGE.partition("| finding |")[2].partition("\n\n")[0], re.MULTILINE)

    assert kinds == list(FindingKind)
