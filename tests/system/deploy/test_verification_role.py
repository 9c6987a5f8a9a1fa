"""The role of `mep verify` allows every call of a round trip, on the reserved rows, and nothing else."""

from typing import Any

import pytest

from tests.support.verify_calls import OPERATIONS
from tests.system.deploy.simulator import Call, allowed_of_everything, verdicts
from tests.system.deploy.test_permissions import AUDIT, BUS, CALENDAR, FUNCTION, INDEX, LOG_GROUP, QUEUE, RULE, STACK
from tests.unit.deploy.assembly import ACCOUNT, REGION, Template, template

ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:mark-earnings-processed-prod"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:mark-earnings-processed-prod-ticket"
ROW: dict[str, str | list[str]] = {"dynamodb:LeadingKeys": ["MEP-VERIFY"]}
ENTRIES: dict[str, str | list[str]] = {"dynamodb:LeadingKeys": ["MEP-VERIFY#2000-01-02"]}
EVENT: dict[str, str | list[str]] = {
    "events:source": ["signal9.advisor"],
    "events:detail-type": ["earningsProcessed"],
}

CALLS: dict[tuple[str, str], list[Call]] = {
    ("cloudwatch", "DescribeAlarmHistory"): [Call("cloudwatch:DescribeAlarmHistory", "*")],
    ("cloudwatch", "DescribeAlarms"): [Call("cloudwatch:DescribeAlarms", "*")],
    ("cloudwatch", "GetMetricData"): [Call("cloudwatch:GetMetricData", "*")],
    ("cloudwatch", "SetAlarmState"): [Call("cloudwatch:SetAlarmState", f"{ALARM}-dlq-age")],
    ("dynamodb", "GetItem"): [Call("dynamodb:GetItem", CALENDAR, ROW)],
    ("dynamodb", "PutItem"): [Call("dynamodb:PutItem", AUDIT, ENTRIES)],
    ("dynamodb", "Query"): [Call("dynamodb:Query", AUDIT, ENTRIES)],
    ("dynamodb", "TransactWriteItems"): [
        Call("dynamodb:PutItem", CALENDAR, ROW),
        Call("dynamodb:DeleteItem", CALENDAR, ROW),
        Call("dynamodb:PutItem", AUDIT, ENTRIES),
        Call("dynamodb:PutItem", AUDIT, {"dynamodb:LeadingKeys": ["MEP-VERIFY#2000-01-01"]}),
    ],
    ("events", "ListRules"): [Call("events:ListRules", "*")],
    ("events", "ListTargetsByRule"): [Call("events:ListTargetsByRule", RULE)],
    ("events", "PutEvents"): [Call("events:PutEvents", BUS, EVENT)],
    ("events", "TestEventPattern"): [Call("events:TestEventPattern", "*")],
    ("lambda", "Invoke"): [Call("lambda:InvokeFunction", f"{FUNCTION}:live")],
    ("logs", "GetQueryResults"): [Call("logs:GetQueryResults", "*")],
    ("logs", "StartQuery"): [
        Call("logs:StartQuery", LOG_GROUP),
        Call("logs:StartQuery", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws/spans:*"),
    ],
    ("sns", "ListSubscriptionsByTopic"): [Call("sns:ListSubscriptionsByTopic", TOPIC)],
    ("sqs", "DeleteMessage"): [Call("sqs:DeleteMessage", QUEUE)],
    ("sqs", "GetQueueAttributes"): [Call("sqs:GetQueueAttributes", QUEUE)],
    ("sqs", "GetQueueUrl"): [Call("sqs:GetQueueUrl", QUEUE)],
    ("sqs", "ReceiveMessage"): [Call("sqs:ReceiveMessage", QUEUE), Call("sqs:ChangeMessageVisibility", QUEUE)],
    ("xray", "BatchGetTraces"): [Call("xray:BatchGetTraces", "*")],
    ("xray", "GetTraceSummaries"): [Call("xray:GetTraceSummaries", "*")],
}
"""The operations as IAM calls; messages that are received are released, too."""


def roles(made: Template) -> list[dict[str, Any]]:
    """Return the roles that principals of the account can assume."""
    return [
        role
        for role in made.all("AWS::IAM::Role")
        if "AWS" in role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    ]


@pytest.fixture(scope="module")
def of_the_role() -> list[dict[str, Any]]:
    (role,) = roles(template())
    assert "ManagedPolicyArns" not in role
    return [policy["PolicyDocument"] for policy in role["Policies"]]


def test_only_this_account_can_assume_it() -> None:
    (role,) = roles(template())

    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert str(statement["Principal"]["AWS"]).endswith(f":iam::{ACCOUNT}:root")


def test_every_call_of_a_round_trip_is_allowed(of_the_role: list[dict[str, Any]]) -> None:
    assert CALLS.keys() == {(service, each) for service, operations in OPERATIONS.items() for each in operations}
    asked = Call("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/an-id")

    simulated = verdicts(of_the_role, [asked, *(call for calls in CALLS.values() for call in calls)])

    assert {call: verdict for call, verdict in simulated.items() if verdict != "Allowed"} == {}


def test_nothing_else_is_allowed(of_the_role: list[dict[str, Any]]) -> None:
    services = ["cloudwatch", "dynamodb", "events", "lambda", "sns", "sqs"]
    resources = [CALENDAR, AUDIT, INDEX, QUEUE, BUS, RULE, FUNCTION, f"{FUNCTION}:live", TOPIC, f"{ALARM}-dlq-age"]
    needed = {f"{call.action} on {call.resource}" for calls in CALLS.values() for call in calls}

    allowed = allowed_of_everything(of_the_role, services, resources, {**ROW, **EVENT})
    allowed |= allowed_of_everything(of_the_role, services, resources, {**ENTRIES, **EVENT})

    lists = {call.action for calls in CALLS.values() for call in calls if call.resource == "*"}
    found = {call.partition(" through")[0] for call in allowed}
    assert {call for call in found if call.partition(" on ")[0] not in lists} <= needed


@pytest.mark.parametrize(
    "call",
    [
        Call("cloudwatch:SetAlarmState", f"{ALARM}-security"),
        Call("dynamodb:GetItem", CALENDAR, {"dynamodb:LeadingKeys": ["AAPL"]}),
        Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": ["AAPL"]}),
        Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": ["AAPL", "MEP-VERIFY"]}),
        Call("dynamodb:DeleteItem", CALENDAR),
        Call("dynamodb:DeleteItem", AUDIT, ENTRIES),
        Call("dynamodb:Query", AUDIT, {"dynamodb:LeadingKeys": ["AAPL#2026-01-01"]}),
        Call("dynamodb:Scan", CALENDAR, ROW),
        Call("events:PutEvents", BUS, {**EVENT, "events:source": ["another"]}),
        Call("events:PutEvents", BUS, {**EVENT, "events:detail-type": ["another"]}),
        Call("events:PutEvents", BUS),
        Call("lambda:InvokeFunction", FUNCTION),
    ],
    ids=str,
)
def test_other_rows_events_and_alarms_are_denied(of_the_role: list[dict[str, Any]], call: Call) -> None:
    assert set(verdicts(of_the_role, [call]).values()) == {"ImplicitlyDenied"}


def test_on_the_default_bus() -> None:
    (role,) = roles(template(event_bus="default"))
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/mark-earnings-processed-prod"
    calls = [
        Call("events:ListTargetsByRule", rule),
        Call("events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", EVENT),
    ]

    assert set(verdicts([role["Policies"][0]["PolicyDocument"]], calls).values()) == {"Allowed"}
