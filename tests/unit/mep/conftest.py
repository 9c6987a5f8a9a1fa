"""`mep` as a process of its own, beside an account on loopback."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.command_line import mep
from tests.unit.mep.account import KEYS, Account, Result, Run, bare_environment, checked, mep_process, serving

QUEUE_PATH = "/123456789012/dead-letters"


@pytest.fixture
def account() -> Account:
    """An account that knows nothing."""
    return Account()


@pytest.fixture
def endpoint(account: Account) -> Iterator[str]:
    """Its URL."""
    with serving(account) as url:
        yield url


def _variables(endpoint: str, given: Mapping[str, str | None]) -> dict[str, str]:
    """The settings that the runbook names, pointed at the account; a variable that is given as None is left out."""
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
    """Run `mep` as a process, with the settings that the runbook names, pointed at the account."""

    def run(*arguments: str, **variables: str | None) -> Result:
        return mep_process(tmp_path, arguments, _variables(endpoint, variables))

    return run


@pytest.fixture
def run_here(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `mep` likewise, in this process."""

    def run_here(*arguments: str, **variables: str | None) -> Result:
        environment = bare_environment(tmp_path) | _variables(endpoint, variables)
        with patch.dict(os.environ, environment, clear=True):
            capsys.readouterr()
            status = mep(monkeypatch, *arguments)
            said = capsys.readouterr()
        return checked(Result(status, said.out, said.err))

    return run_here
