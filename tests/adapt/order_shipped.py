"""The unit tests of the adapted function; `test_adapt` runs them in its tree."""

from typing import Any

import pytest

from handler import contract
from handler.calendar_store import CalendarStore
from handler.errors import ProcessingError
from handler.event import ValidEvent, parse_event
from tests.support.telemetry import event_record
from tests.unit.handler.harness import HandlerHarness, settings

ORDER: dict[str, Any] = {"orderId": "SO-000123", "shippedAt": "2026-11-26T10:00:00Z"}


def shipped(detail: dict[str, Any]) -> dict[str, Any]:
    return {"id": "e-1", "source": "shop.fulfilment", "detail-type": "orderShipped", "detail": detail}


def test_a_valid_event() -> None:
    expected = ValidEvent({"order_id": "SO-000123"}, "e-1", "2026-11-26T10:00:00.000000Z")

    assert parse_event(shipped(ORDER), source=contract.DEFAULT_SOURCE) == expected


@pytest.mark.parametrize("order_id", [None, "", "123", "so-000123", "SO-000123\n"])
def test_an_invalid_order_id(order_id: str | None) -> None:
    with pytest.raises(ProcessingError) as caught:
        parse_event(shipped({"order_id": order_id}), source=contract.DEFAULT_SOURCE)

    (violation,) = caught.value.violations
    assert (violation.field, violation.rule) == ("detail.order_id", "an order ID such as SO-000123")


def test_the_write(harness: HandlerHarness) -> None:
    store = CalendarStore(harness.dynamodb, settings())
    event = ValidEvent({"order_id": "SO-000123"}, "e-1", None)

    update, entry = store.transaction(event, event_record())["TransactItems"]

    assert (update["Update"]["TableName"], entry["Put"]["TableName"]) == ("orders", "ordersAudit")
    assert update["Update"]["Key"] == {"order_id": {"S": "SO-000123"}}
    assert update["Update"]["ConditionExpression"] == (
        "attribute_exists(order_id) AND (attribute_not_exists(is_shipped) OR is_shipped <> :true)"
    )
    assert entry["Put"]["Item"]["order_key"] == {"S": "SO-000123"}
    assert entry["Put"]["Item"]["action"] == {"S": "mark_shipped"}


def test_telemetry(harness: HandlerHarness) -> None:
    run = harness.invoke(shipped(ORDER))

    assert (run.outcome_line["outcome"], run.outcome_line["order_id"]) == ("marked", "SO-000123")
    assert run.metric_line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "ShipOrders"
    assert run.root["attributes"]["aws.xray.annotations"] == [
        "correlation_id",
        "order_id",
        "outcome",
        "function_version",
    ]
