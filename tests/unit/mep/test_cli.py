"""The command line of `mep`: help, exit statuses, one-line errors."""

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator.environment import PROJECT_ROOT
from emulator.errors import EmulatorError, InputError
from emulator.services.dynamodb import DynamoDBEndpoint
from mep import cli
from mep.demo import scenarios as demo_module
from mep.demo.checks import Check
from mep.demo.scenarios import DemoContext
from mep.errors import RunError, UsageError
from mep.local import run as run_module
from mep.local.options import RunOptions
from mep.local.run_files import JsonLines, RunFiles
from mep.local.summary import Summary
from tests.support.command_line import mep
from tests.support.run_helpers import write_calendar, write_events

SUMMARY = Summary(
    received=2,
    rejected=1,
    rejected_rows=0,
    marked=1,
    duplicate=1,
    dead_lettered=0,
    retry=0,
    tries_raised=0,
    elapsed_s=1,
    invocations=2,
    undelivered=0,
    spans=4,
    spans_lost=0,
    interrupted=False,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """Record the options of runs instead of running them."""
    asked: list[RunOptions] = []

    def run(options: RunOptions, *_: object, on_complete: object, beside: object) -> Summary:
        assert on_complete is None
        assert beside is nullcontext, "a page is served with --keep --open only"
        asked.append(options)
        return SUMMARY

    monkeypatch.setattr(run_module, "run", run)
    return asked


NAMED = ("--calendar", "c.csv", "--events", "e.jsonl", "--out", "there")


@pytest.mark.parametrize("arguments", [["--help"], ["local", "--help"], ["invoke", "-h"], ["demo", "--help"]])
def test_help_fits_and_explains(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.app, arguments, terminal_width=100, env={"COLUMNS": "100", "NO_COLOR": "1"})

    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 100
    assert "Usage: " in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["local"],
        ["local", *NAMED, "--workers", "0"],
        ["local", *NAMED, "--timeout", "901"],
        ["local", *NAMED, "--memory", "64"],
        ["local", *NAMED, "--endpoint-url", "127.0.0.1:8000"],
        ["invoke"],
    ],
)
def test_wrong_usage_is_exit_status_2(
    arguments: list[str], asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mep(monkeypatch, *arguments) == 2
    assert asked == []


def test_local_runs_and_shows_the_outcomes(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--workers", 4, "--timeout", 7, "--memory", 256, "--speed", 60)

    assert mep(monkeypatch, "local", *NAMED, *more) == 0

    paths = (Path("c.csv"), Path("e.jsonl"), Path("there"))
    assert asked == [RunOptions(*paths, workers=4, timeout_s=7, memory_mb=256, speed=60)]
    shown = capsys.readouterr().out
    assert "written to there" in shown
    assert "duplicate" in shown


def test_an_endpoint_gets_the_callers_credentials(asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    arguments = ("local", "--calendar", "c.csv", "--events", "-", "--out", "there")

    mep(monkeypatch, *arguments, "--endpoint-url", "http://127.0.0.1:8000")
    mep(monkeypatch, *arguments)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    mep(monkeypatch, *arguments, "--endpoint-url", "http://127.0.0.1:8000")

    given, embedded, incomplete = asked
    assert given.events is None
    assert given.endpoint_url == "http://127.0.0.1:8000"
    own = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert (given.region, dict(given.credentials)) == ("eu-west-1", own)
    local = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    assert (embedded.region, dict(embedded.credentials)) == ("us-east-1", local)
    assert (incomplete.region, dict(incomplete.credentials)) == ("us-east-1", local)


def test_a_container_needs_its_endpoint(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "local", *NAMED, "--function-url", "localhost:9000") == 2
    assert mep(monkeypatch, "local", *NAMED, "--function-url", "http://localhost:9000") == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "must be a URL such as" in first
    assert "needs --endpoint-url" in second

    urls = ("--function-url", "http://localhost:9000", "--endpoint-url", "http://127.0.0.1:8000")
    assert mep(monkeypatch, "local", *NAMED, *urls) == 0
    assert asked[0].function_url == "http://localhost:9000"


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"marked": 0}, 1, "not every event has exactly one outcome"),
        ({"interrupted": True}, 130, "interrupted"),
        ({"undelivered": 2}, 1, "rejected 2 records: see there/undelivered.jsonl"),
        ({"spans_lost": 3}, 0, "3 span datagrams were lost"),
    ],
)
def test_the_exit_status_depends_on_the_accounting(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: list[RunOptions],
    change: dict[str, Any],
    status: int,
    text: str,
) -> None:
    summary = Summary(**{**SUMMARY.as_dict(), **change})
    monkeypatch.setattr(run_module, "run", lambda *_, **__: summary)

    assert mep(monkeypatch, "local", *NAMED) == status

    assert text in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("events", "rejected", "status", "text"),
    [
        ("e.jsonl", 0, 1, "mep: no event was delivered: e.jsonl is empty\n"),
        ("e.jsonl", 17, 1, "mep: no event was delivered: e.jsonl has no line that is JSON; see there/rejected.jsonl\n"),
        ("-", 0, 1, "mep: no event was delivered: standard input is empty\n"),
        ("/dev/null", 0, 0, "mep: no event was delivered: /dev/null is empty; the calendar is loaded\n"),
    ],
)
def test_a_run_that_delivers_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    events: str,
    rejected: int,
    status: int,
    text: str,
) -> None:
    nothing = Summary(**{**SUMMARY.as_dict(), "received": 0, "marked": 0, "duplicate": 0, "rejected": rejected})
    monkeypatch.setattr(run_module, "run", lambda *_, **__: nothing)

    assert mep(monkeypatch, "local", "--calendar", "c.csv", "--events", events, "--out", "there") == status

    output = capsys.readouterr()
    assert output.err == text
    assert ("received" in output.out) == bool(rejected), "a table of zeros has no information"


