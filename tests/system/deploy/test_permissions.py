"""Least privilege: every call of a test run is allowed, and nothing else is."""

from collections.abc import Iterator
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
IN_A_TRANSACTION = {"dynamodb:EnclosingOperation": "TransactWriteItems"}

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


@pytest.mark.parametrize("action", ["DeleteItem", "UpdateItem", "BatchWriteItem", "PartiQLDelete", "PartiQLUpdate"])
def test_the_audit_table_is_append_only(action: str, of_the_function: list[dict[str, Any]]) -> None:
    for context in ({}, IN_A_TRANSACTION):
        call = Call(f"dynamodb:{action}", AUDIT, context)

        assert verdicts(of_the_function, [call]) == {str(call): "ImplicitlyDenied"}


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
    Call("sns:ListSubscriptionsByTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:mark-earnings-processed-prod-alarms"),
    Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "MarkEarningsProcessed"}),
    Call("cloudwatch:GetDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mark-earnings-processed-prod-{REGION}"),
    Call("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/an-id"),
    Call("cloudwatch:GetMetricData", "*"),
    Call("cloudwatch:DescribeAlarms", "*"),
    Call("logs:StartQuery", LOG_GROUP),
    Call("logs:StartQuery", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws/spans:*"),
    Call("logs:FilterLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-pre-traffic:*"),
    Call("logs:GetQueryResults", "*"),
    Call("xray:GetTraceSummaries", "*"),
    Call("xray:BatchGetTraces", "*"),
]


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
        f"dynamodb:GetItem on {CALENDAR}",
        f"dynamodb:PutItem on {AUDIT}",
        f"dynamodb:Query on {AUDIT}",
        f"dynamodb:Query on {CALENDAR}",
        f"dynamodb:Query on {INDEX}",
        f"dynamodb:Scan on {CALENDAR}",
        f"events:CancelReplay on {REPLAY}",
        f"events:DescribeArchive on {ARCHIVE}",
        f"events:DescribeReplay on {REPLAY}",
        f"events:ListTargetsByRule on {RULE}",
        f"events:PutEvents on {BUS}",
        *(f"events:StartReplay on {each}" for each in (ARCHIVE, BUS, REPLAY)),
        f"lambda:InvokeFunction on {FUNCTION}:live",
    }
    assert {call.partition(" ")[0] for call in allowed if call.startswith("sqs:")} == {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
    }


def test_operators_on_the_default_bus() -> None:
    policies = [template(event_bus="default").managed_policy("operators")]
    # Its rules have no bus in their ARNs.
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/mark-earnings-processed-prod"
    calls = [
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
