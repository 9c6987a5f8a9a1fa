"""Least privilege: every call of a test run is allowed, and nothing else is."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from emulator.faults import FaultProxy, throttled
from tests.support.harness import function_environ, function_harness, shortest_delay
from tests.support.stores import DeadLetters, Tables
from tests.system.deploy.simulator import Call, allowed_of_everything, verdicts
from tests.unit.deploy.assembly import ACCOUNT, REGION, Template, template

CALENDAR = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/earningsCalendar"
AUDIT = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/earningsAudit"
INDEX = f"{AUDIT}/index/correlation_id-index"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:mark-earnings-processed-prod-dead-letters"
STREAM = (
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/mark-earnings-processed-prod:log-stream:2026/01/01/[1]a"
)
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/mark-earnings-processed-prod:*"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/earnings-prod"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/earnings-prod/mark-earnings-processed-prod"
ARCHIVE = f"arn:aws:events:{REGION}:{ACCOUNT}:archive/mark-earnings-processed-prod"
REPLAY = f"arn:aws:events:{REGION}:{ACCOUNT}:replay/mark-earnings-processed-prod-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:mark-earnings-processed-prod"
STACK = "mark-earnings-processed-prod"
IN_A_TRANSACTION: Mapping[str, str | list[str]] = {"dynamodb:EnclosingOperation": "TransactWriteItems"}

MARK_IN_A_TRANSACTION: Mapping[str, str | list[str]] = {
    **IN_A_TRANSACTION,
    "dynamodb:Attributes": ["asset_symbol", "earnings_date", "is_processed"],
}

# DynamoDB checks a transaction as these: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
MEMBERS = {
    "Update": "dynamodb:UpdateItem",
    "Put": "dynamodb:PutItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}

# Lambda's calls with the function's role: the log, its segments, and the daemon that sends the function's spans.
OF_THE_PLATFORM = [
    Call("logs:CreateLogStream", STREAM),
    Call("logs:PutLogEvents", STREAM),
    Call("xray:PutTraceSegments", "*"),
    Call("xray:PutTelemetryRecords", "*"),
]


def role_policies(made: Template, service: str) -> list[dict[str, Any]]:
    """Return the policies of the role that a service assumes."""
    (role,) = [
        role
        for role in made.all("AWS::IAM::Role")
        if role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": service}
    ]
    return [policy["PolicyDocument"] for policy in role["Policies"]]


@pytest.fixture(scope="module")
def of_the_function() -> list[dict[str, Any]]:
    made = template()
    assert not made.ids("AWS::IAM::Policy"), "a policy is added outside of deploy/stack/permissions.py"
    (role,) = [name for name in made.ids("AWS::IAM::Role") if name.startswith("MarkEarnings")]
    assert "ManagedPolicyArns" not in made.resources[role]["Properties"]
    return role_policies(made, "lambda.amazonaws.com")


@pytest.fixture(scope="module")
def of_operators() -> list[dict[str, Any]]:
    return [template().managed_policy("operators")]


@pytest.fixture(scope="module")
def of_responders() -> list[dict[str, Any]]:
    """Of the responders' policy alone, without that of operators."""
    return [template().managed_policy("responders")]


def iam_calls(proxy: FaultProxy, arns: dict[str, str]) -> Iterator[Call]:
    """Yield the requests of a proxy as IAM calls."""
    for recorded in proxy.requests:
        request = recorded.request
        if request.operation == "TransactWriteItems":
            for item in request.json["TransactItems"]:
                ((member, details),) = item.items()
                yield Call(MEMBERS[member], arns[details["TableName"]], IN_A_TRANSACTION)
        else:
            service = "sqs" if request.headers["x-amz-target"].startswith("AmazonSQS.") else "dynamodb"
            yield Call(f"{service}:{request.operation}", arns[request.json["QueueUrl"]])


