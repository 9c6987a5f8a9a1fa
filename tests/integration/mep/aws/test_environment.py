"""One environment names every resource: `--environment`, `mep env`, and the refusal of two environments."""

import json
import shlex

import pytest

from mep.errors import ExitStatus
from tests.integration.mep.aws.account import FAILURES, ROLE, Account, Run
from tests.support.aws_account import Reply, error, no_stack, ok, stack, xml_error

REGION = "eu-central-1"
STACK = "mark-earnings-processed-prod"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/123456789012/its own $(queue)"
OUTPUTS = {
    "DeadLetterQueueUrl": QUEUE_URL,
    "EventBusName": "default",
    "CalendarTable": "theirCalendar",
    "AuditTable": "theirAudit",
}
UNSET: dict[str, str | None] = dict.fromkeys(
    ("ENVIRONMENT", "DEAD_LETTER_QUEUE_URL", "EVENT_BUS_NAME", "EARNINGS_AUDIT_TABLE", "EARNINGS_CALENDAR_TABLE")
)
PROD = ("--environment", "prod")


@pytest.fixture(autouse=True)
def deployed(account: Account) -> None:
    """A stack whose tables, bus and queue have names of their own."""
    account.replies["DescribeStacks"] = stack(**OUTPUTS)


def tables(account: Account) -> set[str]:
    """Return the names of the tables that were read."""
    return {call.parameters["TableName"] for call in account.calls if call.operation in {"Query", "Scan"}}


def queues(account: Account) -> set[str]:
    """Return the URLs of the queues that were read."""
    return {call.parameters["QueueUrl"] for call in account.calls if call.operation == "GetQueueAttributes"}


def test_every_command_uses_the_outputs_of_the_stack(account: Account, run_here: Run) -> None:
    assert run_here("dlq", "list", *PROD, **UNSET).status == ExitStatus.DONE
    assert run_here("dlq", "redrive", *PROD, "--operator", "alice", **UNSET).status == ExitStatus.DONE
    assert queues(account) == {QUEUE_URL}
    assert run_here("calendar", "check", *PROD, **UNSET).status == ExitStatus.DONE
    assert tables(account) == {"theirCalendar"}
    assert run_here("trace", "q2-AAPL-17", *PROD, **UNSET).status == ExitStatus.FAILED
    assert tables(account) == {"theirCalendar", "theirAudit"}
    assert run_here("query", "security", *PROD, **UNSET).status == ExitStatus.DONE
    groups = {call.parameters["logGroupName"] for call in account.calls if call.operation == "StartQuery"}
    assert groups == {f"/aws/lambda/{STACK}", "aws/spans"}


def test_the_variable_is_the_default_and_explicit_names_win(account: Account, run_here: Run) -> None:
    run_here("calendar", "check", **UNSET | {"ENVIRONMENT": "prod", "EARNINGS_CALENDAR_TABLE": "mine"})

    assert tables(account) == {"mine"}
    assert run_here("calendar", "check", *PROD).status == ExitStatus.DONE  # with both variables: nothing is looked up
    assert [call.operation for call in account.calls].count("DescribeStacks") == 1


def test_without_a_stack_the_names_follow_the_rules_and_it_is_stated(account: Account, run_here: Run) -> None:
    account.replies |= {"DescribeStacks": no_stack(STACK), "GetQueueUrl": ok(QueueUrl=QUEUE_URL)}

    ended = run_here("calendar", "check", "--environment", "dev", **UNSET)
    assert ended.err == (
        f"mep: there is no stack mark-earnings-processed-dev with outputs in {REGION}: "
        "the names are those of the naming rules\n"
    )
    assert tables(account) == {"earningsCalendar-dev"}
    run_here("dlq", "list", *PROD, **UNSET)
    asked = [call.parameters for call in account.calls if call.operation == "GetQueueUrl"]
    assert asked == [{"QueueName": f"{STACK}-dead-letters"}]
    assert queues(account) == {QUEUE_URL}


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (("dlq", "list"), ""),
        (("dlq", "redrive"), ""),
        (("calendar", "check"), ""),
        (("trace", "x"), "; to search a run of `mep local`, use --run DIR"),
    ],
)
def test_without_an_environment_nothing_is_asked(
    command: tuple[str, ...], advice: str, account: Account, run_here: Run
) -> None:
    ended = run_here(*command, **UNSET | {"AWS_ENDPOINT_URL": None})

    assert ended.status == ExitStatus.WRONG_USAGE
    assert ended.err == f"mep: --environment is not given: dev, staging or prod (or set ENVIRONMENT){advice}\n"
    assert account.calls == []


