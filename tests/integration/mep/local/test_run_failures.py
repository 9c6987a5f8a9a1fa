"""`mep local` with failures: of events, the function, the services."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from emulator.environment import FunctionConfig
from emulator.errors import EmulatorError, InputError
from emulator.faults import FaultProxy, http_status
from emulator.pipeline.model import AsyncInvokeConfig
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint
from mep.errors import RunError, UsageError
from mep.local import run as run_module
from mep.local import stack as stack_module
from mep.local.inputs import EventReader
from mep.local.jsonl import EventLine, read_jsonl
from mep.local.render import sum_metrics
from mep.local.run import run
from tests.support.events import event
from tests.support.run_helpers import options, outcomes, said, write_events
from tests.support.stores import DeadLetters

WRITE = "TransactWriteItems"
FIXTURES = Path(__file__).parents[2] / "emulator" / "fixtures"


def platform(out: Path) -> dict[tuple[str, str], float]:
    """Return the sums of the platform's metrics that have alarms."""
    lambdas = ("AsyncEventsReceived", "Invocations", "Errors", "AsyncEventsDropped", "DestinationDeliveryFailures")
    sums = dict.fromkeys([("AWS/Events", "FailedInvocations"), *(("AWS/Lambda", name) for name in lambdas)], 0.0)
    for point in read_jsonl(out / "platform.jsonl"):
        if (key := (point["namespace"], point["metric"])) in sums:
            sums[key] += point["sum"]
    return sums


def test_an_event_that_fails_three_times(tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console) -> None:
    sent = event("AAPL", "2025-07-31", 1)
    events = write_events(tmp_path / "events.jsonl", [sent])

    with FaultProxy(url, *[http_status(500)] * 9, operation=WRITE) as proxy:  # three calls in each of three invocations
        chosen = options(tmp_path, proxy.url, events, speed=math.inf)
        summary = run(chosen, screen, queue=dead_letters.endpoint)
        assert proxy.unused == ()

    assert outcomes(summary) == (1, 0, 0, 0, 0, 1)
    assert (summary.invocations, summary.tries_raised) == (3, 3)
    (dead_letter,) = read_jsonl(chosen.out / "dlq.jsonl")
    record = json.loads(dead_letter["body"])
    assert record["requestPayload"] == sent
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "EventNotProcessed"
    assert "category=dynamodb" in record["responsePayload"]["errorMessage"]
    assert sum_metrics(read_jsonl(chosen.out / "metrics.jsonl"))["EventsRetried"].total == 3
    assert platform(chosen.out) == {
        ("AWS/Events", "FailedInvocations"): 0,
        ("AWS/Lambda", "AsyncEventsReceived"): 1,
        ("AWS/Lambda", "Invocations"): 3,
        ("AWS/Lambda", "Errors"): 3,
        ("AWS/Lambda", "AsyncEventsDropped"): 1,
        ("AWS/Lambda", "DestinationDeliveryFailures"): 0,
    }
    (row,) = read_jsonl(chosen.out / "calendar.jsonl")
    assert row["is_processed"] is False


def test_a_retry_that_succeeds_is_marked(tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console) -> None:
    events = write_events(tmp_path / "events.jsonl", [event("AAPL", "2025-07-31", 1)])

    with FaultProxy(url, *[http_status(500)] * 3, operation=WRITE) as proxy:
        chosen = options(tmp_path, proxy.url, events, speed=math.inf)
        summary = run(chosen, screen, queue=dead_letters.endpoint)

    assert outcomes(summary) == (1, 0, 1, 0, 0, 0)
    assert (summary.invocations, summary.tries_raised) == (2, 1), "one attempt raised, and no event was given up"
    ended = [line for line in read_jsonl(chosen.out / "logs.jsonl") if line.get("event_type") == "event_outcome"]
    assert [line["outcome"] for line in ended] == ["retry", "marked"]
    assert len({line["request_id"] for line in ended}) == 1, "Lambda retries with the same request ID"
    assert len({line["trace_id"] for line in ended}) == 1
    assert list(read_jsonl(chosen.out / "dlq.jsonl")) == []


