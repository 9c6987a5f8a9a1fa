"""docs/commands.md is what the commands say of themselves."""

import re

import pytest

from tests.docs.commands import PAGE, page
from tests.docs.test_runbook import parse

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    """Otherwise: `.venv/bin/python -m tests.docs.commands`."""
    assert page() == TEXT


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\$ (mep .*[^\]}.])$", TEXT, re.MULTILINE))))
def test_an_example_is_valid(command: str) -> None:
    parse(command)


def test_nothing_is_cut() -> None:
    assert not re.findall(r"^\* .*\w\.\.\.$", TEXT, re.MULTILINE)
