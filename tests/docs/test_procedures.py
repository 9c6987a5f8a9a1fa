"""The commands of procedures.md, rehearsal.md, the runbook and the rollback exist; those on the tables run."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore import xform_name

from emulator.environment import PROJECT_ROOT
from mep.errors import ExitStatus
from monitoring.model import Severity
from monitoring.names import StackNames
from tests.docs.test_runbook import parse as parse_mep
from tests.integration.harness import Harness, Services, make_harness
from tests.support.aws_cli import VARIABLES, expand, parse, texts
from tests.support.command_line import mep
from tests.support.events import unique_event
from tests.support.stores import DeadLetters, Tables

DOCS = PROJECT_ROOT / "docs"
REHEARSAL = (DOCS / "rehearsal.md").read_text()
IN_AWS = REHEARSAL.partition("\n## In dev or staging\n")[2]
OF_THE_CLI_ALONE = ("aws sso login", "aws logs tail ")
SYMBOL, DATE = "AAPL", "2026-10-29"


def page(name: str) -> str:
    return (DOCS / name).read_text()


ROLLBACK = page("deploy.md").partition("\n### Roll back by hand\n")[2].partition("\n## ")[0]
PAGES = (page("procedures.md"), page("runbook.md"), REHEARSAL, ROLLBACK)


@pytest.mark.parametrize("command", sorted({command for text in PAGES for command in texts(text)}))
def test_an_aws_command_is_valid(command: str) -> None:
    if not command.startswith(OF_THE_CLI_ALONE):
        parse(command)


@pytest.mark.parametrize(
    "wrong",
    [
        "aws lambda put-function-concurrencies --function-name f",
        "aws lambda put-function-concurrency --function-name f",
        "aws lambda put-function-concurrency --function-name f --reserved-concurrent-executions 5 --qualifier live",
        'aws dynamodb get-item --table-name t --key \'{"a": "text"}\'',
    ],
)
def test_an_invalid_aws_command_is_detected(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"no such|[Mm]issing|Invalid"):
        parse(wrong)


def mep_commands(text: str) -> set[str]:
    """Return the `mep` commands of a page."""
    found = re.findall(r"`uv run (mep [^`]+)`|^ {4,}(?:step )?uv run (mep .+)$", text, re.MULTILINE)
    return {" ".join((inline or block).split()) for inline, block in found}


@pytest.mark.parametrize("command", sorted(mep_commands(page("procedures.md")) | mep_commands(REHEARSAL)))
def test_a_mep_command_is_valid(command: str) -> None:
    parse_mep(command)


@pytest.fixture
def harness(tables: Tables, dead_letters: DeadLetters) -> Iterator[Harness]:
    """The function on tables of its own."""
    with ExitStack() as stack:
        yield make_harness(stack, Services(tables, dead_letters))


def test_the_commands_about_a_row_run(
    harness: Harness, tables: Tables, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page: look at it, remove its mark, look again."""
    variables = {
        **VARIABLES,
        "EARNINGS_CALENDAR_TABLE": tables.calendar_table,
        "EARNINGS_AUDIT_TABLE": tables.audit_table,
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.url)
    monkeypatch.setenv("EARNINGS_CALENDAR_TABLE", tables.calendar_table)
    monkeypatch.setenv("EARNINGS_AUDIT_TABLE", tables.audit_table)
    tables.put_row(SYMBOL, DATE)
    event = unique_event({"asset_symbol": SYMBOL, "earnings_date": DATE})
    assert harness(event).outcome_line["outcome"] == "marked"

    def look() -> list[object]:
        section = page("procedures.md").partition("## Look at a row\n")[2].partition("\n## ")[0]
        commands = [parse(text, variables) for text in texts(section)]
        assert [command.operation for command in commands] == ["GetItem", "Query", "Query"]
        replies = [getattr(tables.client, xform_name(each.operation))(**each.parameters) for each in commands]
        row, (_, *_), (item,) = replies[0]["Item"], replies[1]["Items"], replies[2]["Items"]
        assert set(item) <= {"earnings_date", "is_processed", "last_sync_timestamp"}
        return [row["is_processed"]["BOOL"], item["is_processed"]["BOOL"], len(replies[1]["Items"])]

    assert look() == [True, True, 1]
    section = page("procedures.md").partition("## Remove a mark\n")[2].partition("\n## ")[0]
    dry_run, removal = re.findall(r"^    uv run mep (calendar unmark .+)$", section, re.MULTILINE)
    for command, after in ((dry_run, [True, True, 1]), (f"{removal} --yes", [False, False, 2])):
        assert mep(monkeypatch, *shlex.split(command)) == ExitStatus.DONE
        assert look() == after
    assert mep(monkeypatch, "calendar", "check", "--symbol", SYMBOL, "--grace", "36500d") == ExitStatus.DONE
    capsys.readouterr()


