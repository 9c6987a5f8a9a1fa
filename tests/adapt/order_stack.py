"""The tests of the adapted stack; `test_adapt` runs them in its tree."""

import json
import re

from tests.unit.deploy.assembly import template


def test_the_table() -> None:
    (table,) = [table for table in template().all("AWS::DynamoDB::Table") if table["TableName"] == "orders"]

    assert table["KeySchema"] == [{"AttributeName": "order_id", "KeyType": "HASH"}]


def test_the_rule() -> None:
    assert template().one("AWS::Events::Rule")["EventPattern"] == {
        "source": ["shop.fulfilment"],
        "detail-type": ["orderShipped"],
    }


def test_the_variables() -> None:
    function = template().one("AWS::Lambda::Function")
    variables = function["Environment"]["Variables"]

    assert function["FunctionName"] == "ship-orders-prod"
    assert (variables["ORDERS_TABLE"], variables["ORDERS_AUDIT_TABLE"]) == ("orders", "ordersAudit")
    assert variables["EVENT_SOURCE"] == "shop.fulfilment"


def test_nothing_of_the_first_function_is_left() -> None:
    # Logical IDs keep the names of the constructs; the image is a value of this test, and the runbook's URL an example.
    others = r"MarkEarnings\w*|mark-earnings-processed:1\.0\.0|wiki\.example\.com/mark-earnings-processed"
    text = re.sub(others, "", json.dumps(template().document))

    assert re.findall("earnings|asset_symbol|signal9", text, re.IGNORECASE) == []
