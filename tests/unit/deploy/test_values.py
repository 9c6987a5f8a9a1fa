"""The environments' files: the command line on top, and one line about each mistake."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy import values
from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from deploy.values import ContextError
from monitoring.model import Severity

ACCOUNT = "111122223333"
PINNED = {"account": ACCOUNT, "region": "us-east-1"}
RETENTION = {"log_retention_days": 14, "archive_retention_days": 7}
RUNBOOK = {"runbook": "https://wiki.example/runbook"}
PROD = {**PINNED, **RETENTION, **RUNBOOK, "alarm_email": ["team@example.com"]}

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the file of an environment, in place of the committed one."""

    def file(environment: str, content: Mapping[str, Any] | str) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / f"{environment}.json").write_text(text)
        monkeypatch.setattr(values, "ENVIRONMENT_FILES", tmp_path)

    return file


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_committed_files_are_valid(environment: str) -> None:
    deployment = read_context({"environment": environment})

    assert deployment.account in {None, ACCOUNT}, "an example of AWS's documentation, not an account"
    recipients = {address for addresses in deployment.recipients.values() for address in addresses}
    assert all(address.endswith("@example.com") for address in recipients)


def test_every_value_of_the_command_line_can_be_in_the_file(write: Write) -> None:
    content = {
        **PROD,
        "telemetry": "collector",
        "collector_endpoint": "https://collector.example:4318",
        "memory": 512,
        "architecture": "x86_64",
        "calendar_table": "a-calendar",
        "audit_table": "an-audit-trail",
        "event_bus": "default",
        "event_source": "another.producer",
        "log_level": "DEBUG",
        "runbook": "https://wiki.example/runbook",
        "prefix": "signal9",
        "tags": {"Service": "earnings", "cost-center": 42},
        "alarm_email": ["team@example.com", "night@example.com"],
        "rollout": None,
    }
    write("prod", content)

    read = read_context({"environment": "prod"})

    assert read == read_context(
        {
            "environment": "prod",
            **content,
            "alarm_email": "team@example.com, night@example.com",
            "tags": "Service=earnings,cost-center=42",
            "rollout": "gradual",
        }
    )
    assert (read.name, read.memory_mb, read.bus_name, read.log_retention_days) == ("signal9-prod", 512, "default", 14)
    assert read.tags == {"Service": "earnings", "cost-center": "42"}
    assert read.recipients == dict.fromkeys(Severity, ("team@example.com", "night@example.com"))


def test_a_later_deployment_without_the_flags_of_the_first_changes_nothing(write: Write) -> None:
    """What is in the file needs no flag; a flag changes one deployment."""
    write("prod", {**PROD, "memory": 512, "calendar_table": "a-calendar"})

    once = read_context({"environment": "prod", "memory": "256"})
    later = read_context({"environment": "prod"})

    assert (once.memory_mb, later.memory_mb) == (256, 512)
    assert once.calendar_table == later.calendar_table == "a-calendar"


def test_each_severity_can_have_recipients_of_its_own(write: Write) -> None:
    write("prod", {**PROD, "page_email": ["night@example.com", "lead@example.com"]})

    assert read_context({"environment": "prod"}).recipients == {
        Severity.PAGE: ("night@example.com", "lead@example.com"),
        Severity.TICKET: ("team@example.com",),
    }


