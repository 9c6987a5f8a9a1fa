"""A run of `mep local --keep` and an operator's commands beside it, all of them processes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from emulator.faults import Exchange, Fault, FaultProxy, Reply, answer, http_status, throttled
from tests.support.events import event
from tests.support.forked_cli import Forks, forks
from tests.support.run_helpers import write_calendar

DATE = "2031-01-15"
"""Of rows that no other test has: the DynamoDB is shared, its tables have their default names."""
LATER = "2031-01-16"
"""Of a row that is there for one command only."""
_MEP = str(Path(sys.executable).with_name("mep"))
_START_SECONDS = 240
_NOBODY = "http://127.0.0.1:9"
_JSON = {"Content-Type": "application/x-amz-json-1.0"}


@dataclass
class Ended:
    """A command that has ended.

    Attributes:
        status: Its exit status.
        output: Its standard output.
    """

    status: int
    output: str

    @property
    def json(self) -> Any:
        """The one JSON value that it printed."""
        return json.loads(self.output)


@dataclass
class KeptRun:
    """What the run left behind.

    Attributes:
        out: Its directory.
        status: Its exit status.
        variables: Those that `kept.env` exports.
        files: Names of the files that were in its directory while it ran or afterwards.
        commands: What the commands beside it printed, by name.
        operator_metrics: What the commands sent to CloudWatch, as `PutMetricData` carries it.
    """

    out: Path
    status: int = -1
    variables: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    commands: dict[str, Ended] = field(default_factory=dict)
    operator_metrics: list[dict[str, Any]] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Any]:
        """Its `summary.json`."""
        return dict(json.loads((self.out / "summary.json").read_text()))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The JSON objects of one of its JSON Lines files."""
        return [json.loads(line) for line in (self.out / f"{name}.jsonl").read_text().splitlines()]


def mep(*words: object, **environ: str) -> Ended:
    """Run a command to its end."""
    command = [_MEP, *map(str, words)]
    ended = subprocess.run(
        command,
        env=dict(os.environ) | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
    )
    return Ended(ended.returncode, ended.stdout)


