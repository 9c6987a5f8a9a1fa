"""docs/rehearsal.md: each alarm is set off by the options of its row, and by no run without a fault."""

import io
import json
import re
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from rich.console import Console

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from mep.cli import app
from mep.dashboard.run import read_run
from mep.local.faults import KINDS, parse_faults
from mep.local.function_env import parse_env
from mep.local.jsonl import read_jsonl
from mep.local.options import RunOptions
from mep.local.run import run
from monitoring.alarm_states import State
from monitoring.alarms import EVERY_ALARM, alarms
from monitoring.composites import COMPOSITES
from monitoring.log_alarms import LOG_ALARM
from monitoring.model import Limits
from tests.docs.markdown import tables
from tests.support.command_line import mep
from tests.support.events import DATE, event
from tests.support.run_helpers import write_calendar, write_events

TABLES = dict(tables((PROJECT_ROOT / "docs" / "rehearsal.md").read_text(encoding="utf-8")))
FAULTS = TABLES["| fault | what happens | without COUNT, the event ends as |"]
ALARMS = {alarm.strip("`"): (options, events) for alarm, options, events in TABLES["| alarm | options | events |"]}
EVALUATOR_ONLY = {
    *("memory", "dlq-age", "silence", "unmatched-events", "dynamodb-system-errors", "dynamodb-write-throttles"),
    *("notification-failures", "failed-events"),
}
LATER = timedelta(minutes=5)

Rehearse = Callable[[str, str], Path]


def test_every_alarm_and_every_fault_is_listed() -> None:
    assert set(ALARMS) == {
        *(alarm.name for alarm in alarms(EVERY_ALARM)),
        *(composite.name for composite in COMPOSITES),
        LOG_ALARM.name,
    }
    assert {name for name, (options, _) in ALARMS.items() if options.startswith("evaluator only: ")} == EVALUATOR_ONLY
    assert [name.strip("`") for name, *_ in FAULTS] == list(KINDS)
    rehearsed = {fault for options, _ in ALARMS.values() for fault in re.findall(r"--fault ([a-z-]+)", options)}
    assert rehearsed == set(KINDS), "every fault sets off an alarm"


def words(options: str) -> list[str]:
    """Return the options of a row for `mep local`."""
    return shlex.split(options.strip("`"))


def parsed(options: str) -> dict[str, Any]:
    """Return the options as the command line reads them."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("mep", ["local"], resilient_parsing=True)
    _, local, _ = command.resolve_command(context, ["local"])
    files = ["--calendar", "c", "--events", "e", "--out", "o"]
    return dict(local.make_context("local", [*files, *words(options)], parent=context).params)


def inputs(text: str, prefix: str) -> tuple[list[tuple[str, str]], list[Any]]:
    """Return the calendar's rows and the events that a row of the table describes."""
    count = int(re.match(r"[0-9]+", text)[0])  # type: ignore[index]
    rows = [(f"{prefix}{number}", DATE) for number in range(count)]
    events = [event(symbol, DATE, number) for number, (symbol, _) in enumerate(rows)]
    what = text.removeprefix(str(count)).removesuffix(", twice").strip(", ")
    if what == "without `earnings_date`":
        for each in events:
            del each["detail"]["earnings_date"]
    elif what == "without a row":
        rows = []
    elif what == "and a second event for each row":
        events += [event(symbol, DATE, count + number) for number, (symbol, _) in enumerate(rows)]
    else:
        assert not what
    return rows, events


