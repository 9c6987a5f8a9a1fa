"""`make recover`: only a stack whose creation failed loses its termination protection."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from deploy.recover import CREATION_FAILED, RecoveryError, main, prepare

STACK = "mark-earnings-processed-prod"


@pytest.fixture
def cloudformation() -> Iterator[tuple[Any, Stubber]]:
    """Return a client whose responses are checked with botocore's model, and which makes no other call."""
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def describe(stubber: Stubber, status: str, *, protected: bool = True) -> None:
    stack = {
        "StackId": f"arn:aws:cloudformation:us-east-1:111122223333:stack/{STACK}/an-id",
        "StackName": STACK,
        "StackStatus": status,
        "CreationTime": "2026-01-01T00:00:00Z",
        "EnableTerminationProtection": protected,
    }
    stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})


@pytest.mark.parametrize("status", CREATION_FAILED)
def test_a_stack_whose_creation_failed_is_not_protected_any_more(
    status: str, cloudformation: tuple[Any, Stubber]
) -> None:
    client, stubber = cloudformation
    describe(stubber, status)
    stubber.add_response(
        "update_termination_protection", {}, {"StackName": STACK, "EnableTerminationProtection": False}
    )

    assert prepare(client, STACK).startswith(f"Termination protection of {STACK} ({status}) is off")


def test_a_stack_that_is_not_protected(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    describe(stubber, "ROLLBACK_COMPLETE", protected=False)

    assert "is not protected" in prepare(client, STACK)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_a_stack_that_has_been_created_stays_protected(status: str, cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    describe(stubber, status)

    with pytest.raises(RecoveryError, match=f"is in {status}.*Use make deploy"):
        prepare(client, STACK)


def test_a_stack_in_another_account_stays_protected(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    describe(stubber, "ROLLBACK_COMPLETE")

    with pytest.raises(RecoveryError, match="the credentials are for account 111122223333, not for 999999999999"):
        prepare(client, STACK, "999999999999")


def test_without_a_stack_the_tables_are_imported(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    stubber.add_client_error("describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist")

    assert prepare(client, STACK).startswith(f"There is no stack {STACK}")


def test_a_refusal_is_not_taken_for_a_missing_stack(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    stubber.add_client_error("describe_stacks", "AccessDenied", "not authorized")

    with pytest.raises(ClientError):
        prepare(client, STACK)


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["-c", "environment=production"], 2, "context environment=production is not one of dev, staging, prod"),
        (["-c", "environment=prod"], 1, "CloudFormation could not be asked: "),
    ],
)
def test_an_error_is_one_line(
    arguments: list[str],
    status: int,
    line: str,
    cloudformation: tuple[Any, Stubber],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client, stubber = cloudformation
    if status == 1:
        stubber.add_client_error("describe_stacks", "ExpiredToken", "the token has expired")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)

    assert main(arguments) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(line)
    assert printed.err.count("\n") == 1
