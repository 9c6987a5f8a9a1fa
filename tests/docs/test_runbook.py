"""The runbook: every alarm has a section, and every name in a section exists."""

import re
import shlex
from typing import Any

import pytest
import typer

from emulator.environment import PROJECT_ROOT
from handler.classification import CATEGORY_BY_CODE
from handler.errors import ErrorCategory
from handler.outcome import INSTRUMENTATION
from mep import cli
from mep.dlq.model import DeadLetterSource
from monitoring.alarms import EVERY_ALARM, alarms, headings, notifications
from monitoring.operator_metrics import AUTOMATIC_METRICS
from monitoring.operator_metrics import METRICS as OPERATORS_METRICS
from monitoring.queries import QUERIES
from monitoring.reference import runbook
from otel.event_types import EventType
from redriver.policy import Kept
from redriver.redrive import Status
from redriver.report import CALENDAR_LINE, REDRIVE_LINE

RUNBOOK = PROJECT_ROOT / "docs" / "runbook.md"
TEXT = RUNBOOK.read_text(encoding="utf-8")
HEADINGS = headings(EVERY_ALARM)
PLATFORM_METRICS = {metric.name for alarm in alarms(EVERY_ALARM) for metric in alarm.metrics.values()}
OTHERS_METRICS = {
    # On AWS's own dashboards; the function does not emit them, and no alarm uses them.
    *("WriteThrottleEvents", "ConcurrentExecutions", "Invocations", "Throttles"),
}
AWS_WORDS = {
    *("ResourceNotFoundException", "ValidationException", "EventAgeExceeded", "ZeroReservedConcurrency", "DynamoDB"),
    # Of throttling reasons: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html.
    *("ProvisionedThroughputExceeded", "MaxOnDemandThroughputExceeded", "AccountLimitExceeded"),
    *("KeyRangeThroughputExceeded", "BeforeAllowTraffic"),
}


def sections() -> dict[str, str]:
    """Return the sections by heading."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands() -> list[str]:
    """Return every `mep` command in the runbook."""
    inline = re.findall(r"`uv run (mep [^`]+)`", TEXT)
    blocks = re.findall(r"^ {4,}uv run (mep .+)$", TEXT, flags=re.MULTILINE)
    return sorted({" ".join(each.split()) for each in (*inline, *blocks)})


def parse(command: str) -> None:
    """Parse a command line without running it.

    Raises:
        Exception: There is no such command, option or argument.
    """
    name, *words = shlex.split(command)
    found: Any = typer.main.get_command(cli.app)
    context = found.make_context(name, words, resilient_parsing=True)
    while hasattr(found, "resolve_command"):
        name, found, words = found.resolve_command(context, words)
        assert found is not None, f"no such command: {command}"
        if hasattr(found, "resolve_command"):
            context = found.make_context(name, list(words), parent=context, resilient_parsing=True)
    found.make_context(name, words, parent=context)


def test_the_table_of_severities_is_up_to_date() -> None:
    """Generate it with `uv run python -m monitoring.reference`."""
    assert runbook(TEXT) == TEXT
    assert TEXT.count("\n| [") == len(notifications(EVERY_ALARM)) + 2, "and the log alarm and that of the redrive"


def test_every_alarm_has_a_section() -> None:
    found = [heading for heading in sections() if heading != "Before anything else"]
    assert sorted(found) == sorted(HEADINGS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_section_has_five_parts(heading: str) -> None:
    words = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", sections()[heading], flags=re.MULTILINE)
    assert words == ["Means", "Look first", "Common causes", "Do", "Resolved when"]


def test_metrics_queries_and_alarms_exist() -> None:
    known = (
        INSTRUMENTATION.metrics.keys()
        | OPERATORS_METRICS.keys()
        | AUTOMATIC_METRICS.keys()
        | PLATFORM_METRICS
        | OTHERS_METRICS
        | AWS_WORDS
        | CATEGORY_BY_CODE.keys()
        | {"NoTimeForAnAttempt"}  # of `handler.retry`
    )
    for name in set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*[A-Z][A-Za-z]*)`", TEXT)):
        assert name in known, name
    queries = {query.name for query in QUERIES}
    named = {words[2] for words in map(str.split, commands()) if words[1] == "query"}
    assert named
    assert named <= queries
    assert not re.findall(r"[Qq]uer(?:y|ies) `([a-z-]+)`", TEXT), "each is a command"
    names = {alarm.name for alarm in alarms(EVERY_ALARM)} | set(headings(EVERY_ALARM))
    hyphened = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", TEXT)) - queries - {"detail-type"}
    assert hyphened <= names


def test_fields_and_categories_exist() -> None:
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TEXT))
    others = {
        "last_sync_timestamp",
        *DeadLetterSource,
        "dead_letter",
        *("silence_hours", "other_detail_types"),
        *(REDRIVE_LINE, CALENDAR_LINE, *Status, *Kept),
    }  # of the calendar sync, the shapes of dead letters, a timing, keys of an environment's file, automatic redrive
    categories = {category.value for category in ErrorCategory}
    assert words - others <= INSTRUMENTATION.log_fields | categories | set(EventType)
    for category in re.findall(r"--category ([a-z_]+)", TEXT):
        assert category in categories


@pytest.mark.parametrize("command", commands())
def test_a_command_is_valid(command: str) -> None:
    parse(command)


def test_commands_of_operators_only() -> None:
    assert {command.split()[1] for command in commands()} == {"trace", "dlq", "query", "calendar"}
    assert not [command for command in commands() if "unmark" in command]
    assert len(commands()) > 15


def test_invalid_commands_are_detected() -> None:
    for wrong in ("mep dlq redrive --categories x", "mep trace", "mep dlq list --older-than", "mep nothing"):
        with pytest.raises(Exception, match=r"(?i)no such|missing|requires an argument"):
            parse(wrong)
