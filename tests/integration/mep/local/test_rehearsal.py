"""`mep local --fault` and `--env`: each fault ends as documented, and the files of the run agree."""

import io
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console

from emulator.environment import FunctionConfig
from emulator.faults import FaultProxy, Reply, answer
from emulator.lambda_runtime.worker import Worker
from mep.errors import RunError
from mep.local.faults import KINDS, parse_faults
from mep.local.function_env import parse_env
from mep.local.jsonl import read_jsonl
from mep.local.run import run
from mep.local.run_files import RunFiles
from mep.local.stack import start_function
from mep.local.summary import Summary
from mep.trace.local_run import find_in_folder
from mep.trace.timeline import make_timeline
from tests.support.events import event
from tests.support.run_helpers import options, outcomes, write_calendar, write_events
from tests.support.stores import DeadLetters
from tests.support.telemetry import attributes

DATE = "2025-07-31"

# Symbol: its faults, its outcome, and the number of its invocations.
WRITES: dict[str, tuple[tuple[str, ...], str, int]] = {
    "NONE": ((), "marked", 1),
    "THROTTLE": (("throttle=2",), "marked", 1),
    "CONFLICT": (("conflict=2",), "marked", 1),
    "SERVER": (("server-error=1",), "marked", 1),
    "SERVERS": (("server-error",), "retry", 3),
    "HANG": (("hang=1",), "marked", 1),
    "REPLY": (("lost-reply=1",), "marked", 1),
    "DENIED": (("denied",), "dead_lettered", 1),
    "TABLE": (("missing-table",), "dead_lettered", 1),
    "RAISE": (("raise=1",), "marked", 2),
    "RAISES": (("raise",), "retry", 3),
    "CRASH": (("crash=2",), "marked", 3),
    "CRASHES": (("crash",), "retry", 3),
    "BOTH": (("conflict=1", "crash=1"), "marked", 2),
}


def rehearse(
    tmp_path: Path, url: str, dead_letters: DeadLetters, faults: list[str], symbols: list[str], **more: Any
) -> Summary:
    """Deliver one event per symbol, with faults."""
    write_calendar(tmp_path / "calendar.csv", [(symbol, DATE) for symbol in symbols])
    sent = [event(symbol, DATE, number) for number, symbol in enumerate(symbols)]
    for each, symbol in zip(sent, symbols, strict=True):
        each["detail"]["correlation_id"] = f"of-{symbol}"
    events = write_events(tmp_path / "events.jsonl", sent)
    chosen = options(tmp_path, url, events, faults=parse_faults(faults), speed=100_000, **more)
    return run(chosen, Console(file=io.StringIO()), queue=dead_letters.endpoint)