@pytest.fixture(scope="module")
def rehearse(
    dynamodb_endpoint: DynamoDBEndpoint, queue_endpoint: QueueEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Rehearse:
    """Run `mep local` as a row says, once for all rows that say the same; return its files."""
    done: dict[tuple[str, str], Path] = {}

    def rehearsed(options: str, text: str) -> Path:
        key = (" ".join(words(options)), text.removesuffix(", twice"))
        if key not in done:
            folder = tmp_path_factory.mktemp("rehearsal")
            given = parsed(options)
            rows, events = inputs(text, f"R{len(done)}-")
            chosen = RunOptions(
                calendar=write_calendar(folder / "calendar.csv", rows),
                events=write_events(folder / "events.jsonl", events),
                out=folder / "out",
                endpoint_url=dynamodb_endpoint.url,
                workers=1,
                timeout_s=given["timeout"],
                speed=max(given["speed"], 10_000),  # of the platform's waits, on which no alarm depends
                env=tuple(parse_env(given["env"] or ()).items()),
                faults=parse_faults(given["fault"] or ()),
            )
            queue = create_queue(queue_endpoint.url, f"rehearsal-{len(done)}")
            summary = run(chosen, Console(file=io.StringIO()), queue=queue)
            assert summary.accounted
            assert summary.received == len(events)
            done[key] = chosen.out
        return done[key]

    return rehearsed


@cache
def in_alarm(out: Path) -> set[str]:
    """Return the alarms that are in ALARM on the metrics of a run."""
    return {name for name, state in read_run(out, Limits()).alarm_states().items() if state is State.ALARM}


def repeated(out: Path, folder: Path) -> Path:
    """Return the metrics of a run that was repeated five minutes later."""
    documents, points = list(read_jsonl(out / "metrics.jsonl")), list(read_jsonl(out / "platform.jsonl"))
    for document in orjson.loads(orjson.dumps(documents)):
        document["_aws"]["Timestamp"] += LATER.total_seconds() * 1000
        documents.append(document)
    for point in orjson.loads(orjson.dumps(points)):
        later = datetime.fromisoformat(point["timestamp"]) + LATER
        points.append(point | {"timestamp": later.isoformat()})
    for name, lines in (("metrics", documents), ("platform", points)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return folder


@pytest.mark.parametrize("name", sorted(ALARMS.keys() - EVALUATOR_ONLY))
def test_the_options_of_its_row_set_an_alarm_off(name: str, rehearse: Rehearse, tmp_path: Path) -> None:
    options, text = ALARMS[name]
    out = rehearse(options, text)
    if text.endswith(", twice"):
        assert name not in in_alarm(out), "one short run has one period"
        out = repeated(out, tmp_path)

    assert name in in_alarm(out)


def look_first() -> list[tuple[str, str]]:
    """Return each alarm that a run sets off, with each saved query that its section of the runbook names first."""
    text = (PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([a-z-]+)$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    parts = {name: section.partition("**Look first.**")[2].partition("\n**")[0] for name, section in sections.items()}
    commands = {name: re.findall(r"`uv run (mep\s+query\s[^`]+)`", part) for name, part in parts.items()}
    return [(name, command) for name in ALARMS.keys() - EVALUATOR_ONLY for command in commands.get(name, ())]


LOOK_FIRST = sorted(look_first())
NOT_REHEARSED = {
    ("error-rate-conflict", "duplicates"),  # of an event that is sent many times
    ("error-rate-throttling", "retries"),  # the timeout of the rehearsal has no time for a second attempt
    ("error-rate-internal", "telemetry-trouble"),  # the fault is an error of DynamoDB, not of the function
}


@pytest.mark.parametrize(("name", "command"), LOOK_FIRST)
def test_what_the_runbook_looks_at_first_has_an_answer(
    name: str, command: str, rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = rehearse(*ALARMS[name])
    capsys.readouterr()

    assert mep(monkeypatch, *shlex.split(command)[1:], "--run", out, "--json") == 0

    answer = json.loads(capsys.readouterr().out)
    assert answer["complete"]
    assert bool(answer["rows"]) != ((name, answer["query"]) in NOT_REHEARSED)


def test_the_runbook_has_queries_to_rehearse() -> None:
    assert len(LOOK_FIRST) > 15


def test_no_alarm_without_a_fault(rehearse: Rehearse, tmp_path: Path) -> None:
    out = rehearse("", "10")

    assert in_alarm(out) == set()
    assert in_alarm(repeated(out, tmp_path)) == set()