@pytest.fixture
def recorded(tables: Tables, dead_letters: DeadLetters) -> list[Call]:
    """Return the calls of a run with every outcome: marked, duplicate, retried, dead-lettered for both reasons."""
    detail = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
    event = {"id": "e", "source": "signal9.advisor", "detail-type": "earningsProcessed", "detail": detail}
    tables.put_row("AAPL", "2025-07-31")
    with (
        FaultProxy(tables.url, throttled(), operation="TransactWriteItems") as dynamodb,
        FaultProxy(dead_letters.url) as sqs,
        function_harness(
            function_environ(
                tables, dead_letters, AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url, AWS_ENDPOINT_URL_SQS=sqs.url
            ),
            jitter=shortest_delay,
        ) as invoke,
    ):
        outcomes = [
            invoke(each).outcome_line["outcome"]
            for each in (event, event, {**event, "detail": {**detail, "earnings_date": "2025-08-01"}}, {})
        ]
        assert outcomes == ["marked", "duplicate", "dead_lettered", "dead_lettered"]
        arns = {tables.calendar_table: CALENDAR, tables.audit_table: AUDIT, dead_letters.queue_url: QUEUE}
        return [*iam_calls(dynamodb, arns), *iam_calls(sqs, arns)]


def test_calls_of_the_function_are_allowed(recorded: list[Call], of_the_function: list[dict[str, Any]]) -> None:
    simulated = verdicts(of_the_function, [*recorded, *OF_THE_PLATFORM])

    assert set(simulated.values()) == {"Allowed"}, simulated


def test_the_function_may_do_nothing_else(recorded: list[Call], of_the_function: list[dict[str, Any]]) -> None:
    made = {str(call) for call in recorded}
    services = ["dynamodb", "sqs"]

    assert allowed_of_everything(of_the_function, services, [CALENDAR, AUDIT, INDEX], IN_A_TRANSACTION) == {
        call for call in made if call.startswith("dynamodb:")
    }
    assert allowed_of_everything(of_the_function, services, [CALENDAR, AUDIT, INDEX, QUEUE]) == {
        call for call in made if call.startswith("sqs:")
    }


def test_the_function_may_not_use_other_resources(of_the_function: list[dict[str, Any]]) -> None:
    others = [
        *(f"{arn}-other" for arn in (CALENDAR, AUDIT, QUEUE, BUS, FUNCTION)),
        STREAM.replace("-prod:", "-staging:"),
        CALENDAR.replace(REGION, "eu-west-1"),
        AUDIT.replace(ACCOUNT, "999999999999"),
    ]

    services = ["dynamodb", "sqs", "logs", "events", "lambda"]

    assert allowed_of_everything(of_the_function, services, others, IN_A_TRANSACTION) == set()


def test_the_function_writes_its_own_logs_and_traces_only(of_the_function: list[dict[str, Any]]) -> None:
    allowed = allowed_of_everything(of_the_function, ["logs", "xray"], ["*", STREAM, LOG_GROUP])

    assert {call.partition(" ")[0] for call in allowed} == {call.action for call in OF_THE_PLATFORM}


def test_application_signals(of_the_function: list[dict[str, Any]]) -> None:
    """As CloudWatchLambdaApplicationSignalsExecutionRolePolicy, beside the traces, which every role may send."""
    data = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/application-signals/data"
    others = [f"{data}-other:*", data.replace(REGION, "eu-west-1"), LOG_GROUP]
    actions = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    policies = role_policies(template(application_signals="on"), "lambda.amazonaws.com")

    added = allowed_of_everything(policies, ["logs"], [f"{data}:*", f"{data}:log-stream:a", *others])
    added -= allowed_of_everything(of_the_function, ["logs"], [LOG_GROUP])

    assert {call.partition(" ")[0] for call in added} == actions
    assert {call.partition(" on ")[2].removeprefix(data) for call in added} <= {":*", ":log-stream:a"}
    assert allowed_of_everything(of_the_function, ["logs"], [f"{data}:*"]) == set()


