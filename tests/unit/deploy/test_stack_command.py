"""A command about a stack that cannot call AWS ends with one line that says what to set."""

from typing import Any

import pytest

from deploy.context import Deployment
from deploy.stack_command import run_stack_command, stack_parser

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


def test_the_region_is_that_of_the_cdk_command_line(without_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    regions = []

    assert run_stack_command(DEV, lambda client, _: regions.append(client.meta.region_name)) == 0
    assert regions == ["eu-central-1"]