def in_bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with programs that only record their arguments in place of `aws` and `uv`."""
    says = {"aws": "echo arn:aws:iam::1:role/the-role", "uv": 'test "$3" != env || echo "export ENVIRONMENT=$4"'}
    for name, line in says.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/calls"\n{line}\n')
        program.chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    environ = {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run([bash, "-uc", script], env=environ, capture_output=True, text=True, check=False, timeout=60)


def blocks(text: str) -> list[str]:
    """Return the indented blocks of a page as scripts."""
    return [
        re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    ]


READS = ("uv run mep env ", "aws lambda get-function-configuration ")
"""What the page does not do through `step`."""


def changes(folder: Path) -> list[str]:
    """Return the calls that the script has made, without those that only read."""
    return [call for call in (folder / "calls").read_text().splitlines() if not call.startswith(READS)]


@pytest.mark.parametrize("environment", ["prod", "production", "prod-dev-not", "''"])
def test_a_game_day_refuses_other_environments(environment: str, tmp_path: Path) -> None:
    script = "\n".join(blocks(IN_AWS)).replace("mep env staging", f"mep env {environment}").replace("=1\n", "=\n")

    done = in_bash(script, tmp_path)

    assert "refused: mark-earnings-processed-" in done.stderr
    assert changes(tmp_path) == []


def test_a_game_day_begins_dry(tmp_path: Path) -> None:
    """What is printed with `DRY_RUN=1` is what is called without it; and every failure is undone."""
    script = "\n".join(blocks(IN_AWS))
    dry = in_bash(script, tmp_path)
    assert (dry.returncode, dry.stderr) == (0, "")
    printed = [line.removeprefix("+ ") for line in dry.stdout.splitlines() if line.startswith("+ ")]
    assert changes(tmp_path) == []

    assert in_bash(script.replace("DRY_RUN=1", "DRY_RUN="), tmp_path).returncode == 0

    made = changes(tmp_path)
    assert made == printed
    assert all("prod" not in call.replace("processed", "") for call in made)
    operations = [" ".join(call.split()[1:3]) for call in made if call.startswith("aws ")]
    for failure, undo in {
        "iam put-role-policy": "iam delete-role-policy",
        "lambda put-function-concurrency": "lambda delete-function-concurrency",
        "dynamodb update-item": "dynamodb delete-item",
    }.items():
        assert operations.count(failure) == operations.count(undo) > 0
        assert operations.index(failure) < operations.index(undo)


def test_its_alarms_notify_each_topic() -> None:
    names = StackNames("staging")
    named = set(re.findall(r"--alarm-name \"\$NAME-([a-z-]+)\"", REHEARSAL))

    assert {names.alarms()[names.alarm(name)] for name in named} == set(Severity)


def test_the_denial_is_a_policy() -> None:
    (command,) = (text for text in texts(REHEARSAL) if "put-role-policy" in text)
    document = json.loads(str(parse(expand(command)).parameters["PolicyDocument"]))
    assert document["Statement"] == {"Effect": "Deny", "Action": "dynamodb:UpdateItem", "Resource": "*"}
