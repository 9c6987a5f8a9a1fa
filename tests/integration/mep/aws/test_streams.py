"""Commands of each kind, with output streams that fail: a closed pipe, a full disk, an encoding that lacks characters.

The work is done to its end, the exit status is that of the work, or 3 where the output is lost, and there is at most
one line on standard error.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mep.errors import ExitStatus
from tests.integration.mep.aws.account import SECRET, Account
from tests.integration.mep.aws.conftest import variables
from tests.support.aws_account import ok
from tests.support.forked_cli import Forks, forks

EVENT = {
    "id": "e-1",
    "source": "signal9.advisor",
    "detail-type": "earningsProcessed",
    "detail": {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "note": "é … 😀"},
}
MESSAGE = {
    "MessageId": "7d4c0000-0000-4000-8000-000000000000",
    "ReceiptHandle": "handle",
    "Body": json.dumps(EVENT),
    "Attributes": {"SentTimestamp": "1772359200000", "ApproximateReceiveCount": "1"},
    "MessageAttributes": {
        name: {"DataType": "String", "StringValue": text}
        for name, text in {"SOURCE": "handler", "ERROR_CODE": "throttling", "ERROR_MESSAGE": "busy … é"}.items()
    },
}
COMMANDS: dict[str, tuple[tuple[str, ...], ExitStatus]] = {
    # name: the arguments, the exit status of the work
    "help": (("--help",), ExitStatus.DONE),
    "trace": (("trace", "q2-AAPL-17"), ExitStatus.FAILED),
    "list": (("dlq", "list"), ExitStatus.DONE),
    "show --json": (("dlq", "show", "7d4c0000", "--json"), ExitStatus.DONE),
    "redrive": (("dlq", "redrive", "--operator", "alice"), ExitStatus.DONE),
    "discard": (
        ("dlq", "discard", "--category", "throttling", "--reason", "a test", "--yes", "--operator", "alice"),
        ExitStatus.DONE,
    ),
    "local": (("local", "--calendar", "é ….csv", "--events", "-", "--out", "out"), ExitStatus.WRONG_USAGE),
    "dashboard": (("dashboard", "--run", "é …", "--out", "page.html"), ExitStatus.WRONG_USAGE),
}

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def processes() -> Iterator[Forks]:
    """Import everything once."""
    with forks() as started:
        yield started


@pytest.fixture
def run(processes: Forks, account: Account, endpoint: str, tmp_path: Path) -> Run:
    """Run a command on a queue with one message; return its exit status, its output and its error lines."""
    account.replies |= {
        "ReceiveMessage": ok(Messages=[MESSAGE]),
        "ListRules": ok(Rules=[{"Name": "mark", "State": "ENABLED", "EventPattern": "{}"}]),
        "ListTargetsByRule": ok(Targets=[{"Id": "f", "Arn": "arn:aws:lambda:eu-central-1:1:function:f"}]),
        "TestEventPattern": ok(Result=True),
        "PutEvents": ok(FailedEntryCount=0, Entries=[{"EventId": "x"}]),
    }

    def run(command: str, *, out: str = "", encoding: str = "utf-8") -> tuple[int, str, str]:
        shown, error = tmp_path / "shown", tmp_path / "error"
        status = processes.run(
            COMMANDS[command][0],
            variables(endpoint, {}),
            out=out or str(shown),
            error=str(error),
            encoding=encoding,
        )
        text = error.read_text(encoding)
        assert "Traceback" not in text
        assert SECRET not in text
        return status, "" if out else shown.read_text(encoding), text

    return run


@pytest.mark.parametrize("command", ["trace", "redrive", "discard", "local"])
def test_a_closed_pipe_ends_the_output_and_not_the_command(command: str, run: Run, account: Account) -> None:
    status, _, error = run(command, out="|")

    assert status == COMMANDS[command][1]
    assert error.count("\n") == (status != ExitStatus.DONE)
    assert ("DeleteMessage" in account.operations()) == (command in {"redrive", "discard"})


@pytest.mark.parametrize("command", ["help", "trace", "redrive", "local"])
def test_lost_output_is_reported(command: str, run: Run, account: Account) -> None:
    status, _, error = run(command, out="/dev/full")

    work = COMMANDS[command][1]
    assert status == (work or ExitStatus.UNAVAILABLE)
    wrote = work is not ExitStatus.WRONG_USAGE
    assert ("mep: standard output cannot be written: No space left on device" in error) == wrote
    assert error.count("\n") == (work != ExitStatus.DONE) + wrote
    assert ("DeleteMessage" in account.operations()) == (command in {"redrive", "discard"})


@pytest.mark.parametrize("command", ["help", "list", "local"])
def test_a_closed_output_is_reported(command: str, run: Run) -> None:
    status, _, error = run(command, out="&-")

    work = COMMANDS[command][1]
    assert status == (work or ExitStatus.UNAVAILABLE)
    wrote = work is not ExitStatus.WRONG_USAGE
    assert ("mep: standard output cannot be written: it is closed" in error) == wrote
    assert error.count("\n") == (work != ExitStatus.DONE) + wrote


@pytest.mark.parametrize("command", ["list", "show --json", "local", "dashboard"])
def test_an_encoding_changes_no_exit_status(command: str, run: Run) -> None:
    status, shown, error = run(command, encoding="ascii")

    assert status == COMMANDS[command][1]
    assert error.count("\n") == (status != ExitStatus.DONE)
    if command == "show --json":
        assert "note" in json.dumps(json.loads(shown))
