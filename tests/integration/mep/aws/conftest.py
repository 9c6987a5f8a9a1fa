"""`mep`, with a fake AWS account on loopback."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.integration.mep.aws.account import KEYS, Account, Result, Run, bare_environment, checked, mep_process
from tests.support.aws_account import serving
from tests.support.command_line import mep

QUEUE_PATH = "/123456789012/dead-letters"


@pytest.fixture
def account() -> Account:
    """An account without data."""
    return Account()


@pytest.fixture
def endpoint(account: Account) -> Iterator[str]:
    """The URL of the account."""
    with serving(account.respond) as url:
        yield url


def variables(endpoint: str, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables that the runbook names, with the account as endpoint; those given as None are left out."""
    settings = {
        **KEYS,
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_MAX_ATTEMPTS": "1",
        "ENVIRONMENT": "prod",
        "DEAD_LETTER_QUEUE_URL": f"https://sqs.eu-central-1.amazonaws.com{QUEUE_PATH}",
        "EVENT_BUS_NAME": "earnings-prod",
        "EARNINGS_AUDIT_TABLE": "earningsAudit",
        "EARNINGS_CALENDAR_TABLE": "earningsCalendar",
        **given,
    }
    return {name: text for name, text in settings.items() if text is not None}


@pytest.fixture
def run(endpoint: str, tmp_path: Path) -> Run:
    """Run `mep` as a process, with the variables that the runbook names."""

    def run(*arguments: str, **changes: str | None) -> Result:
        return mep_process(tmp_path, arguments, variables(endpoint, changes))

    return run


@pytest.fixture
def run_here(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `mep` in this process, with the same variables."""

    def run_here(*arguments: str, **changes: str | None) -> Result:
        environment = bare_environment(tmp_path) | variables(endpoint, changes)
        with patch.dict(os.environ, environment, clear=True):
            capsys.readouterr()
            status = mep(monkeypatch, *arguments)
            output = capsys.readouterr()
        return checked(Result(status, output.out, output.err))

    return run_here