@pytest.mark.parametrize(
    ("command", "variables", "source"),
    [
        (("dlq", "redrive"), {"EVENT_BUS_NAME": "earnings-dev"}, "EVENT_BUS_NAME names the event bus of dev"),
        (("dlq", "redrive", "--bus", "earnings-staging"), {}, "--bus names the event bus of staging"),
        (("dlq", "redrive", "--function", "mark-earnings-processed-dev:live"), {}, "--function names the function of"),
        (
            ("dlq", "discard", "--id", "12345678", "--reason", "x", "--yes"),
            {"EARNINGS_AUDIT_TABLE": "earningsAudit-dev"},
            "audit",
        ),
        (("trace", "x", "--log-group", "/aws/lambda/mark-earnings-processed-dev"), {}, "--log-group names the log"),
        (("calendar", "check"), {"EARNINGS_CALENDAR_TABLE": "earningsCalendar-dev"}, "calendar table of dev"),
        (("query", "security", "--log-group", "/aws/lambda/mark-earnings-processed-dev"), {}, "--log-group"),
    ],
)
def test_resources_of_two_environments_are_refused(
    command: tuple[str, ...], variables: dict[str, str], source: str, account: Account, run_here: Run
) -> None:
    queue = {"DEAD_LETTER_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/1/{STACK}-dead-letters"}

    for environment in ({"ENVIRONMENT": "prod"}, {"ENVIRONMENT": None}):
        if environment["ENVIRONMENT"] is None and command[0] != "dlq":
            continue
        ended = run_here(*command, **queue | variables | environment)
        assert ended.status == ExitStatus.WRONG_USAGE
        assert source in ended.error_line
        assert "environments are not mixed" in ended.error_line
    assert account.operations() <= {"DescribeStacks"}


def test_a_name_of_another_environment_that_is_the_stacks_own_is_accepted(account: Account, run_here: Run) -> None:
    account.replies["DescribeStacks"] = stack(**OUTPUTS | {"CalendarTable": "earningsCalendar"})

    run_here("calendar", "check", ENVIRONMENT="staging", EARNINGS_AUDIT_TABLE="theirAudit")

    assert tables(account) == {"earningsCalendar"}


def test_the_variables_of_an_environment_for_a_shell(account: Account, run_here: Run) -> None:
    ended = run_here("env", "prod", EVENT_BUS_NAME="earnings-dev")

    assert ended.status == ExitStatus.DONE
    words = [shlex.split(line) for line in ended.out.splitlines()]
    assert all(word[0] == "export" and len(word) == 2 for word in words)
    assert dict(word[1].split("=", 1) for word in words) == {
        "ENVIRONMENT": "prod",
        "AWS_REGION": REGION,
        "DEAD_LETTER_QUEUE_URL": QUEUE_URL,
        "EVENT_BUS_NAME": "default",
        "EARNINGS_CALENDAR_TABLE": "theirCalendar",
        "EARNINGS_AUDIT_TABLE": "theirAudit",
    }
    answer = json.loads(run_here("env", "--json", "--prefix", "acme-earnings", ENVIRONMENT="staging").out)
    assert (answer["environment"], answer["source"]) == ("staging", "outputs")
    assert answer["stack"] == answer["variables"]["AWS_LAMBDA_FUNCTION_NAME"] == "acme-earnings-staging"


NOT_ASKED: dict[str, Reply] = {
    "denied": xml_error("AccessDenied", f"{ROLE} is not authorized", 403),
    "login page": FAILURES["login page"][0],
    "hangs up": FAILURES["hangs up"][0],
    "another validation error": xml_error("ValidationError", "1 validation error detected"),
}


@pytest.mark.parametrize("failure", NOT_ASKED)
def test_a_stack_that_cannot_be_asked_is_not_no_stack(failure: str, account: Account, run_here: Run) -> None:
    account.replies["DescribeStacks"] = NOT_ASKED[failure]

    commands = [("env", "prod"), ("calendar", "check"), ("dlq", "list"), ("verify", "--full", "--yes")]
    for command in commands:
        ended = run_here(*command, **UNSET | {"ENVIRONMENT": "prod"})
        assert (ended.status, ended.out) == (ExitStatus.UNAVAILABLE, ""), command
        assert f"the stack {STACK} cannot be asked: " in ended.error_line
    assert account.operations() == {"DescribeStacks"}

    traced = run_here("trace", "q2-AAPL-17", "--json", **UNSET | {"ENVIRONMENT": "prod"})
    assert traced.status == ExitStatus.UNAVAILABLE
    assert "mep: earningsAudit is the name by the naming rules\n" in traced.err, "the reason is stated once"
    assert {gap["source"] for gap in json.loads(traced.out)["not_asked"]} == {"queue"}


def test_neither_stack_nor_queue(account: Account, run_here: Run) -> None:
    account.replies |= {"DescribeStacks": no_stack(STACK), "GetQueueUrl": error("QueueDoesNotExist", "no")}

    ended = run_here("env", "prod", **UNSET)

    assert (ended.status, ended.out) == (ExitStatus.UNAVAILABLE, "")
    assert f"there is no stack {STACK}" in ended.err
    assert f"the queue {STACK}-dead-letters cannot be found" in ended.error_line
