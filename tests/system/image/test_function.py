"""The function in its container, under Lambda's conditions: what it does with events, and after trouble."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.lambda_runtime.span_receiver import decode_datagram
from tests.support.containers import DYNAMODB_PORT, Function, Harness, frozen, output_of
from tests.support.events import DATE
from tests.support.stores import DeadLetters, Tables
from tests.system.image.events import event

_TARPIT = Path(__file__).with_name("tarpit.py")


def test_an_event_marks_its_row_once(image: str, harness: Harness, tables: Tables, environment: dict[str, str]) -> None:
    tables.put_row("AAPL", DATE)
    with harness.function(image, environment) as function:
        first = function.invoke(event())
        again = function.invoke(event())
        other = function.invoke(event(event_id="evt-2"))
    assert first.body == {"outcome": "marked", "correlation_id": "corr-evt-1"}
    assert again.body == {"outcome": "duplicate", "correlation_id": "corr-evt-1", "same_event": True}
    assert other.body == {"outcome": "duplicate", "correlation_id": "corr-evt-2", "same_event": False}
    row = tables.row("AAPL", DATE)
    assert row is not None
    assert (row["is_processed"], row["processed_by_event"]) == (True, "evt-1")
    assert [entry["event_id"] for entry in tables.audit("AAPL", DATE)] == ["evt-1"]


def test_a_standard_cold_start(
    image: str, harness: Harness, tables: Tables, dead_letters: DeadLetters, environment: dict[str, str]
) -> None:
    """Botocore's own session finds its data in the image, although the image has a part of it only."""
    tables.put_row("AAPL", DATE)
    with harness.function(image, environment | {"HANDLER_COLD_START": "standard"}) as function:
        marked = function.invoke(event())
        dead_lettered = function.invoke(event("NVDA"))
        lines = function.lines()
    assert marked.body == {"outcome": "marked", "correlation_id": "corr-evt-1"}
    assert (dead_lettered.body["outcome"], dead_lettered.body["error_category"]) == ("dead_lettered", "not_found")
    assert [entry["event_id"] for entry in tables.audit("AAPL", DATE)] == ["evt-1"]
    assert len(dead_letters.drain()) == 1
    assert [line["outcome"] for line in lines if line.get("event_type") == "event_outcome"] == [
        *("marked", "dead_lettered"),
    ]


def test_every_line_it_writes_is_a_json_object(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str]
) -> None:
    tables.put_row("AAPL", DATE)
    with harness.function(image, environment) as function:
        function.invoke(event())
        lines, output = function.lines(), output_of(function.container)
    assert [line["outcome"] for line in lines if line.get("event_type") == "event_outcome"] == ["marked"]
    assert [line["EventsMarked"] for line in lines if "_aws" in line] == [1]
    # Everything else is the emulator's.
    theirs = ("START ", "END ", "REPORT ")
    assert [
        line
        for line in output.splitlines()
        if line.strip() and not line.startswith(("{", *theirs)) and "(rapid)" not in line
    ] == []


def test_its_spans_go_to_the_agents_socket(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str]
) -> None:
    tables.put_row("AAPL", DATE)
    with harness.agent() as agent, harness.function(image, environment) as function:
        function.wait_until("the agent listens", lambda: "listening" in output_of(agent))
        function.invoke(event())
        function.wait_until("the agent has a datagram", lambda: len(output_of(agent).splitlines()) > 1)
        datagrams = output_of(agent).splitlines()[1:]
    spans = [span for datagram in datagrams for span in decode_datagram(bytes.fromhex(datagram))]
    assert [span["kind"] for span in spans if span["parent_span_id"] is None] == ["SERVER"]
    assert {span["attributes"]["correlation_id"] for span in spans} == {"corr-evt-1"}
    assert "DynamoDB.TransactWriteItems" in {span["name"] for span in spans}


def test_an_invalid_event_goes_to_the_dead_letter_queue(
    image: str, harness: Harness, dead_letters: DeadLetters, environment: dict[str, str]
) -> None:
    sent = event(symbol="<script>")
    with harness.function(image, environment) as function:
        reply = function.invoke(sent)
    assert (reply.body["outcome"], reply.body["error_category"]) == ("dead_lettered", "validation")
    assert [violation["field"] for violation in reply.body["violations"]] == ["detail.asset_symbol"]
    [dead_letter] = dead_letters.drain()
    assert json.loads(dead_letter.body) == sent
    assert dead_letter.attributes["ERROR_CODE"] == "validation"
    assert dead_letter.attributes["CORRELATION_ID"] == "corr-evt-1"


