"""Each fault of the soak's store, as the function's own client meets it: what it sees, and whether it was done."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from emulator.clients import loopback_client
from handler.aws import call, dynamodb_client
from handler.errors import ErrorCategory, ProcessingError
from handler.settings import load_settings
from tests.soak.fake_aws import fake_aws, fake_aws_client
from tests.soak.faults import FaultRates, Faults

TABLE = "audit"
ITEM = {"earnings_key": {"S": "A#2025-07-31"}, "entry_id": {"S": "0"}}


@pytest.mark.parametrize(
    ("fault", "category", "done"),
    [
        ("throttle", ErrorCategory.THROTTLING, False),
        ("conflict", ErrorCategory.CONFLICT, False),
        ("server_error", ErrorCategory.DYNAMODB, False),
        ("reset", ErrorCategory.NETWORK, False),
        ("lost_reply", ErrorCategory.NETWORK, True),
        ("garbled", ErrorCategory.DYNAMODB, True),
        ("stall", ErrorCategory.NETWORK, True),
    ],
)
def test_a_fault_is_what_it_says(
    fault: str, category: ErrorCategory, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = replace(FaultRates.none(), **{fault: 1.0})
    with (
        fake_aws("http://127.0.0.1:1", rates, 0) as ports,
        closing(loopback_client("dynamodb", ports.url)) as plain,
        fake_aws_client(ports) as own,
    ):
        keys = [("earnings_key", "HASH"), ("entry_id", "RANGE")]
        plain.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", ports.url)
        settings = load_settings(
            {"AWS_REGION": "us-east-1", "DEAD_LETTER_QUEUE_URL": "http://q/1/q", "AWS_READ_TIMEOUT_SECONDS": "1"}
        )
        put: dict[str, Any] = {"Put": {"TableName": TABLE, "Item": ITEM}}
        with closing(dynamodb_client(settings)) as client, pytest.raises(ProcessingError) as failed:
            call("DynamoDB", client.transact_write_items, TransactItems=[put])

        assert failed.value.category is category
        assert ("Item" in plain.get_item(TableName=TABLE, Key=ITEM)) is done
        assert own.call("Soak.Counters")["faults"][fault] == 1


def test_the_same_seed_draws_the_same_faults() -> None:
    rates = FaultRates().times(50)
    draws = [[Faults(rates, seed).draw() for _ in range(1)] for seed in range(200)]
    again = [[Faults(rates, seed).draw() for _ in range(1)] for seed in range(200)]

    assert draws == again
    assert len({drawn for (drawn,) in draws}) > 3