@pytest.mark.parametrize(
    ("environment", "content", "context", "message"),
    [
        (
            "prod",
            {**PROD, "account": ""},
            {},
            "account is not given, but region is: set it in deploy/",
        ),
        ("prod", {**PROD, "account": "", "region": ""}, {}, "environment prod needs an account and a region: set them"),
        ("prod", {**PROD, "alarm_email": []}, {}, "environment prod needs a recipient of its alarms: set alarm_email"),
        (
            "prod",
            {**PROD, "alarm_email": [], "page_email": ["a@b.c"]},
            {},
            "a recipient of its alarms: set ticket_email in deploy/",
        ),
        ("prod", {**PROD, "page_email": ["night"]}, {}, "prod.json: page_email=night is not an e-mail address"),
        ("prod", {**PROD, "runbook": ""}, {}, "environment prod needs the URL of the runbook"),
        ("staging", RETENTION, {}, "environment staging needs the URL of the runbook, to which its alarms link: set"),
        ("prod", PROD, {"account": "999999999999"}, f"context account=999999999999 is not the {ACCOUNT} of deploy/"),
        ("prod", PROD, {"region": "eu-west-1"}, "context region=eu-west-1 is not the us-east-1 of deploy/environments"),
        ("staging", {**RETENTION, **RUNBOOK, "account": ACCOUNT}, {}, "region is not given, but account is"),
        (
            "staging",
            {**RETENTION, **RUNBOOK, "account": "12"},
            {},
            "staging.json: account=12 is not the number",
        ),
        ("dev", {**RETENTION, "memory": 64}, {}, "dev.json: memory=64 is not a whole number of MB"),
        ("dev", {**RETENTION, "memory": 64}, {"memory": "1"}, "context memory=1 is not a whole number of MB"),
        (
            "dev",
            {**RETENTION, "memorysize": 64},
            {},
            "dev.json: memorysize is not known: did you mean memory?",
        ),
        (
            "dev",
            {**RETENTION, "environment": "dev"},
            {},
            "dev.json: environment is not known: known: telemetry, collector_endpoint",
        ),
        ("dev", {**RETENTION, "memory": True}, {}, "dev.json: memory=true is not a whole number: write it"),
        ("dev", {**RETENTION, "memory": 1.5}, {}, "dev.json: memory=1.5 is not a whole number"),
        ("dev", {**RETENTION, "memory": "512"}, {}, 'dev.json: memory="512" is not a whole number'),
        (
            "dev",
            {**RETENTION, "account": 111122223333},
            {},
            "dev.json: account=111122223333 is not a text: write it in",
        ),
        ("dev", {**RETENTION, "alarm_email": "a@b.c"}, {}, 'dev.json: alarm_email="a@b.c" is not a list of texts'),
        ("dev", {**RETENTION, "alarm_email": ["a@b.c", 1]}, {}, 'alarm_email=["a@b.c", 1] is not a list of texts'),
        ("dev", {**RETENTION, "tags": ["a=b"]}, {}, 'dev.json: tags=["a=b"] is not an object of texts'),
        ("dev", {**RETENTION, "tags": {"a": ["b"]}}, {}, 'tags={"a": ["b"]} is not an object of texts'),
        (
            "dev",
            {**RETENTION, "log_retention_days": 15},
            {},
            "dev.json: log_retention_days=15 is not",
        ),
        (
            "dev",
            {**RETENTION, "archive_retention_days": 0},
            {},
            "dev.json: archive_retention_days=0",
        ),
        (
            "dev",
            {"archive_retention_days": 7},
            {},
            "log_retention_days is not given: set it in deploy/environments/dev.json",
        ),
        (
            "dev",
            {**RETENTION, "alarm_email": ["a@b.c", "team"]},
            {},
            "dev.json: alarm_email=team is",
        ),
        ("dev", {**RETENTION, "tags": {"aws:a": "b"}}, {}, "dev.json: tags=aws:a=b is not a tag"),
        ("prod", {**PROD, "producers": ["*"]}, {}, "producers=* is not the number of an account or the ARN of a role"),
        ("prod", {**PROD, "producers": [ACCOUNT]}, {}, f"prod.json: producers={ACCOUNT} is the account of the stack"),
        (
            "prod",
            {**PROD, "producers": ["999999999999"], "event_bus": "a-bus"},
            {},
            "prod.json: producers is for the stack's own bus, and the policy of a-bus belongs to its owner",
        ),
        ("dev", RETENTION, {"tags": "Service"}, "context tags=Service is not a tag KEY=VALUE without a comma"),
        ("dev", RETENTION, {"prefix": "Signal9"}, "context prefix=Signal9 is not a prefix of names"),
        ("dev", RETENTION, {"prefix": "a" * 34}, f"context prefix={'a' * 34} is not a prefix of names"),
        ("dev", "[]", {}, "dev.json is not an object: write {...}"),
        ("dev", "{", {}, "dev.json cannot be read: Expecting property name"),
        ("dev", '{"memory": 256, "memory": 512}', {}, "dev.json cannot be read: the key memory is there twice"),
        (
            "prod",
            PROD,
            {"image_uri": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a:1"},
            f"context image_uri={ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a:1 is not in us-east-1: Lambda takes images",
        ),
    ],
)
def test_a_mistake_is_one_line(
    environment: str, content: Mapping[str, Any] | str, context: dict[str, str], message: str, write: Write
) -> None:
    write(environment, content)

    with pytest.raises(ContextError) as raised:
        read_context({"environment": environment, **context})

    text = str(raised.value)
    assert message in text
    assert "\n" not in text


def test_every_mistake_is_reported_at_once(write: Write) -> None:
    """Whoever edits a file corrects it in one round. What depends on an invalid value is not judged."""
    write("prod", {**PROD, "memory": 64, "telemetry": "sidecar", "tag": {}, "alarm_email": ["team", "night"]})

    with pytest.raises(ContextError) as raised:
        read_context({"environment": "prod", "colour": "blue", "collector_endpoint": "http://c:4318", "account": "1"})

    lines = str(raised.value).splitlines()
    assert [line.partition(" is not ")[0].rpartition(" ")[2] for line in lines] == [
        "colour",
        "tag",
        "account=1",
        "telemetry=sidecar",
        "memory=64",
        "alarm_email=team",
        "alarm_email=night",
    ]


def test_a_value_with_line_breaks_is_reported_in_one_line(write: Write) -> None:
    write("dev", RETENTION)

    with pytest.raises(ContextError, match=r"^context runbook=a b is not a URL$"):
        read_context({"environment": "dev", "runbook": "a\nb"})


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ENVIRONMENT_FILES", tmp_path)

    with pytest.raises(
        ContextError, match=r"^deploy/environments/dev\.json cannot be read: No such file or directory$"
    ):
        read_context({"environment": "dev"})
