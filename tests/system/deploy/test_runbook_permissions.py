"""Every command of runbook, procedures and rollback is allowed by the policy that the page names for it."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from emulator.environment import PROJECT_ROOT
from tests.support.aws_cli import CliCommand, parse, texts
from tests.system.deploy.simulator import Call, verdicts
from tests.system.deploy.test_permissions import (
    ARCHIVE,
    AUDIT,
    BUS,
    CALENDAR,
    FUNCTION,
    INDEX,
    LOG_GROUP,
    MARK_IN_A_TRANSACTION,
    QUEUE,
    REPLAY,
    RULE,
    STACK,
)
from tests.unit.deploy.assembly import ACCOUNT, REGION, template

POLICIES = {"Operators": ("operators",), "Responders": ("operators", "responders")}
STACK_ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/an-id"
GROUP = f"arn:aws:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:{STACK}/{STACK}"
TABLES = {"earningsCalendar": CALENDAR, "earningsAudit": AUDIT}
SPANS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws/spans:*"

OF_ALL_RULES = {"events:DescribeRule", "events:ListTargetsByRule"}
"""Allowed for every rule of the bus: a redrive asks which of them match."""

Resources = Callable[[Mapping[str, Any]], list[str]]
_WITHOUT = {
    *("LookupEvents", "GetAccountSettings", "StopDeployment", "GetQueryResults", "DescribeAlarms"),
    *("DescribeAlarmHistory", "ListRules"),
}
"""Operations without resource-level permissions."""
_ACTIONS = {"Invoke": "InvokeFunction"}
_RESOURCES: Mapping[str, Resources] = {
    "dynamodb": lambda given: [TABLES[given["TableName"]]],
    "lambda": lambda given: [FUNCTION + "".join(re.findall(":live$", given["FunctionName"]))],
    "cloudformation": lambda _: [STACK_ARN],
    "codedeploy": lambda _: [GROUP],
    "events": lambda given: [ARCHIVE, BUS, REPLAY] if "EventSourceArn" in given else [REPLAY],
    "sqs": lambda _: [QUEUE],
    "logs": lambda given: [LOG_GROUP.replace(f"/aws/lambda/{STACK}", given["logGroupName"])],
}
"""What IAM authorises a call on, by botocore's name of the service."""

