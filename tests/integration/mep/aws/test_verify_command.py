"""`mep verify` as a command: its exit statuses, its errors, its JSON, and what an emulator need not have."""

import json

import pytest

from mep.errors import ExitStatus
from monitoring.probe import row_item
from tests.integration.mep.aws.account import Account, Run, denied
from tests.support.aws_account import Reply, no_stack, ok

CHECKS = [
    *("row", "audit_entry", "outcome", "unchanged", "log", "metrics", "trace", "alarms", "alarm_states"),
    "subscriptions",
]


def marked(account: Account) -> None:
    """Put the reserved row and its audit entry into the account."""
    account.replies["GetItem"] = ok(Item=row_item())
    account.replies["Query"] = ok(Items=[{"action": {"S": "verify"}}], Count=1)


def test_a_failed_check_is_status_1(run_here: Run, account: Account) -> None:
    marked(account)

    ended = run_here("verify", "--environment", "dev", "--wait", "0", "--json")

    assert ended.status == ExitStatus.FAILED, ended.err
    report = json.loads(ended.out)
    assert [check["name"] for check in report["checks"]] == CHECKS
    assert (report["status"], report["function"]) == ("fail", "mark-earnings-processed-dev:live")
    unreadable = {check["name"] for check in report["checks"] if check["reason"] == "unreadable_reply"}
    assert unreadable == {"metrics", "alarms", "alarm_states", "subscriptions"}, "the account answers {}"
    assert "mark-earnings-processed-dev:live is not as it should be" in ended.error_line


def test_what_could_not_be_asked_is_status_3(run_here: Run, account: Account) -> None:
    account.replies = {"*": denied("AccessDeniedException")}

    ended = run_here("verify", "--environment", "prod")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert "could not be verified completely: row" in ended.error_line
    assert "0 passed, 0 failed, 10 not available" in ended.out
    assert "Invoke" not in account.operations()


def test_names_follow_from_the_environment_and_not_from_variables(run_here: Run, account: Account) -> None:
    marked(account)

    run_here("verify", "--wait", "0", ENVIRONMENT="staging", EARNINGS_CALENDAR_TABLE="earningsCalendar")

    tables = {call.parameters["TableName"] for call in account.calls if call.service == "dynamodb"}
    groups = {call.parameters["logGroupName"] for call in account.calls if call.operation == "StartQuery"}
    assert tables == {"earningsCalendar-staging", "earningsAudit-staging"}
    assert groups == {"/aws/lambda/mark-earnings-processed-staging", "aws/spans"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--environment", "production"), "--environment production: must be dev, staging or prod"),
        (("--environment", "dev", "--prefix", "X_"), "--prefix X_: must be"),
        (("--environment", "prod", "--full"), "sets off mark-earnings-processed-prod-dlq-age"),
        (("--environment", "dev", "--role", "its-role"), "--role its-role: must be the ARN of a role"),
        (("--environment", "dev", "--calendar-table", "arn:aws:dynamodb:us-east-1:1:table/c"), "us-east-1"),
    ],
)
def test_wrong_usage(run_here: Run, account: Account, arguments: tuple[str, ...], words: str) -> None:
    ended = run_here("verify", *arguments)

    assert ended.status == ExitStatus.WRONG_USAGE
    assert words in ended.error_line
    assert not account.calls


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ok(outcome="marked", correlation_id="x"), ExitStatus.FAILED),
        (Reply(0, b""), ExitStatus.UNAVAILABLE),
    ],
    ids=["failed", "not available"],
)
def test_beside_an_emulator_aws_is_not_called(
    run_here: Run, account: Account, endpoint: str, answer: Reply, status: ExitStatus
) -> None:
    marked(account)
    account.replies["Invoke"] = answer
    variables = {"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_ENDPOINT_URL_LAMBDA": endpoint}

    ended = run_here("verify", "--environment", "dev", "--json", **variables)

    checks = {check["name"]: check for check in json.loads(ended.out)["checks"]}
    assert ended.status == status
    assert {checks[name]["reason"] for name in ("alarms", "alarm_states", "subscriptions")} == {"not_configured"}
    assert account.operations() == {"GetItem", "Query", "Invoke"}


@pytest.mark.parametrize("arguments", [("dev", "--full"), ("prod", "--full", "--yes", "--json")], ids=" ".join)
def test_the_alarms_are_named_before_the_first_check(
    run_here: Run, account: Account, arguments: tuple[str, ...]
) -> None:
    account.replies = {"*": denied("AccessDeniedException"), "DescribeStacks": no_stack("the-stack")}

    ended = run_here("verify", "--environment", *arguments)

    assert ended.status == ExitStatus.UNAVAILABLE
    alarm = f"mark-earnings-processed-{arguments[0]}-dlq-age"
    alarms = f"{alarm}, mark-earnings-processed-{arguments[0]}-dead-letters"
    expected = f"mep: --full puts two events on earnings-{arguments[0]}, and sets off {alarms}: their topic is notified"
    assert expected in ended.err.splitlines()
    assert "PutEvents" not in account.operations()


ASSUMED = b"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
<SecretAccessKey>of-the-role</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_every_other_call_is_made_under_the_role(run_here: Run, account: Account) -> None:
    marked(account)
    account.replies["AssumeRole"] = Reply(200, ASSUMED)

    run_here("verify", "--environment", "dev", "--wait", "0", MEP_VERIFY_ROLE="arn:aws:iam::123456789012:role/r")

    assert account.calls[0].operation == "AssumeRole"
    assert {call.access_key for call in account.calls[1:]} == {"ASIAROLE"}
    assert {"GetItem", "Invoke", "DescribeAlarms"} <= account.operations()


def test_a_role_that_cannot_be_assumed(run_here: Run, account: Account) -> None:
    body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    account.replies["AssumeRole"] = Reply(403, body)

    ended = run_here("verify", "--environment", "dev", "--role", "arn:aws:iam::123456789012:role/r")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert "the role arn:aws:iam::123456789012:role/r cannot be assumed" in ended.error_line
    assert account.operations() == {"AssumeRole"}