def use_function(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    """Replace the function of the run."""
    monkeypatch.setattr(run_module, "function_config", lambda *_: FunctionConfig(handler, python_path=(FIXTURES,)))


def test_crashes_and_missing_outcomes_are_reported(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_function(monkeypatch, "functions.by_command")
    events = write_events(
        tmp_path / "events.jsonl", [{"do": "exit", "code": 1}, {"do": "nothing"}, {"do": "sleep", "seconds": 60}]
    )

    summary = run(
        options(tmp_path, url, events, timeout_s=3, speed=math.inf, invoke=AsyncInvokeConfig(1)),
        screen,
        queue=dead_letters.endpoint,
    )

    assert outcomes(summary) == (3, 0, 0, 0, 0, 2)
    assert not summary.accounted
    assert "line 2: the response has no outcome" in said(screen)
    records = [json.loads(dead_letter["body"]) for dead_letter in read_jsonl(tmp_path / "out" / "dlq.jsonl")]
    assert {record["responsePayload"]["errorType"] for record in records} == {
        "Runtime.ExitError",
        "Sandbox.Timedout",
    }


def test_a_rejected_record_is_written(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_function(monkeypatch, "functions.by_command")
    sent = {"do": "raise", "text": "x" * 1024 * 1024}  # with the rest of the record, more than SQS takes
    events = write_events(tmp_path / "events.jsonl", [sent])

    summary = run(options(tmp_path, url, events, invoke=AsyncInvokeConfig(0)), screen, queue=dead_letters.endpoint)

    assert (summary.retry, summary.undelivered) == (1, 1)
    (record,) = read_jsonl(tmp_path / "out" / "undelivered.jsonl")
    assert record["requestPayload"] == sent
    assert "undelivered.jsonl" in said(screen)
    assert platform(tmp_path / "out")["AWS/Lambda", "DestinationDeliveryFailures"] == 1


def test_a_function_that_does_not_start(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_function(monkeypatch, "broken_import.handler")
    events = write_events(tmp_path / "events.jsonl", [1])

    with pytest.raises(RunError, match=r"the function does not start: Runtime\.ImportModuleError.*logs\.jsonl"):
        run(options(tmp_path, url, events, workers=2), screen, queue=dead_letters.endpoint)


def test_an_interrupted_run_writes_its_files(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[EventLine]:
        yield EventLine(1, json.dumps(event("AAPL", "2025-07-31", 1)).encode(), 1)
        time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(EventReader, "events", interrupted)
    events = write_events(tmp_path / "events.jsonl", [])

    summary = run(options(tmp_path, url, events), screen, queue=dead_letters.endpoint)

    assert summary.interrupted
    assert summary.elapsed_s >= 0.01, "until the interrupt"
    assert summary.accounted
    assert (tmp_path / "out" / "summary.json").exists()
    assert len(list(read_jsonl(tmp_path / "out" / "calendar.jsonl"))) == 1


def test_an_unreachable_dynamodb_is_one_line(tmp_path: Path, screen: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    use_function(monkeypatch, "functions.echo")
    events = write_events(tmp_path / "events.jsonl", [1])
    queue = QueueEndpoint("http://127.0.0.1:9", "http://127.0.0.1:9/queue")

    with pytest.raises(EmulatorError, match=r"DynamoDB at http://127\.0\.0\.1:9 failed: Could not connect"):
        run(options(tmp_path, "http://127.0.0.1:9", events), screen, queue=queue)


def test_an_invalid_endpoint_is_wrong_usage(tmp_path: Path, screen: Console) -> None:
    events = write_events(tmp_path / "events.jsonl", [1])
    queue = QueueEndpoint("http://127.0.0.1:9", "http://127.0.0.1:9/queue")

    with pytest.raises(InputError, match="cannot be used"):
        run(options(tmp_path, "http://", events), screen, queue=queue)


def test_input_is_never_replaced_by_output(tmp_path: Path, screen: Console) -> None:
    (tmp_path / "out").mkdir()
    events = write_events(tmp_path / "out" / "rejected.jsonl", [1])

    with pytest.raises(UsageError, match="choose another directory"):
        run(options(tmp_path, "http://127.0.0.1:9", events), screen)

    assert events.read_text() == "1\n"


def test_a_missing_events_file_is_wrong_usage(tmp_path: Path, screen: Console) -> None:
    with pytest.raises(UsageError, match=r"cannot read events from .*nowhere: No such file or directory"):
        run(options(tmp_path, "http://127.0.0.1:9", tmp_path / "nowhere"), screen)

    assert not (tmp_path / "out").exists()


def test_an_unreachable_container_is_one_line(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    events = write_events(tmp_path / "events.jsonl", [1])

    with pytest.raises(EmulatorError, match=r"no function answers at http://127\.0\.0\.1:9"):
        run(options(tmp_path, url, events, function_url="http://127.0.0.1:9"), screen, queue=dead_letters.endpoint)


def test_a_dynamodb_emulator_is_reported(
    tmp_path: Path,
    url: str,
    dead_letters: DeadLetters,
    screen: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def emulated(**_: object) -> Iterator[DynamoDBEndpoint]:
        yield DynamoDBEndpoint(url, "ministack", "there is no `java` on the PATH")

    monkeypatch.setattr(stack_module, "dynamodb", emulated)
    chosen = replace(options(tmp_path, url, write_events(tmp_path / "events.jsonl", [])), endpoint_url=None)

    run(chosen, screen, queue=dead_letters.endpoint)

    assert "using a DynamoDB emulator: there is no `java` on the PATH" in said(screen)
