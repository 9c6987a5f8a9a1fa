"""`mep local --keep`: what is kept works, counts, and is gone afterwards."""

import json
import shlex
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator.clients import loopback_client
from emulator.environment import LOCAL_CREDENTIALS
from mep.explorer.index import RunIndex
from mep.local import keep_alive as keep_module
from mep.local.faults import parse_faults
from mep.local.jsonl import read_jsonl
from mep.local.keep_alive import KeepAlive, wait_for_interrupt
from mep.local.run import run
from mep.trace.local_run import find_in_folder
from mep.trace.timeline import make_timeline
from tests.support.command_line import mep
from tests.support.events import event
from tests.support.run_helpers import options, outcomes, write_calendar, write_events
from tests.support.stores import DeadLetters


def variables(file: Path) -> dict[str, str]:
    """What a shell would have after `source`."""
    words = (shlex.split(line) for line in file.read_text().splitlines())
    return dict(line[1].split("=", 1) for line in words if line[0] == "export")


def test_further_events_are_delivered_and_counted(
    tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console
) -> None:
    chosen = options(tmp_path, url, write_events(tmp_path / "events.jsonl", [event("GONE", "2025-07-31", 1)]))
    file = chosen.out / "kept.env"
    found: list[dict[str, str]] = []
    seen: list[int] = []

    def wait(flush: Callable[[], None]) -> None:
        flush()
        found.append(variables(file))
        seen.append(len(list(read_jsonl(chosen.out / "logs.jsonl"))))  # the outcome, and Lambda's two lines
        with closing(loopback_client("events", found[0]["AWS_ENDPOINT_URL_EVENTBRIDGE"])) as events:
            detail = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "correlation_id": "kept-1"}
            entry = {"Source": "signal9.advisor", "DetailType": "earningsProcessed", "Detail": json.dumps(detail)}
            reply = events.put_events(Entries=[entry | {"EventBusName": found[0]["EVENT_BUS_NAME"]}])
            assert reply["FailedEntryCount"] == 0

    said: list[str] = []
    keep = KeepAlive(chosen.out, LOCAL_CREDENTIALS, said.append, wait)
    summary = run(chosen, screen, queue=dead_letters.endpoint, on_complete=keep)

    assert outcomes(summary) == (2, 0, 1, 0, 1, 0)
    assert seen == [3], "the files are up to date while it waits"
    assert (
        found[0].items()
        >= {
            **LOCAL_CREDENTIALS,
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ENDPOINT_URL_SQS": dead_letters.endpoint.url,
            "DEAD_LETTER_QUEUE_URL": dead_letters.endpoint.queue_url,
        }.items()
    )
    assert str(file) in said[1]
    assert not file.exists()
    assert [row["correlation_id"] for row in read_jsonl(chosen.out / "audit.jsonl")] == ["kept-1"]


