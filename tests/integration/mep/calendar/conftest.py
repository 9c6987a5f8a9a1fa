"""The function on tables of its own, and the variables of an operator's commands about them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.harness import Harness, Services, make_harness
from tests.support.stores import DeadLetters, Tables


@pytest.fixture
def harness(tables: Tables, dead_letters: DeadLetters) -> Iterator[Harness]:
    """The function on tables of its own."""
    with ExitStack() as stack:
        yield make_harness(stack, Services(tables, dead_letters))


@pytest.fixture
def environ(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables of an operator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.url)
    monkeypatch.setenv("EARNINGS_CALENDAR_TABLE", tables.calendar_table)
    monkeypatch.setenv("EARNINGS_AUDIT_TABLE", tables.audit_table)
    return monkeypatch