_READ_QUEUE = [
    *(Call(f"sqs:{action}", QUEUE) for action in ("ReceiveMessage", "ChangeMessageVisibility", "GetQueueAttributes")),
    Call("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "MarkEarningsProcessed"}),
]
_END_MESSAGE = [Call("sqs:DeleteMessage", QUEUE), Call("dynamodb:PutItem", AUDIT)]
_STATE = [Call("cloudformation:DescribeStacks", STACK_ARN)]
MEP: Mapping[str, list[Call]] = {
    "trace": [
        *(Call("logs:StartQuery", group) for group in (LOG_GROUP, SPANS)),
        Call("logs:GetQueryResults", "*"),
        *(Call(f"xray:{action}", "*") for action in ("GetTraceSummaries", "BatchGetTraces")),
        *(Call("dynamodb:Query", table) for table in (AUDIT, INDEX, CALENDAR)),
        Call("dynamodb:GetItem", CALENDAR),
        *_READ_QUEUE,
    ],
    "query": [Call("logs:StartQuery", LOG_GROUP), Call("logs:GetQueryResults", "*"), Call("logs:StopQuery", "*")],
    "env": _STATE,
    "dlq list": _READ_QUEUE,
    "dlq show": _READ_QUEUE,
    "dlq discard": [*_READ_QUEUE, *_END_MESSAGE],
    "dlq redrive": [
        *_READ_QUEUE,
        *_END_MESSAGE,
        Call("events:PutEvents", BUS),
        Call("events:ListRules", "*"),
        Call("events:TestEventPattern", "*"),
        Call("events:ListTargetsByRule", RULE),
        Call("lambda:InvokeFunction", f"{FUNCTION}:live"),
    ],
    "calendar check": [Call("dynamodb:Scan", CALENDAR), *(Call("dynamodb:Query", each) for each in (CALENDAR, AUDIT))],
    "calendar unmark": [
        Call("dynamodb:Query", CALENDAR),
        Call("dynamodb:UpdateItem", CALENDAR, MARK_IN_A_TRANSACTION),
        Call("dynamodb:PutItem", AUDIT, {"dynamodb:EnclosingOperation": "TransactWriteItems"}),
    ],
    "verify": [
        Call("lambda:InvokeFunction", f"{FUNCTION}:live"),
        Call("dynamodb:PutItem", CALENDAR, {"dynamodb:LeadingKeys": "MEP-VERIFY"}),
        Call("cloudwatch:DescribeAlarms", "*"),
        Call("cloudwatch:GetMetricData", "*"),
    ],
    "invoke": [Call("lambda:InvokeFunction", f"{FUNCTION}:live")],
}
"""What each command calls. docs/dead-letters.md names that of `mep dlq`, which a test records."""


def page(name: str) -> str:
    return (PROJECT_ROOT / "docs" / name).read_text()


def sections() -> Iterator[tuple[str, str, str]]:
    """Yield the sections with commands: page and heading, the policy that it names, the text."""
    for part in page("procedures.md").split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        named = re.findall(r"^\*\*Policy\.\*\* (\w+)", text, re.MULTILINE)
        assert len(named) == 1, heading
        yield f"procedures: {heading}", named[0], text
    runbook = page("runbook.md")
    for part in re.split(r"\n##+ ", runbook)[1:]:
        yield f"runbook: {part.partition(chr(10))[0]}", "Operators", part
    back = page("deploy.md").partition("\n### Roll back by hand\n")[2].partition("\n## ")[0]
    yield "deploy: roll back by hand", "Responders", back


SECTIONS = [section for section in sections() if section[1] in POLICIES]


def of_the_cli(command: CliCommand) -> list[Call]:
    """Return a command as IAM evaluates it."""
    action = f"{command.service}:{_ACTIONS.get(command.operation, command.operation)}"
    given = command.parameters
    if command.operation in _WITHOUT:
        return [Call(action, "*")]
    if command.service == "events" and "Rule" in command.operation:
        return [Call(action, RULE)]
    return [Call(action, resource) for resource in _RESOURCES[command.service](given)]


def of_mep(text: str) -> Iterator[Call]:
    """Yield the calls of the `mep` commands in a text."""
    for inline, block in re.findall(r"`uv run mep ([^`]+)`|^ {4,}(?:.*\()?uv run mep (.+)$", text, re.MULTILINE):
        words = (inline or block).split()
        yield from MEP[words[0] if words[0] in MEP else " ".join(words[:2])]


def commands(text: str) -> list[str]:
    return [command for command in texts(text) if command != "aws sso login"]


def calls_of(text: str) -> list[Call]:
    return [*(call for command in commands(text) for call in of_the_cli(parse(command))), *of_mep(text)]


def policies(names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [template().managed_policy(name) for name in names]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_command_is_allowed(policy: str) -> None:
    by_call = {call: name for name, named, text in SECTIONS if named == policy for call in map(str, calls_of(text))}
    calls = [call for _, named, text in SECTIONS if named == policy for call in calls_of(text)]
    assert len(by_call) > 10

    answers = verdicts(policies(POLICIES[policy]), calls)

    assert {f"{by_call[call]}: {call}": verdict for call, verdict in answers.items() if verdict != "Allowed"} == {}


def test_operators_alone_may_not_do_what_a_page_reserves_for_responders() -> None:
    for name, named, text in SECTIONS:
        if named == "Responders":
            assert "ImplicitlyDenied" in verdicts(policies(("operators",)), calls_of(text)).values(), name


def test_deployment_permissions_are_named_where_they_are_needed() -> None:
    (text,) = (text for name, named, text in sections() if named == "Deployment")
    calls = [Call(f"dynamodb:{parse(command).operation}", CALENDAR) for command in commands(text)]

    answers = verdicts(policies(POLICIES["Responders"]), calls)

    denied = {call.partition(" ")[0] for call, verdict in answers.items() if verdict == "ImplicitlyDenied"}
    assert denied >= {"dynamodb:RestoreTableToPointInTime", "dynamodb:UpdateTable"}


def test_neither_policy_reaches_other_resources() -> None:
    """Each call of the pages, on a resource of another name: of another stack, of other tables."""
    calls = {str(call): call for _, _, text in SECTIONS for call in calls_of(text) if call.resource != "*"}
    others = []
    for call, (old, new) in product(calls.values(), ((STACK, f"{STACK}x"), ("earnings", "other"), (ACCOUNT, "9" * 12))):
        changed = call.resource.replace(old, new)
        if call.resource not in {changed, SPANS} and call.action not in OF_ALL_RULES:
            others.append(Call(call.action, changed, call.context))

    answers = verdicts(policies(POLICIES["Responders"]), others)

    assert {call for call, verdict in answers.items() if verdict == "Allowed"} == set()