OTHER_WRITES = ["DeleteItem", "UpdateItem", "BatchWriteItem", "PartiQLDelete", "PartiQLInsert", "PartiQLUpdate"]


def test_nobody_may_delete_or_update_an_audit_entry(
    of_the_function: list[dict[str, Any]], of_operators: list[dict[str, Any]], of_responders: list[dict[str, Any]]
) -> None:
    """What IAM enforces of the append-only table."""
    contexts: tuple[Mapping[str, str | list[str]], ...] = ({}, IN_A_TRANSACTION, MARK_IN_A_TRANSACTION)
    calls = [Call(f"dynamodb:{action}", AUDIT, context) for action, context in product(OTHER_WRITES, contexts)]

    for policies in (of_the_function, [*of_operators, *of_responders]):
        assert set(verdicts(policies, calls).values()) == {"ImplicitlyDenied"}


def test_iam_does_not_prevent_a_put_that_replaces_an_audit_entry(
    of_the_function: list[dict[str, Any]], of_operators: list[dict[str, Any]]
) -> None:
    """IAM knows no put without its condition: the code has the condition, and the table point-in-time recovery."""
    put, in_a_transaction = Call("dynamodb:PutItem", AUDIT), Call("dynamodb:PutItem", AUDIT, IN_A_TRANSACTION)

    assert verdicts(of_operators, [put]) == {str(put): "Allowed"}
    assert verdicts(of_the_function, [in_a_transaction]) == {str(in_a_transaction): "Allowed"}
    assert verdicts(of_the_function, [put]) == {str(put): "ImplicitlyDenied"}
    tables = {table["TableName"]: table for table in template().all("AWS::DynamoDB::Table")}
    assert tables["earningsAudit"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_writes_outside_of_a_transaction_are_denied(of_the_function: list[dict[str, Any]]) -> None:
    calls = [Call("dynamodb:PutItem", AUDIT), Call("dynamodb:UpdateItem", CALENDAR)]

    assert set(verdicts(of_the_function, calls).values()) == {"ImplicitlyDenied"}


HOOK = f"{FUNCTION}-pre-traffic"
HOOK_STREAM = STREAM.replace("-prod:", "-prod-pre-traffic:")
DEPLOYMENT_GROUP = f"arn:aws:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:{STACK}/{STACK}"
CALENDAR_ROW = {"dynamodb:LeadingKeys": "MEP-VERIFY"}
AUDIT_ROW = {"dynamodb:LeadingKeys": "MEP-VERIFY#2000-01-01"}
OF_THE_HOOK = [
    Call("codedeploy:GetDeployment", DEPLOYMENT_GROUP),
    Call("dynamodb:GetItem", CALENDAR, CALENDAR_ROW),
    Call("dynamodb:PutItem", CALENDAR, {**CALENDAR_ROW, **IN_A_TRANSACTION}),
    Call("dynamodb:PutItem", AUDIT, {**AUDIT_ROW, **IN_A_TRANSACTION}),
    Call("lambda:InvokeFunction", f"{FUNCTION}:7"),
    Call("logs:CreateLogStream", HOOK_STREAM),
    Call("logs:PutLogEvents", HOOK_STREAM),
]


@pytest.fixture(scope="module")
def of_the_hook() -> list[dict[str, Any]]:
    role = template().hook("AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    return [policy["PolicyDocument"] for policy in role["Policies"]]


def test_calls_of_the_hook_are_allowed(of_the_hook: list[dict[str, Any]]) -> None:
    """Those that tests/integration/deploy/test_pre_traffic.py sees it make."""
    simulated = verdicts(of_the_hook, OF_THE_HOOK)

    assert {call: verdict for call, verdict in simulated.items() if verdict != "Allowed"} == {}


def test_the_hook_reports_for_its_deployment_group(of_the_hook: list[dict[str, Any]]) -> None:
    """With the ARN of AWS's own examples. The simulator does not know the action with a resource.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
    """
    (statement,) = [each for each in of_the_hook[0]["Statement"] if each["Sid"] == "Report"]

    assert statement["Action"] == ["codedeploy:GetDeployment", "codedeploy:PutLifecycleEventHookExecutionStatus"]
    assert statement["Resource"] == DEPLOYMENT_GROUP


def test_the_hook_may_do_nothing_else(of_the_hook: list[dict[str, Any]]) -> None:
    services = ["codedeploy", "dynamodb", "lambda", "logs", "sqs", "events", "xray"]
    others = [*(f"{arn}-other" for arn in (CALENDAR, AUDIT, DEPLOYMENT_GROUP)), FUNCTION, f"{FUNCTION}-other:7", HOOK]
    resources = [CALENDAR, AUDIT, INDEX, QUEUE, BUS, DEPLOYMENT_GROUP, f"{FUNCTION}:7", HOOK_STREAM, STREAM, *others]

    for row, others_row in ((CALENDAR_ROW, AUDIT_ROW), (AUDIT_ROW, CALENDAR_ROW)):
        context = {**row, **IN_A_TRANSACTION}
        allowed = allowed_of_everything(of_the_hook, services, resources, context)

        expected = [call for call in OF_THE_HOOK if not others_row.items() <= call.context.items()]
        assert allowed == {str(Call(call.action, call.resource, context)) for call in expected}


def test_the_hook_writes_the_reserved_row_only_and_in_a_transaction(of_the_hook: list[dict[str, Any]]) -> None:
    calls = [
        Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": "AAPL", **IN_A_TRANSACTION}),
        Call("dynamodb:PutItem", AUDIT, {"dynamodb:LeadingKeys": "AAPL#2026-01-01", **IN_A_TRANSACTION}),
        Call("dynamodb:PutItem", CALENDAR, CALENDAR_ROW),
        Call("dynamodb:PutItem", AUDIT, AUDIT_ROW),
        Call("dynamodb:PutItem", CALENDAR, IN_A_TRANSACTION),
        Call("dynamodb:GetItem", CALENDAR, {"dynamodb:LeadingKeys": "AAPL"}),
        Call("dynamodb:GetItem", CALENDAR),
    ]

    assert set(verdicts(of_the_hook, calls).values()) == {"ImplicitlyDenied"}


def test_codedeploy_may_invoke_the_hook_only() -> None:
    """Besides what AWS's policy allows, which the simulator does not know."""
    policies = role_policies(template(), "codedeploy.amazonaws.com")

    allowed = allowed_of_everything(policies, ["lambda", "dynamodb"], [HOOK, f"{HOOK}:1", FUNCTION, f"{FUNCTION}:7"])
    assert allowed == {f"lambda:InvokeFunction on {HOOK}"}


# The calls of `mep dlq`, `mep trace`, `mep calendar`, `mep invoke` and of the console.
NEEDED_BY_OPERATORS = [
    Call("sqs:ReceiveMessage", QUEUE),
    Call("sqs:ChangeMessageVisibility", QUEUE),
    Call("sqs:DeleteMessage", QUEUE),
    Call("sqs:GetQueueAttributes", QUEUE),
    Call("events:PutEvents", BUS),
    Call("events:ListRules", "*"),
    Call("events:DescribeEventBus", BUS),
    Call("events:ListTargetsByRule", RULE),
    Call("events:TestEventPattern", "*"),
    Call("events:ListArchives", "*"),
    Call("events:DescribeArchive", ARCHIVE),
    *(Call("events:StartReplay", each) for each in (ARCHIVE, BUS, REPLAY)),
    Call("events:DescribeReplay", REPLAY),
    Call("events:CancelReplay", REPLAY),
    Call("lambda:InvokeFunction", f"{FUNCTION}:live"),
    Call("dynamodb:PutItem", AUDIT),
    Call("dynamodb:Query", INDEX),
    Call("dynamodb:GetItem", CALENDAR),
    Call("dynamodb:Query", AUDIT),
    Call("dynamodb:Query", CALENDAR),
    Call("dynamodb:Scan", CALENDAR),
    Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": "MEP-VERIFY"}),
    Call("sns:ListSubscriptionsByTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:mark-earnings-processed-prod-page"),
    Call("sns:ListSubscriptionsByTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:mark-earnings-processed-prod-ticket"),
    Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "MarkEarningsProcessed"}),
    Call("cloudwatch:GetDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mark-earnings-processed-prod-{REGION}"),
    Call("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/an-id"),
    Call("cloudwatch:GetMetricData", "*"),
    Call("cloudwatch:DescribeAlarms", "*"),
    Call("logs:StartQuery", LOG_GROUP),
    Call("logs:StartQuery", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws/spans:*"),
    Call(
        "logs:StartQuery",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/events/event-bus/earnings-prod:*",
    ),
    Call("logs:FilterLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-pre-traffic:*"),
    Call("logs:GetQueryResults", "*"),
    Call("xray:GetTraceSummaries", "*"),
    Call("xray:BatchGetTraces", "*"),
]


READS_OF_THE_FUNCTION = {
    *("GetAlias", "GetFunctionConcurrency", "GetFunctionConfiguration", "GetFunctionEventInvokeConfig", "GetPolicy"),
    *("ListAliases", "ListVersionsByFunction"),
}


def test_calls_of_operators_are_allowed(of_operators: list[dict[str, Any]]) -> None:
    simulated = verdicts(of_operators, NEEDED_BY_OPERATORS)

    assert {call: verdict for call, verdict in simulated.items() if verdict != "Allowed"} == {}


def test_operators_may_do_nothing_else(
    of_operators: list[dict[str, Any]],
) -> None:
    services = ["dynamodb", "sqs", "events", "lambda"]
    resources = [CALENDAR, AUDIT, INDEX, QUEUE, BUS, RULE, ARCHIVE, REPLAY, FUNCTION, f"{FUNCTION}:live", "*"]

    allowed = allowed_of_everything(of_operators, services, [each for each in resources if each != "*"])

    assert {call for call in allowed if not call.startswith("sqs:")} == {
        *(f"dynamodb:DescribeContinuousBackups on {each}" for each in (CALENDAR, AUDIT)),
        *(f"dynamodb:DescribeTable on {each}" for each in (CALENDAR, AUDIT)),
        f"dynamodb:GetItem on {CALENDAR}",
        f"dynamodb:PutItem on {AUDIT}",
        f"dynamodb:Query on {AUDIT}",
        f"dynamodb:Query on {CALENDAR}",
        f"dynamodb:Query on {INDEX}",
        f"dynamodb:Scan on {CALENDAR}",
        f"events:CancelReplay on {REPLAY}",
        f"events:DescribeArchive on {ARCHIVE}",
        f"events:DescribeEventBus on {BUS}",
        f"events:DescribeReplay on {REPLAY}",
        f"events:DescribeRule on {RULE}",
        f"events:ListTargetsByRule on {RULE}",
        f"events:PutEvents on {BUS}",
        *(f"events:StartReplay on {each}" for each in (ARCHIVE, BUS, REPLAY)),
        f"lambda:InvokeFunction on {FUNCTION}:live",
        *(
            f"lambda:{action} on {arn}"
            for action, arn in product(READS_OF_THE_FUNCTION, (FUNCTION, f"{FUNCTION}:live"))
        ),
    }
    assert {call.partition(" ")[0] for call in allowed if call.startswith("sqs:")} == {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
    }


def test_operators_on_the_default_bus() -> None:
    made = template(event_bus="default")
    policies = [made.managed_policy(name) for name in ("operators", "responders")]
    # Its rules have no bus in their ARNs.
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/mark-earnings-processed-prod"
    calls = [
        Call("events:DescribeRule", rule),
        Call("events:DisableRule", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{made.one('AWS::Events::Rule')['Name']}"),
        Call("events:ListTargetsByRule", rule),
        Call("events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"),
    ]

    assert set(verdicts(policies, calls).values()) == {"Allowed"}


def test_operators_put_no_row_but_the_reserved_one(of_operators: list[dict[str, Any]]) -> None:
    calls = [Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": "AAPL"}), Call("dynamodb:PutItem", CALENDAR)]

    assert set(verdicts(of_operators, calls).values()) == {"ImplicitlyDenied"}


def test_operators_write_to_one_metric_namespace(of_operators: list[dict[str, Any]]) -> None:
    call = Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Billing"})

    assert verdicts(of_operators, [call]) == {str(call): "ImplicitlyDenied"}


NEEDED_BY_RESPONDERS = [
    Call("lambda:UpdateAlias", FUNCTION),
    Call("lambda:PutFunctionConcurrency", FUNCTION),
    Call("lambda:DeleteFunctionConcurrency", FUNCTION),
    Call("codedeploy:StopDeployment", "*"),
    Call("events:DisableRule", RULE),
    Call("events:EnableRule", RULE),
    Call("dynamodb:UpdateItem", CALENDAR, MARK_IN_A_TRANSACTION),
]


def test_responders_may_do_what_they_need_and_nothing_else(of_responders: list[dict[str, Any]]) -> None:
    services = ["cloudformation", "codedeploy", "dynamodb", "events", "iam", "lambda", "logs", "sns", "sqs"]
    resources = [CALENDAR, AUDIT, INDEX, QUEUE, BUS, RULE, ARCHIVE, REPLAY, FUNCTION, f"{FUNCTION}:live", LOG_GROUP]
    resources += [f"{arn}-other" for arn in (CALENDAR, FUNCTION, RULE)]

    simulated = verdicts(of_responders, NEEDED_BY_RESPONDERS)
    allowed = allowed_of_everything(of_responders, services, resources)
    allowed |= allowed_of_everything(of_responders, ["dynamodb"], resources, MARK_IN_A_TRANSACTION)

    assert set(simulated.values()) == {"Allowed"}, simulated
    assert allowed == {call for call in simulated if not call.endswith(" on *")}


def test_responders_change_no_other_attribute_of_a_row(of_responders: list[dict[str, Any]]) -> None:
    calls = [
        Call("dynamodb:UpdateItem", CALENDAR, {**IN_A_TRANSACTION, "dynamodb:Attributes": attributes})
        for attributes in (["estimated_eps"], ["is_processed", "last_sync_timestamp"])
    ]
    calls += [
        Call("dynamodb:UpdateItem", CALENDAR, IN_A_TRANSACTION),
        Call("dynamodb:UpdateItem", CALENDAR, {"dynamodb:Attributes": ["is_processed"]}),
    ]

    assert set(verdicts(of_responders, calls).values()) == {"ImplicitlyDenied"}


@pytest.mark.parametrize(("environment", "verdict"), [("prod", "ImplicitlyDenied"), ("staging", "Allowed")])
def test_alarms_are_rehearsed_outside_of_prod(environment: str, verdict: str) -> None:
    name = f"mark-earnings-processed-{environment}-security"
    call = Call("cloudwatch:SetAlarmState", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")

    assert verdicts([template(environment).managed_policy("responders")], [call]) == {str(call): verdict}


@pytest.mark.parametrize("name", ["operators", "producers", "responders"])
def test_the_size_of_a_managed_policy(name: str) -> None:
    """At most 6,144 characters without white space, also with the longest names and ARNs."""
    made = template("staging", prefix=f"a{'b' * 32}").managed_policy(name)

    document = json.dumps(made).replace("arn:aws:", "arn:aws-us-gov:").replace(REGION, "ap-southeast-2")

    assert len(re.sub(r"\s", "", document)) <= 6144
