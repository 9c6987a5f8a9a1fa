"""Why DynamoDB throttles: reasons are exported, and nothing else of a response."""

import re
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.classification import CATEGORY_BY_CODE
from handler.errors import ErrorCategory
from otel.record import MAX_REASONS
from otel.tracing.throttling import CANCELLED_FOR, throttling_reasons
from tests.support.strategies import SENTINEL, any_text, json_values
from tests.support.telemetry import event_record

TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
INDEX = f"{TABLE}/index/correlation_id-index"

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/troubleshooting-throttling-diagnostics.html
DOCUMENTED = [
    f"{resource}{operation}{limit}"
    for resource in ("Table", "Index")
    for operation in ("Read", "Write")
    for limit in (
        *("ProvisionedThroughputExceeded", "AccountLimitExceeded", "KeyRangeThroughputExceeded"),
        "MaxOnDemandThroughputExceeded",
    )
]
MAY_LEAVE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}( [A-Za-z0-9_.:/-]{1,640})?\Z")


def reply(*reasons: Any, name: str = "ThrottlingReasons") -> dict[str, Any]:
    return {"Error": {"Code": "ThrottlingException"}, name: list(reasons)}


def cancelled(*codes: str) -> dict[str, Any]:
    error = {"Code": "TransactionCanceledException"}
    return {"Error": error, "CancellationReasons": [{"Code": code, "Message": SENTINEL} for code in codes]}


@pytest.mark.parametrize("name", ["ThrottlingReasons", "throttlingReasons"])
@pytest.mark.parametrize("reason", DOCUMENTED)
def test_every_documented_reason_and_its_resource(name: str, reason: str) -> None:
    resource = INDEX if reason.startswith("Index") else TABLE
    assert throttling_reasons(reply({"reason": reason, "resource": resource}, name=name)) == (f"{reason} {resource}",)


def test_no_error_of_the_model_has_them_elsewhere() -> None:
    model = botocore.session.Session().get_service_model("dynamodb")
    found = {
        member
        for name in model.shape_names
        for member, shape in getattr(model.shape_for(name), "members", {}).items()
        if shape.name == "ThrottlingReasonList"
    }
    assert found == {"ThrottlingReasons", "throttlingReasons"}
    assert not {"ThrottlingReasons", "Reasons"} & set(model.shape_for("CancellationReason").members)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:dynamodb:us-east-1:111122223333:table/a-b_c.D9",
        "arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/t/index/i",
        "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/t",
        f"arn:aws:dynamodb:eu-central-1:111122223333:table/{'t' * 255}/index/{'i' * 255}",
    ],
)
def test_arns_of_every_partition(resource: str) -> None:
    assert throttling_reasons(reply({"reason": "R", "resource": resource})) == (f"R {resource}",)


@pytest.mark.parametrize(
    "resource",
    [
        *(None, "", 5, [TABLE], {"arn": TABLE}, SENTINEL, "s3ntinel", f"{TABLE}\n", f"{TABLE} x", f"\x1b{TABLE}"),
        *(TABLE.replace("dynamodb", "sqs"), f"{TABLE}/stream/x", f"{TABLE};x", f"{TABLE}<b>", f"{TABLE}é"),
        f"arn:aws:dynamodb:us-east-1:111122223333:table/{'t' * 256}",
    ],
)
def test_an_invalid_resource_is_dropped(resource: Any) -> None:
    assert throttling_reasons(reply({"reason": "R", "resource": resource})) == ("R",)


@pytest.mark.parametrize("reason", [None, "", 5, [], {}, SENTINEL, "A B", "A\n", "\x1bA", "1A", "A-B", "x" * 65, "é"])
def test_an_invalid_reason_is_dropped_with_its_resource(reason: Any) -> None:
    assert throttling_reasons(reply({"reason": reason, "resource": TABLE})) == ()


def test_distinct_reasons_up_to_the_limit() -> None:
    reasons = [{"reason": f"R{number // 2}", "resource": TABLE} for number in range(100)]
    assert throttling_reasons(reply(*reasons)) == tuple(f"R{number} {TABLE}" for number in range(MAX_REASONS))


class TestCancellations:
    """Transactions that were cancelled because an item was throttled."""

    def test_the_reason_names_the_items_table(self) -> None:
        found = throttling_reasons(cancelled("ThrottlingError", "ProvisionedThroughputExceeded"), ["calendar", "audit"])
        assert found == ("ThrottlingError calendar", "ProvisionedThroughputExceeded audit")
        assert throttling_reasons(cancelled("None", "ThrottlingError"), ["calendar", "audit"]) == (
            "ThrottlingError audit",
        )

    @pytest.mark.parametrize("tables", [[], ["calendar"], ["a", "b", "c"]])
    def test_no_table_unless_each_item_has_one(self, tables: list[str]) -> None:
        assert throttling_reasons(cancelled("None", "ThrottlingError"), tables) == ("ThrottlingError",)

    @pytest.mark.parametrize("code", sorted({*CATEGORY_BY_CODE, "None", "ConditionalCheckFailed"} - CANCELLED_FOR))
    def test_no_other_reason_is_throttling(self, code: str) -> None:
        assert throttling_reasons(cancelled(code, code), ["calendar", "audit"]) == ()

    def test_the_classification_agrees(self) -> None:
        assert {CATEGORY_BY_CODE[code] for code in CANCELLED_FOR} == {ErrorCategory.THROTTLING}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "ThrottlingReasons": json_values | st.lists(st.fixed_dictionaries({"reason": json_values})),
            "throttlingReasons": json_values
            | st.lists(st.fixed_dictionaries({"reason": any_text, "resource": json_values})),
            "CancellationReasons": json_values | st.lists(st.fixed_dictionaries({"Code": json_values}) | st.none()),
        },
    ),
    st.lists(st.just("table"), max_size=3),
)
def test_only_reasons_of_any_response(anything: dict[str, Any], tables: list[str]) -> None:
    found = throttling_reasons(anything, tables)
    assert len(found) <= MAX_REASONS
    assert all(MAY_LEAVE.match(reason) for reason in found)


def test_a_record_has_distinct_reasons_up_to_the_limit() -> None:
    record = event_record()
    seen = []
    for reasons in ((), ("B", "A"), (), ("A", "C"), tuple(str(number) for number in range(100))):
        record.attempt_failed(0.1, "throttling", "ThrottlingException", reasons)
        seen.append(record.throttling_reasons)
    assert seen == [(), ("B", "A"), ("B", "A"), ("B", "A", "C"), ("B", "A", "C", "0", "1")]
    assert len(seen[-1]) == MAX_REASONS
