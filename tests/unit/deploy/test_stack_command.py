"""A command about a stack that cannot call AWS ends with one line that says what to set."""

from typing import Any

import pytest

from deploy.context import Deployment
from deploy.stack_command import run_stack_command, stack_parser
from tests.support.aws_account import Reply, serving, xml_error

DEV = stack_parser("").parse_args(["-c", "environment=dev"])


def _call(cloudformation: Any, _: Deployment) -> None:
    cloudformation.describe_stacks(StackName="a-stack")


def test_no_region(without_credentials: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stack_command(DEV, _call) == 1
    assert capsys.readouterr().err == "CloudFormation could not be asked: there is no region: set AWS_REGION\n"


def test_no_credentials(
    without_credentials: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    assert run_stack_command(DEV, _call) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("CloudFormation could not be asked: there are no AWS credentials: set AWS_PROFILE")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (xml_error("SignatureDoesNotMatch", "The Canonical String was x-amz-security-token:S3NT1N3L", 403), "clock"),
        (xml_error("ExpiredToken", "The security token\nis expired", 403), "ExpiredToken"),
        (xml_error("AccessDenied", "not authorized to perform: cloudformation:DescribeStacks", 403), "DescribeStacks"),
        (Reply(0, b""), "Connection was closed"),
    ],
    ids=["signature", "expired", "denied", "hangs up"],
)
def test_a_failed_call_is_one_line_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reply: Reply, words: str
) -> None:
    with serving(lambda _: reply) as url:
        for name, value in {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": url, "AWS_MAX_ATTEMPTS": "1"}.items():
            monkeypatch.setenv(name, value)
        assert run_stack_command(DEV, _call) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("CloudFormation could not be asked: ")
    assert words in line
    assert "S3NT1N3L" not in line


def test_the_region_is_that_of_the_cdk_command_line(without_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    regions = []

    assert run_stack_command(DEV, lambda client, _: regions.append(client.meta.region_name)) == 0
    assert regions == ["eu-central-1"]
