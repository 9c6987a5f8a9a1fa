"""How the function starts: put together from the environment, or one clear line about what is wrong with it."""

import gc
import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.faults import FaultProxy, Reply, answer, http_status
from handler import startup
from handler.bootstrap import create_processor, start_or_exit
from handler.errors import EventNotProcessed, SettingsError
from handler.processor import Processor
from otel.tracing.botocore import uninstrument
from tests.support.clock import Clock, Invocation
from tests.support.events import eventbridge_event
from tests.support.scripted_aws import DEAD_LETTER, WRITE
from tests.support.telemetry import json_lines
from tests.support.udp import closed_udp_port
from tests.unit.handler.harness import ENVIRON

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3ntinel-key"}
NO_CREDENTIALS = dict.fromkeys(CREDENTIALS, "")
NOBODY = "http://127.0.0.1:1"
JSON = {"Content-Type": "application/x-amz-json-1.0"}
COMMITTED = answer(Reply(200, b'{"ConsumedCapacity": [{"TableName": "t"}]}', JSON))
SENT = answer(Reply(200, b'{"MessageId": "message-1"}', JSON))


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which the function starts, and nothing else of AWS's."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "OTEL_"))]:
        monkeypatch.delenv(name)
    right = (
        ENVIRON
        | CREDENTIALS
        | {
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{closed_udp_port()}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240",  # a test run holds more than a sandbox
        }
    )
    for name, value in right.items():
        monkeypatch.setenv(name, value)
    return right


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """The function owns its process; this one is shared."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    uninstrument()
    gc.unfreeze()


def close(processor: Processor) -> None:
    """Let go of sockets, which Lambda never does."""
    processor._calendar._client.close()
    if processor._dead_letters._client is not None:
        processor._dead_letters._client.close()
    if processor._telemetry._tracing is not None:
        processor._telemetry._tracing.provider.shutdown()


def imported_in_a_new_process(environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", "import handler.app"], env=kept | environ, capture_output=True, check=False, timeout=60
    )


class TestWrongSettings:
    """One line, no stack trace."""

    @pytest.mark.parametrize(
        ("wrong", "problems"),
        [
            ({"DEAD_LETTER_QUEUE_URL": ""}, ["DEAD_LETTER_QUEUE_URL is not set: "]),
            (
                {"AWS_REGION": "", "AWS_READ_TIMEOUT_SECONDS": "soon"},
                ["AWS_REGION is", "AWS_READ_TIMEOUT_SECONDS must"],
            ),
            ({"AWS_ENDPOINT_URL_DYNAMODB": "localhost"}, ["AWS_ENDPOINT_URL_DYNAMODB must be a URL"]),
            ({"AWS_ENDPOINT_URL_SQS": "http://a_b"}, ["AWS_ENDPOINT_URL_SQS must be a URL"]),
            (
                {"AWS_PROFILE": "s3ntinel"},
                ["AWS_PROFILE must be the name of a profile in AWS_CONFIG_FILE (~/.aws/config) or "],
            ),
            ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "s3ntinel"}, ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a whole num"]),
        ],
    )
    def test_the_process_ends_with_one_line(self, wrong: dict[str, str], problems: list[str]) -> None:
        done = imported_in_a_new_process(ENVIRON | CREDENTIALS | wrong)
        assert done.returncode == 1
        assert done.stderr == b""
        (line,) = json_lines(done.stdout)
        assert (line["level"], line["event_type"]) == ("FATAL", "start_failed")
        assert all(reported.startswith(problem) for reported, problem in zip(line["problems"], problems, strict=True))
        assert b"s3ntinel" not in done.stdout

    def test_so_it_does_here(self, environ: dict[str, str]) -> None:
        lines: list[bytes] = []
        with pytest.raises(SystemExit) as caught:
            start_or_exit(environ | {"AWS_LAMBDA_LOG_LEVEL": "loud", "ENVIRONMENT": "prod"}, lines.append, 0.0)
        assert caught.value.code == 1
        (line,) = json_lines(b"".join(lines))
        assert line["environment"] == "prod"
        assert line["problems"] == [
            "AWS_LAMBDA_LOG_LEVEL must be one of TRACE, DEBUG, INFO, WARN, WARNING, ERROR, FATAL"
        ]

    def test_what_only_boto3_can_find(self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with pytest.raises(SettingsError) as caught:
            create_processor(environ | {"AWS_PROFILE": "nobody"}, print)
        (problem,) = caught.value.problems
        assert problem.startswith("AWS_PROFILE must be the name of a profile")


class TestRightSettings:
    """From the environment to an answer, over a socket."""

    def test_silence_until_the_first_event(self) -> None:
        done = imported_in_a_new_process(ENVIRON | CREDENTIALS)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    @pytest.mark.parametrize("switch", [{}, {"OTEL_SDK_DISABLED": "true"}])
    def test_one_event_of_each_kind(
        self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, switch: dict[str, str]
    ) -> None:
        lines: list[bytes] = []
        with FaultProxy(NOBODY, COMMITTED, SENT, http_status(500), http_status(500), http_status(500)) as aws:
            for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"):
                monkeypatch.setenv(name, aws.url)
            processor = create_processor(environ | switch | {"AWS_READ_TIMEOUT_SECONDS": "20"}, lines.append)
            context = Invocation(Clock(), 600.0)
            answers: list[Any] = [
                processor(eventbridge_event(), context)["outcome"],
                processor(eventbridge_event({}), context)["outcome"],
            ]
            with pytest.raises(EventNotProcessed):
                processor(eventbridge_event(), context)
            close(processor)
            assert answers == ["marked", "dead_lettered"]
            assert (aws.attempts(WRITE), aws.attempts(DEAD_LETTER)) == (4, 1)
        written = json_lines(b"".join(lines))
        outcomes = [line["outcome"] for line in written if line.get("event_type") == "event_outcome"]
        assert outcomes == ["marked", "dead_lettered", "retry"]
        traced = {line["trace_id"] is not None for line in written if line.get("event_type") == "event_outcome"}
        assert traced == {not switch}
        assert "s3ntinel" not in json.dumps(written)

    def test_the_handler_that_lambda_calls(
        self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert environ
        monkeypatch.setattr(startup, "redact_process", lambda _: None)  # this process is pytest's
        monkeypatch.delitem(sys.modules, "handler.app", raising=False)
        with FaultProxy(NOBODY, COMMITTED) as aws:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", aws.url)
            monkeypatch.setenv("AWS_READ_TIMEOUT_SECONDS", "20")
            app = importlib.import_module("handler.app")
            answer = app.lambda_handler(
                eventbridge_event({"assetSymbol": "a", "earningsDate": "2025-07-31"}), _context()
            )
            close(app._processor)
        assert answer == {"outcome": "marked", "correlation_id": eventbridge_event()["id"]}
        out, err = capfd.readouterr()
        log, metrics = json_lines(out.encode())
        assert (log["outcome"], log["asset_symbol"], log["cold_start"]) == ("marked", "A", True)
        assert metrics["InitDuration"] > 0
        assert err == ""
        sys.modules.pop("handler.app")


def _context() -> Invocation:
    return Invocation(Clock(), 600.0)