def test_errors_are_one_line_without_a_stack_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calendar = write_calendar(tmp_path / "c.csv", [("AAPL", "31.07.2025")])
    good = write_calendar(tmp_path / "good.csv", [("AAPL", "2025-07-31")])
    events = write_events(tmp_path / "e.jsonl", [1])
    file = tmp_path / "file"
    file.touch()

    def local(calendar: Path, events: Path, out: Path) -> str:
        assert mep(monkeypatch, "local", "--calendar", calendar, "--events", events, "--out", out) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("mep: ")
        return line

    out = tmp_path / "out"
    assert "nowhere.csv" in local(tmp_path / "nowhere.csv", events, out)
    assert "line 2, column reportDate" in local(calendar, events, out)
    assert "nowhere.jsonl" in local(good, tmp_path / "nowhere.jsonl", out)
    assert "file" in local(good, events, file)


@pytest.mark.parametrize(("error", "status"), [(RunError, 1), (EmulatorError, 1), (InputError, 2), (UsageError, 2)])
def test_an_error_is_one_line_and_an_exit_status(
    error: type[Exception], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object, **__: object) -> Summary:
        raise error("the function does not start:\n reasons")

    monkeypatch.setattr(run_module, "run", run)

    assert mep(monkeypatch, "local", *NAMED) == status

    assert capsys.readouterr().err == "mep: the function does not start: reasons\n"


@pytest.mark.parametrize(("failures", "status"), [([], 0), ([Check("all is well", "it is not")], 1)])
def test_the_demo_names_a_failed_check(
    failures: list[Check], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "demo", lambda *_: failures)

    assert mep(monkeypatch, "demo") == status

    expected = "".join(f"mep: check failed: {check.text}\n" for check in failures)
    assert capsys.readouterr().err == expected


def test_an_interrupted_demo_claims_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Summary:
        return Summary(**{**SUMMARY.as_dict(), "interrupted": True})

    def main_job(context: DemoContext) -> list[Check]:
        context.run(Path("out"), "events.jsonl")
        return []

    monkeypatch.setattr(demo_module, "run", interrupted)
    monkeypatch.setattr(demo_module, "SCENARIOS", (lambda _: [], main_job))
    for name in ("start_dynamodb", "start_queue"):
        monkeypatch.setattr(demo_module, name, lambda *_: DynamoDBEndpoint("", "dynamodb-local"))

    assert mep(monkeypatch, "demo") == 130

    output = capsys.readouterr()
    assert "PASS" not in output.out
    assert output.err == "mep: interrupted: 1 of 2 scenarios ended, and nothing was checked\n"


def test_a_defect_is_one_line_without_the_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(*_: object, **__: object) -> Summary:
        raise LookupError("a secret\nof an event")

    def in_a_thread(*_: object, **__: object) -> Summary:
        thread = Thread(target=defect)
        thread.start()
        thread.join()
        return SUMMARY

    monkeypatch.setattr(run_module, "run", in_a_thread)
    assert mep(monkeypatch, "local", *NAMED) == 0
    assert re.fullmatch(r"mep: a defect of mep: LookupError at test_cli\.py.*\n", capsys.readouterr().err)

    monkeypatch.setattr(run_module, "run", defect)
    assert mep(monkeypatch, "local", *NAMED) == 1
    output = capsys.readouterr()
    assert re.fullmatch(
        r"mep: a defect of mep: LookupError at test_cli\.py:\d+ \(defect\) < command\.py:\d+ \(local_command\) < .*\n",
        output.err,
    )
    assert "secret" not in output.err + output.out


def test_a_second_interrupt_ends_at_once() -> None:
    code = """
import os, signal, sys, time
from mep.interrupts import INTERRUPTS
INTERRUPTS.install()
try:
    os.kill(os.getpid(), signal.SIGTERM)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "mep: ended at once: the output and the files are incomplete\n"


def test_a_full_disk_stops_the_run_and_names_the_files(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(**{**SUMMARY.as_dict(), "incomplete": ("logs.jsonl", "spans.jsonl")})
    monkeypatch.setattr(run_module, "run", lambda *_, **__: summary)

    assert mep(monkeypatch, "local", *NAMED) == 3

    output = capsys.readouterr()
    assert "duplicate" in output.out, "the summary is shown"
    assert output.err == "mep: there cannot be written, so the run stopped; incomplete: logs.jsonl, spans.jsonl\n"
    assert asked == []


def test_files_on_a_full_disk_raise_in_no_thread(tmp_path: Path) -> None:
    with RunFiles(tmp_path) as files:
        full = JsonLines(Path("/dev/full").open("wb"))  # noqa: SIM115 - `full` closes it
        files.logs = files._opened["logs.jsonl"] = full
        for _ in range(3):
            files.function_line("stdout", json.dumps({"message": "x" * 100_000}))
        files.flush()

        assert files.incomplete == ("logs.jsonl",)
        full.close()


def test_an_error_of_the_operating_system_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object, **__: object) -> Summary:
        raise OSError(28, "No space left on device", "/tmp/mep")

    monkeypatch.setattr(run_module, "run", run)

    assert mep(monkeypatch, "local", *NAMED) == 3
    assert capsys.readouterr().err == "mep: /tmp/mep: No space left on device\n"