def kept_run(dynamodb_url: str, directory: Path) -> KeptRun:
    """Run events of every kind with `mep local --keep`, and the dead-letter commands beside it.

    Args:
        dynamodb_url: A DynamoDB, which other runs may share.
        directory: For the input and the run's files.
    """
    run = KeptRun(directory / "out")
    accepted = answer(Reply(200, b"{}", _JSON), name="accepted")
    with (
        forks() as processes,
        FaultProxy(dynamodb_url, otherwise=Fault("by symbol", _Failing())) as dynamodb,
        FaultProxy(_NOBODY, otherwise=accepted) as cloudwatch,
    ):
        mep = partial(_command, run, processes, directory)
        with _keeping(run, dynamodb.url, directory) as environ:
            _work(mep, {**environ, "AWS_ENDPOINT_URL_CLOUDWATCH": cloudwatch.url, "MEP_OPERATOR": "contract"})
        run.operator_metrics = [each.request.json for each in cloudwatch.requests]
        run.files |= {path.name for path in run.out.iterdir()}
        mep({}, "trace", "trace", "slow-1", "--run", run.out, "--json")
        mep({}, "query", "query", "failed-events", "--run", run.out, "--json")
        silent = {"AWS_ENDPOINT_URL": _NOBODY, "AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "eu-central-2"}
        mep(silent, "unchecked", "calendar", "check", "--json")
        mep({**silent, "DEAD_LETTER_QUEUE_URL": f"{_NOBODY}/q"}, "unasked", "trace", "slow-1", "--json")
    return run


def _work(mep: Callable[..., None], environ: dict[str, str]) -> None:
    mep(environ, "list", "dlq", "list", "--json")
    mep(environ, "show", "dlq", "show", "lost-1", "--json")
    mep(environ, "redrive", "dlq", "redrive", "--correlation-id", "lost-1", "--force", "--wait", "--json")
    reason = ("--reason", "broken on purpose", "--yes", "--json")
    mep(environ, "discard", "dlq", "discard", "--correlation-id", "broken-1", *reason)
    mep(environ, "check", "calendar", "check", "--from", DATE, "--to", DATE, "--json")
    mep(environ, "unmark", "calendar", "unmark", "AAPL", DATE, "--reason", "marked on purpose", "--yes")
    with _lost_mark(environ):
        mep(environ, "found", "calendar", "check", "--from", LATER, "--to", LATER, "--json")
    refused = {**environ, "AWS_ENDPOINT_URL_LAMBDA": _NOBODY}
    function = ("--force", "--function", "nobody", "--json")
    mep(refused, "refused", "dlq", "redrive", "--correlation-id", "lost-2", *function)


def _command(
    run: KeptRun, processes: Forks, directory: Path, environ: Mapping[str, str], name: str, *words: object
) -> None:
    """Run a command to its end; `name` is that of its result in `run.commands`."""
    output = directory / f"{name}.out"
    status = processes.run(tuple(map(str, words)), environ, out=str(output))
    run.commands[name] = Ended(status, output.read_text())


@contextmanager
def _lost_mark(environ: Mapping[str, str]) -> Iterator[None]:
    """A row of another day, of whose mark only the audit table knows."""
    row = {"asset_symbol": {"S": "AAPL"}, "earnings_date": {"S": LATER}}
    key = {"earnings_key": {"S": f"AAPL#{LATER}"}, "entry_id": {"S": "1"}}
    mark = {name: {"S": "1"} for name in ("recorded_at", "event_id", "correlation_id")}
    calendar, audit = environ["EARNINGS_CALENDAR_TABLE"], environ["EARNINGS_AUDIT_TABLE"]
    with closing(_dynamodb(environ)) as client:
        client.put_item(TableName=calendar, Item=row)
        client.put_item(TableName=audit, Item={**key, **mark, "action": {"S": "mark_processed"}})
        yield
        client.delete_item(TableName=calendar, Key=row)
        client.delete_item(TableName=audit, Key=key)


def _dynamodb(environ: Mapping[str, str]) -> Any:
    """The client of a run's DynamoDB, with the credentials of its commands: a table is of one region and key."""
    session = boto3.Session(region_name=environ["AWS_REGION"])
    return session.client("dynamodb", endpoint_url=environ["AWS_ENDPOINT_URL_DYNAMODB"])


@contextmanager
def _keeping(run: KeptRun, dynamodb_url: str, directory: Path) -> Iterator[dict[str, str]]:
    """Keep a run going; the environment of commands beside it."""
    rows = [*((name, DATE) for name in ("AAPL", "BIG", "FAIL", "SLOW")), ("BAD", "soon")]
    calendar = write_calendar(directory / "calendar.csv", rows)
    events = directory / "events.jsonl"
    events.write_text("".join(f"{line}\n" for line in _events()))
    own = {"AWS_REGION": "eu-central-2", "AWS_DEFAULT_REGION": "eu-central-2"}
    words = ["local", "--calendar", calendar, "--events", events, "--out", run.out, "--workers", 1, "--speed", 10_000]
    with subprocess.Popen(
        [_MEP, *map(str, words), "--endpoint-url", dynamodb_url, "--keep"],
        env=dict(os.environ) | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            kept, started = run.out / "kept.env", time.monotonic()
            while not kept.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() - started < _START_SECONDS
                time.sleep(0.05)
            while not run.variables:
                words_of = (shlex.split(line) for line in kept.read_text().splitlines())
                run.variables = dict(word.split("=", 1) for _, word in words_of)
            run.files |= {path.name for path in run.out.iterdir()}
            yield {**own, **run.variables}
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_START_SECONDS)
            run.status = process.returncode


def _events() -> Iterator[str]:
    def one(number: int, symbol: str, correlation_id: str, **detail: Any) -> str:
        made = event(symbol, DATE, number)
        made["detail"] |= {"correlation_id": correlation_id, **detail}
        return json.dumps(made)

    yield one(1, "AAPL", "marked-1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    yield one(2, "AAPL", "duplicate-1")
    yield one(3, "LOST", "lost-1")
    yield one(4, "LOST", "lost-2")
    yield one(5, "AAPL", "broken-1", earnings_date="soon")
    yield one(6, "SLOW", "slow-1")
    yield one(7, "FAIL", "failed-1")
    yield one(8, "BIG", "failed-2", ignored="x" * 1024 * 1024)  # with the rest of its record, more than SQS takes
    yield one(9, "GONE", "gone-1")  # throttled, and then no such row
    yield "not JSON"


class _Failing:
    """Answers writes for some symbols with errors: `SLOW` and `GONE` once, `FAIL` and `BIG` always."""

    def __init__(self) -> None:
        self._to_throttle = {b'"SLOW"', b'"GONE"'}

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        write = request.operation == "TransactWriteItems"
        if write and (b'"FAIL"' in request.body or b'"BIG"' in request.body):
            http_status(500).act(exchange)
        elif write and (found := {symbol for symbol in self._to_throttle if symbol in request.body}):
            self._to_throttle -= found
            throttled().act(exchange)
        else:
            exchange.reply(exchange.forward())
