"""The soak's store against DynamoDB Local: the same requests, responses and final items."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.clients import loopback_client
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.tables import create_tables
from handler.calendar_store import CalendarStore
from handler.event import ValidEvent
from handler.settings import load_settings
from tests.soak.fake_aws import fake_aws
from tests.soak.faults import FaultRates
from tests.soak.tables import TOKEN_SECONDS, TableError, Tables
from tests.support.telemetry import event_record

DAY = "2025-07-31"
CONDITIONS = (
    None,
    "attribute_not_exists(earnings_key)",
    "attribute_exists(earnings_key) AND note = :a",
    "NOT note = :a OR (note <> :b AND attribute_exists(entry_id))",
    "attribute_not_exists(note) OR note <> :a",
    "note = :b",
)


@dataclass(frozen=True)
class Pair:
    """Both sides: a client of each, and the names of the tables."""

    clients: Sequence[Any]
    calendar: str
    audit: str

    def both(self, operation: str, **request: Any) -> list[Any]:
        return [_answer(client, operation, request) for client in self.clients]


def _answer(client: Any, operation: str, request: dict[str, Any]) -> Any:
    try:
        reply = getattr(client, operation)(**request)
    except ClientError as error:
        said = error.response
        reasons = [
            {name: reason[name] for name in ("Code", "Item") if name in reason}
            for reason in said.get("CancellationReasons", ())
        ]
        # The text of a validation error is not relied on.
        text = said["Error"]["Message"] if reasons else ""
        return {"code": said["Error"]["Code"], "text": text, "reasons": reasons, "item": said.get("Item")}
    reply.pop("ResponseMetadata")
    if "ConsumedCapacity" in reply:  # how much is not relied on
        reply["ConsumedCapacity"] = sorted(each["TableName"] for each in reply["ConsumedCapacity"])
    for name in ("ItemCollectionMetrics",):
        reply.pop(name, None)
    return reply


@pytest.fixture(scope="module")
def pair(dynamodb_endpoint: DynamoDBEndpoint) -> Iterator[Pair]:
    name = uuid.uuid4().hex
    with (
        fake_aws("http://127.0.0.1:1", FaultRates.none(), 0) as ports,
        closing(loopback_client("dynamodb", ports.url)) as ours,
        closing(dynamodb_endpoint.client()) as theirs,
    ):
        made = Pair((ours, theirs), f"calendar-{name}", f"audit-{name}")
        for client in made.clients:
            create_tables(client, made.calendar, made.audit)
        yield made
        for table in (made.calendar, made.audit):
            theirs.delete_table(TableName=table)


MARK = st.tuples(
    st.just("mark"), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3), st.integers(0, 2), st.booleans()
)
ROW = st.tuples(st.just("row"), st.integers(0, 2), st.sampled_from([None, False, True]))
PUT = st.tuples(st.just("put"), st.integers(0, 1), st.sampled_from("abc"), st.sampled_from(CONDITIONS), st.booleans())
STEPS = st.lists(st.one_of(MARK, ROW, PUT), min_size=1, max_size=12)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_it_answers_as_dynamodb_local_does(pair: Pair, steps: list[tuple[Any, ...]]) -> None:
    run = uuid.uuid4().hex[:10].upper()
    for step in steps:
        ours, theirs = _do(pair, run, step)
        assert ours == theirs, step
    for ours, theirs in _ends(pair, run, steps):
        assert ours == theirs


def _do(pair: Pair, run: str, step: tuple[Any, ...]) -> list[Any]:
    match step:
        case ("row", number, processed):
            item: dict[str, Any] = {"asset_symbol": {"S": f"{run}-{number}"}, "earnings_date": {"S": DAY}}
            if processed is not None:
                item["is_processed"] = {"BOOL": processed}
            requests = {pair.calendar: [{"PutRequest": {"Item": item}}]}
            return pair.both("batch_write_item", RequestItems=requests)
        case ("mark", number, event, token, time, all_old):
            return pair.both(
                "transact_write_items", **_transaction(pair, run, (number, event, token, time), all_old=all_old)
            )
        case ("put", number, note, condition, all_old):
            request: dict[str, Any] = {
                "TableName": pair.audit,
                "Item": {"earnings_key": {"S": f"{run}#{number}"}, "entry_id": {"S": "0"}, "note": {"S": note}},
            }
            if condition is not None:
                request["ConditionExpression"] = condition
                used = {name: {"S": name[1]} for name in (":a", ":b") if name in condition}
                if used:
                    request["ExpressionAttributeValues"] = used
                if all_old:
                    request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            return pair.both("put_item", **request)
    raise AssertionError(step)


def _transaction(pair: Pair, run: str, parts: tuple[int, int, int, int], *, all_old: bool) -> dict[str, Any]:
    """The very request that the function makes, with one of few tokens and times, so that some come again."""
    number, event, token, time = parts
    function_settings = load_settings(
        {
            "AWS_REGION": "us-east-1",
            "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/dead-letters",
            "EARNINGS_CALENDAR_TABLE": pair.calendar,
            "EARNINGS_AUDIT_TABLE": pair.audit,
        }
    )
    store = CalendarStore(
        pair.clients[0], function_settings, now=lambda: datetime(2025, 7, 31, 20, 5, time, tzinfo=UTC)
    )
    marks = ValidEvent({"asset_symbol": f"{run}-{number}", "earnings_date": DAY}, f"e-{event}", None)
    request = store.transaction(marks, event_record(correlation_id="c", request_id="r"))
    if token:
        request["ClientRequestToken"] = f"{run}-{token}"
    else:
        del request["ClientRequestToken"]
    if not all_old:
        del request["ReturnConsumedCapacity"]
        del request["TransactItems"][0]["Update"]["ReturnValuesOnConditionCheckFailure"]
    return request


def _ends(pair: Pair, run: str, steps: list[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """Both sides' items under every key that the steps name."""
    rows = {step[1] for step in steps if step[0] != "put"}
    entries = {
        (f"{run}-{step[1]}#{DAY}", f"2025-07-31T20:05:0{step[4]}.000000Z#e-{step[2]}")
        for step in steps
        if step[0] == "mark"
    }
    entries |= {(f"{run}#{step[1]}", "0") for step in steps if step[0] == "put"}
    for number in sorted(rows):
        key = {"asset_symbol": {"S": f"{run}-{number}"}, "earnings_date": {"S": DAY}}
        yield pair.both("get_item", TableName=pair.calendar, Key=key, ConsistentRead=True)
    for first, second in sorted(entries):
        key = {"earnings_key": {"S": first}, "entry_id": {"S": second}}
        yield pair.both("get_item", TableName=pair.audit, Key=key, ConsistentRead=True)