def test_the_deadline_is_reported_before_the_timeout(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str]
) -> None:
    tables.put_row("AAPL", DATE)
    environment |= {
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "8",
        "AWS_READ_TIMEOUT_SECONDS": "1",  # each byte of the endless answer comes in time
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8001",
    }
    with harness.beside(_TARPIT, 8001, DYNAMODB_PORT), harness.function(image, environment) as function:
        late = function.invoke(event())
        function.wait_until("the outcome is logged", lambda: bool(function.outcomes()))
        [outcome] = function.outcomes()
        after = function.invoke(event())
    assert "timed out" in late.text.lower()
    assert (outcome["outcome"], outcome["error_category"]) == ("retry", "timeout")
    assert outcome["correlation_id"] == "corr-evt-1"
    _processed_once(tables, after.body)


def test_a_crash_in_the_middle_of_the_write_leaves_nothing_half_done(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str]
) -> None:
    tables.put_row("AAPL", DATE)
    with harness.function(image, environment) as function, ThreadPoolExecutor(1) as thread:
        function.invoke(event("NVDA"))  # started, and connected to DynamoDB
        with frozen(harness.dynamodb):
            stalled = thread.submit(function.invoke, event())
            function.wait_until("the event has begun", lambda: _starts(function) == 2)
            time.sleep(0.5)  # the write is on its way: the calls before it take milliseconds
            function.crash()
            crashed = stalled.result()
        after = function.invoke(event())
    assert "outcome" not in crashed.text
    assert "exit" in crashed.text.lower(), crashed
    _processed_once(tables, after.body)


def test_dynamodb_down_is_a_retry_and_dynamodb_back_a_success(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str]
) -> None:
    tables.put_row("AAPL", DATE)
    with harness.function(image, environment) as function:
        function.invoke(event("NVDA"))
        store = harness.dynamodb.get_wrapped_container()
        store.kill()
        try:
            down = function.invoke(event())
        finally:
            store.start()
        function.wait_until("DynamoDB is back", lambda: "Table" in str(_described(tables)))
        back = function.invoke(event())
        outcomes = function.outcomes()
    assert down.body["errorType"] == "EventNotProcessed"
    assert down.body["errorMessage"].startswith("category=network correlation_id=corr-evt-1")
    assert [outcome["outcome"] for outcome in outcomes[1:]] == ["retry", "marked"]
    assert back.body["outcome"] == "marked"
    _processed_once(tables, back.body)


def test_a_missing_setting_is_one_line_that_names_it(image: str, harness: Harness, environment: dict[str, str]) -> None:
    del environment["DEAD_LETTER_QUEUE_URL"]
    with harness.function(image, environment) as function:
        reply = function.invoke(event())
        lines, output = function.lines(), output_of(function.container)
    assert reply.status >= 500 or "error" in reply.text.lower(), reply
    assert any("DEAD_LETTER_QUEUE_URL is not set" in str(line.get("problems")) for line in lines), output
    assert "Traceback" not in output


def test_mep_invoke_reaches_it(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str], tmp_path: Path
) -> None:
    tables.put_row("AAPL", DATE)
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event()))
    with harness.function(image, environment) as function:
        mep = Path(sys.executable).with_name("mep")
        command = [str(mep), "invoke", str(file), "--url", function.url]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result
    assert "marked" in result.stdout
    row = tables.row("AAPL", DATE)
    assert row is not None
    assert row["is_processed"] is True


def test_a_wrapper_script_starts_the_runtime(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str], tmp_path: Path
) -> None:
    """How the ADOT layer is turned on: the image must not replace the base image's entry point."""
    tables.put_row("AAPL", DATE)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\necho wrapped by $0\nexport EVENT_SOURCE=wrapped\nexec "$@"\n')
    wrapper.chmod(0o755)
    wrapped = {**environment, "AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}
    with harness.function(image, wrapped, files={wrapper: "/opt/wrapper"}) as function:
        reply = function.invoke({**event(), "source": "wrapped"})
        output = output_of(function.container)
    assert reply.body["outcome"] == "marked"
    assert "wrapped by /opt/wrapper" in output


def _starts(function: Function) -> int:
    return output_of(function.container).count("START RequestId")


def _described(tables: Tables) -> object:
    try:
        return tables.client.describe_table(TableName=tables.calendar_table)
    except Exception as error:
        return type(error).__name__


def _processed_once(tables: Tables, last: dict[str, object]) -> None:
    """The row is marked, and exactly one audit entry names the event; Lambda's retry is answered either way."""
    row = tables.row("AAPL", DATE)
    assert row is not None
    assert (row["is_processed"], row["processed_by_event"]) == (True, "evt-1")
    assert [entry["event_id"] for entry in tables.audit("AAPL", DATE)] == ["evt-1"]
    assert last["outcome"] == "marked" or (last["outcome"], last["same_event"]) == ("duplicate", True)