def test_an_event_that_never_arrived_is_traced_on_the_bus(
    tmp_path: Path,
    url: str,
    dead_letters: DeadLetters,
    screen: Console,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that no rule matched, by the ID of `PutEvents`; one in the rule's dead-letter queue, by that and its own."""
    denied = event("AAPL", "2025-07-31", 1)
    denied["detail"]["correlation_id"] = "denied-1"
    file = write_events(tmp_path / "events.jsonl", [denied])
    chosen = options(tmp_path, url, file, faults=parse_faults(["rule-denied=1"]))
    published: list[str] = []

    def wait(_: Callable[[], None]) -> None:
        endpoint = variables(chosen.out / "kept.env")["AWS_ENDPOINT_URL_EVENTBRIDGE"]
        entry = {"Source": "signal9.advisor", "DetailType": "somethingElse", "Detail": "{}"}
        with closing(loopback_client("events", endpoint)) as events:
            published.extend(each["EventId"] for each in events.put_events(Entries=[entry])["Entries"])

    keep = KeepAlive(chosen.out, LOCAL_CREDENTIALS, lambda _: None, wait)
    summary = run(chosen, screen, queue=dead_letters.endpoint, on_complete=keep)

    assert (summary.received, summary.retry, summary.accounted) == (1, 1, True), "the function received none"
    (unmatched,) = published

    def traced(text: str) -> dict[str, Any]:
        assert mep(monkeypatch, "trace", text, "--run", chosen.out, "--json") == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    found = traced(unmatched)
    assert found["verdict"].startswith("published, and not delivered: no rule of the bus matched it")
    assert [each["facts"]["step"] for each in found["parts"][0]["moments"]] == [
        "EVENT_INGEST_SUCCESS",
        "NO_STANDARD_RULES_MATCHED",
    ]
    for text in (denied["id"], "denied-1"):
        found = traced(text)
        assert found["outcome"] == "undelivered"
        assert [part["title"] for part in found["parts"]] == ["on the event bus", "in the dead-letter queue"]
        assert "INVOCATION_DLQ" in [each["facts"]["step"] for each in found["parts"][0]["moments"]]
    index = RunIndex(chosen.out)
    index.read()
    assert sorted(index.correlation_ids) == sorted(["denied-1", unmatched])
    for name in index.correlation_ids:
        assert index.timeline(name) == make_timeline(name, [find_in_folder(name, chosen.out)])


def test_an_event_is_invoked_synchronously(
    tmp_path: Path,
    url: str,
    dead_letters: DeadLetters,
    screen: Console,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = options(tmp_path, url, write_events(tmp_path / "events.jsonl", []), faults=parse_faults(["raise:BAD"]))
    answers: list[tuple[int, dict[str, str]]] = []

    def wait(_: Callable[[], None]) -> None:
        for name, value in variables(chosen.out / "kept.env").items():
            monkeypatch.setenv(name, value)
        for number, symbol in enumerate(("AAPL", "AAPL", "BAD")):
            sent = event(symbol, "2025-07-31", number)
            sent["detail"]["correlation_id"] = f"invoked-{number}"
            file = tmp_path / "one.json"
            file.write_text(json.dumps(sent))
            status = mep(monkeypatch, "invoke", file, "--url", "MarkEarningsProcessed", "--json")
            answers.append((status, json.loads(capsys.readouterr().out)))

    write_calendar(tmp_path / "calendar.csv", [("AAPL", "2025-07-31"), ("BAD", "2025-07-31")])
    said: list[str] = []
    summary = run(
        chosen,
        screen,
        queue=dead_letters.endpoint,
        on_complete=KeepAlive(chosen.out, LOCAL_CREDENTIALS, said.append, wait),
    )

    assert [(status, answer.get("outcome", answer.get("errorType"))) for status, answer in answers] == [
        *((0, "marked"), (0, "duplicate"), (1, "EventNotProcessed")),
    ]
    assert outcomes(summary) == (3, 0, 1, 1, 0, 1)
    assert summary.tries_raised == 1
    assert summary.invocations == 3, "the caller gets the error: Lambda does not retry"
    for name in ("logs", "spans"):
        text = (chosen.out / f"{name}.jsonl").read_text()
        assert all(f'"invoked-{number}"' in text for number in range(3))
    assert "invoke EVENT.json --url MarkEarningsProcessed" in said[-1]


def test_own_credentials_are_not_written(tmp_path: Path, url: str, dead_letters: DeadLetters, screen: Console) -> None:
    chosen = options(tmp_path, url, write_events(tmp_path / "events.jsonl", []))
    found: list[dict[str, str]] = []

    def wait(_: Callable[[], None]) -> None:
        found.append(variables(chosen.out / "kept.env"))

    run(chosen, screen, queue=dead_letters.endpoint, on_complete=KeepAlive(chosen.out, {}, lambda _: None, wait))

    assert not [name for name in found[0] if "KEY" in name]


@pytest.mark.parametrize("error", [KeyboardInterrupt])
def test_an_interrupt_ends_the_wait(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_module, "_FLUSH_SECONDS", 0)
    flushes = iter(range(3))

    def flush() -> None:
        if next(flushes, None) is None:
            raise error

    wait_for_interrupt(flush)

    assert list(flushes) == []