def test_one_item_twice_and_a_table_that_is_not_there(pair: Pair) -> None:
    put = {"Put": {"TableName": pair.audit, "Item": {"earnings_key": {"S": "TWICE"}, "entry_id": {"S": "0"}}}}
    for items in ([put, put], [{"Put": {**put["Put"], "TableName": "nowhere-at-all"}}]):
        ours, theirs = pair.both("transact_write_items", TransactItems=items)
        assert ours == theirs


def test_a_scan_gives_every_item_once_in_pages(pair: Pair) -> None:
    ours = pair.clients[0]
    text = "x" * 100_000
    keys = [f"PAGE{number:03d}" for number in range(30)]
    for key in keys:
        ours.put_item(
            TableName=pair.audit, Item={"earnings_key": {"S": key}, "entry_id": {"S": "0"}, "text": {"S": text}}
        )
    pages = list(ours.get_paginator("scan").paginate(TableName=pair.audit))

    found = [item["earnings_key"]["S"] for page in pages for item in page["Items"]]
    assert [key for key in found if key.startswith("PAGE")] == keys
    assert len(pages) > 2


def test_a_token_is_known_for_ten_minutes() -> None:
    """Not beside DynamoDB Local: nobody can turn its clock."""
    now = 0.0

    def put(value: str) -> dict[str, Any]:
        item = {"a": {"S": "1"}, "b": {"S": "1"}, "c": {"S": value}}
        action = {"TableName": "t", "Item": item}
        return tables.transact_write_items({"TransactItems": [{"Put": action}], "ClientRequestToken": "token"})

    with closing(Tables(clock=lambda: now)) as tables:
        tables.create_table({"TableName": "t", "KeySchema": [{"AttributeName": "a"}, {"AttributeName": "b"}]})
        put("first")
        now = TOKEN_SECONDS - 1
        put("first")
        with pytest.raises(TableError, match="other parameters"):
            put("second")
        assert tables.counts == {"committed": 1, "replayed": 1, "refused": 0}
        now = TOKEN_SECONDS + 1
        put("second")
        assert tables.counts["committed"] == 2
