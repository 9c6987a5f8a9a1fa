"""`make drift` and `make restore`: what was changed by hand is shown, and a pause or a rollback is not undone."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.drift import WAIT_SECONDS, DriftError, check_restorable, detect, main

STACK = "mark-earnings-processed-prod"
ROLE = ("Role", "AWS::IAM::Role", "/Policies/0/PolicyDocument", "{}", "{...}")
PAUSE = ("Rule", "AWS::Events::Rule", "/State", "ENABLED", "DISABLED")
ROLLBACK = ("Alias", "AWS::Lambda::Alias", "/FunctionVersion", "7", "6")

Difference = tuple[str, str, str, str, str]


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Stubber]]:
    """Return a client whose responses are checked with botocore's model, and which makes no other call."""
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def begin(stubber: Stubber, *statuses: str) -> None:
    stubber.add_response("detect_stack_drift", {"StackDriftDetectionId": "an-id"}, {"StackName": STACK})
    for status in statuses:
        stubber.add_response(
            "describe_stack_drift_detection_status",
            {
                "StackId": STACK,
                "StackDriftDetectionId": "an-id",
                "DetectionStatus": status,
                "DetectionStatusReason": "a reason",
                "Timestamp": "2026-01-01T00:00:00Z",
            },
            {"StackDriftDetectionId": "an-id"},
        )


def page(stubber: Stubber, *differences: Difference, token: str = "", following: str = "") -> None:
    resources = [
        {
            "StackId": STACK,
            "LogicalResourceId": resource,
            "ResourceType": kind,
            "StackResourceDriftStatus": "MODIFIED" if path else "DELETED",
            "Timestamp": "2026-01-01T00:00:00Z",
            "PropertyDifferences": [
                {"PropertyPath": path, "ExpectedValue": expected, "ActualValue": actual, "DifferenceType": "NOT_EQUAL"}
            ][: bool(path)],
        }
        for resource, kind, path, expected, actual in differences
    ]
    request = {"StackName": STACK, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    stubber.add_response(
        "describe_stack_resource_drifts",
        {"StackResourceDrifts": resources, **({"NextToken": following} if following else {})},
        request | ({"NextToken": token} if token else {}),
    )


def test_every_difference_is_a_line(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    slept: list[float] = []
    begin(stubber, "DETECTION_IN_PROGRESS", "DETECTION_COMPLETE")
    page(stubber, ROLE, PAUSE, following="more")
    page(stubber, ROLLBACK, ("Queue", "AWS::SQS::Queue", "", "", ""), token="more")

    assert [str(each) for each in detect(client, STACK, slept.append)] == [
        "Role /Policies/0/PolicyDocument: {...} instead of {}",
        "Rule /State: DISABLED instead of ENABLED (a pause: the rule delivers no events)",
        "Alias /FunctionVersion: 6 instead of 7 (a rollback: the alias has another version)",
        "Queue was deleted",
    ]
    assert len(slept) == 1


@pytest.mark.parametrize("difference", [PAUSE, ROLLBACK], ids=lambda each: each[2])
def test_what_may_be_intended_is_named_and_not_undone(
    difference: Difference, cloudformation: tuple[Any, Stubber]
) -> None:
    client, stubber = cloudformation
    begin(stubber, "DETECTION_COMPLETE")
    page(stubber, ROLE, difference)
    drifts = detect(client, STACK)

    with pytest.raises(DriftError) as refused:
        check_restorable(drifts, confirmed=False)

    assert difference[2] in str(refused.value)
    assert "Role" not in str(refused.value)
    check_restorable(drifts, confirmed=True)
    check_restorable(drifts[:1], confirmed=False)


def test_a_detection_that_fails(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    begin(stubber, "DETECTION_FAILED")

    with pytest.raises(DriftError, match="could not be detected: a reason"):
        detect(client, STACK)


def test_a_detection_that_does_not_end(cloudformation: tuple[Any, Stubber]) -> None:
    client, stubber = cloudformation
    slept: list[float] = []
    begin(stubber, *["DETECTION_IN_PROGRESS"] * (WAIT_SECONDS // 5))

    with pytest.raises(DriftError, match=f"within {WAIT_SECONDS} s"):
        detect(client, STACK, slept.append)

    assert sum(slept) == WAIT_SECONDS


@pytest.mark.parametrize(
    ("arguments", "differences", "status", "printed"),
    [
        ([], (), 0, f"{STACK} is as its template says"),
        ([], (PAUSE,), 0, "a pause"),
        (["--restore"], (ROLE,), 0, "Role /Policies"),
        (["--restore"], (ROLE, PAUSE), 1, "a pause"),
        (["--restore", "--yes"], (ROLE, PAUSE), 0, "a pause"),
    ],
)
def test_the_command(
    arguments: list[str],
    differences: tuple[Difference, ...],
    status: int,
    printed: str,
    cloudformation: tuple[Any, Stubber],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The drift is shown first, also where it is not undone."""
    _, stubber = cloudformation
    begin(stubber, "DETECTION_COMPLETE")
    page(stubber, *differences)

    assert main([*arguments, "-c", "environment=prod"]) == status
    shown = capsys.readouterr()
    assert printed in shown.out
    assert shown.err.startswith("nothing is restored" if status else "")


def test_errors_are_one_line(cloudformation: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]) -> None:
    _, stubber = cloudformation
    stubber.add_client_error("detect_stack_drift", "AccessDenied", "not authorized")

    assert main(["-c", "environment=prod"]) == 1
    assert main(["-c", "environment=production"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("CloudFormation could not be asked: ")
    assert second.startswith("context environment=production is not one of")
