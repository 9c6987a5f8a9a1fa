"""The environments' files as shipped are not deployed: one line for each example says what to set.

Nor is anything without credentials: one line says what to set.
"""

import pytest

from deploy.preflight import main

OWN = ["-c", "alarm_email=team@signal9.example"]


def test_the_files_as_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", "environment=prod"]) == 2

    lines = capsys.readouterr().err.splitlines()
    rule = "is an example: set it to what is yours, or remove it"
    assert f"deploy/environments/prod.json: account=111122223333 {rule}" in lines
    assert f"deploy/environments/prod.json: alarm_email=team@example.com {rule}" in lines
    assert all(line.endswith(rule) for line in lines)


def test_dev_has_no_examples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its account is that of the credentials, and nobody is notified."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")

    assert main(["-c", "environment=dev", *OWN]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_invalid_value_is_reported_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", "environment=dev", "-c", "memory=1"]) == 2
    assert capsys.readouterr().err == "context memory=1 is not a whole number of MB from 128 to 10240\n"


def test_without_credentials_nothing_is_synthesised(
    without_credentials: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-c", "environment=dev", *OWN]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("there are no AWS credentials: set AWS_PROFILE")


def test_a_source_of_credentials_that_boto3_cannot_use_is_left_to_the_cdk(
    without_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    assert main(["-c", "environment=dev", *OWN]) == 0