def lines(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return list(read_jsonl(tmp_path / "out" / f"{name}.jsonl"))


def test_faults_of_the_write(tmp_path: Path, url: str, dead_letters: DeadLetters) -> None:
    assert {fault.partition("=")[0] for faults, *_ in WRITES.values() for fault in faults} == {
        name for name, kind in KINDS.items() if kind.scope.name == "WRITE"
    }
    faults = [f"{fault}:{symbol}" for symbol, (of_symbol, *_) in WRITES.items() for fault in of_symbol]
    env = tuple(parse_env(["AWS_READ_TIMEOUT_SECONDS=0.5"]).items())

    summary = rehearse(tmp_path, url, dead_letters, faults, list(WRITES), env=env)

    assert outcomes(summary) == (14, 0, 9, 0, 2, 3)
    assert summary.accounted
    assert summary.invocations == sum(invocations for *_, invocations in WRITES.values())
    ended = [line for line in lines(tmp_path, "logs") if line.get("event_type") == "event_outcome"]
    dlq = lines(tmp_path, "dlq")
    marked = {row["asset_symbol"] for row in lines(tmp_path, "calendar") if row["is_processed"]}
    assert marked == {symbol for symbol, (_, outcome, _) in WRITES.items() if outcome == "marked"}
    assert sorted(entry["correlation_id"] for entry in lines(tmp_path, "audit")) == sorted(
        f"of-{each}" for each in marked
    )
    assert len(dlq) == 5
    for symbol, (_, outcome, invocations) in WRITES.items():
        crashes = {"CRASH": 2, "CRASHES": 3, "BOTH": 1}.get(symbol, 0)
        of_symbol = [line["outcome"] for line in ended if line["correlation_id"] == f"of-{symbol}"]
        assert len(of_symbol) == invocations - crashes
        assert of_symbol[-1:] == ([] if symbol == "CRASHES" else [outcome])
        # A process that was killed wrote no line: Lambda's lines count its invocation.
        found = make_timeline(f"of-{symbol}", [find_in_folder(f"of-{symbol}", tmp_path / "out")])
        assert (symbol, found.invocations) == (symbol, invocations)
        assert found.verdict.outcome == outcome
    sent = [point["sum"] for point in lines(tmp_path, "platform") if point["metric"] == "NumberOfMessagesSent"]
    assert sent == [5]


def test_faults_of_the_platform(tmp_path: Path, url: str, dead_letters: DeadLetters) -> None:
    faults = ["rule-denied=1", "no-concurrency=3", "denied:B", "queue-denied=2"]

    # The rule's dead letter of A and one attempt to send that of B are refused.
    summary = rehearse(tmp_path, url, dead_letters, faults, ["A", "B", "C"])

    assert outcomes(summary) == (3, 0, 1, 0, 1, 1)
    assert summary.undelivered == 1
    counted: dict[str, float] = {}
    for point in lines(tmp_path, "platform"):
        counted[point["metric"]] = counted.get(point["metric"], 0) + point["sum"]
    assert counted["Throttles"] == 6
    assert (counted["FailedInvocations"], counted["InvocationsFailedToBeSentToDlq"]) == (1, 1)
    assert counted["NumberOfMessagesSent"] == len(lines(tmp_path, "dlq")) == 1
    (unsent,) = lines(tmp_path, "undelivered")
    assert unsent["detail"]["asset_symbol"] == "A"


def test_spans_go_to_an_otlp_endpoint(tmp_path: Path, url: str, dead_letters: DeadLetters) -> None:
    accepted = answer(Reply(200, b"", {"Content-Type": "application/x-protobuf"}))
    with FaultProxy("http://127.0.0.1:1", otherwise=accepted) as collector:
        env = tuple(parse_env([f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}", "ENVIRONMENT=rehearsal"]).items())
        summary = rehearse(tmp_path, url, dead_letters, ["conflict=1"], ["A"], env=env)

    assert {recorded.request.path for recorded in collector.requests} == {"/v1/traces"}
    exported = [ExportTraceServiceRequest.FromString(recorded.request.body) for recorded in collector.requests]
    spans = [
        span
        for each in exported
        for group in each.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert sorted(span.name for span in spans) == [*["DynamoDB.TransactWriteItems"] * 2, "MarkEarningsProcessed"]
    assert {attributes(span.attributes)["correlation_id"] for span in spans} == {"of-A"}
    assert (summary.spans, summary.marked) == (0, 1)
    assert {line["environment"] for line in lines(tmp_path, "logs") if "type" not in line} == {"rehearsal"}


def test_a_function_without_tracing(tmp_path: Path, url: str, dead_letters: DeadLetters) -> None:
    env = tuple(parse_env(["OTEL_SDK_DISABLED=true"]).items())

    summary = rehearse(tmp_path, url, dead_letters, [], ["A"], env=env)

    assert (summary.spans, summary.marked) == (0, 1)


def test_the_problems_of_a_function_that_does_not_start_are_reported(tmp_path: Path) -> None:
    with (
        RunFiles(tmp_path) as files,
        Worker(FunctionConfig(), files.function_line) as worker,
        pytest.raises(RunError, match="the function does not start: DEAD_LETTER_QUEUE_URL"),
    ):
        start_function([worker], files)
