"""`mep invoke`: the response of a function in a container or on AWS."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.environment import INVOCATION_PATH
from emulator.faults import throttling_proxy
from emulator.http_server import LoopbackServer, QuietHandler
from tests.support.command_line import mep


class Function:
    """A function over HTTP with canned responses, which records its requests."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        self.asked: list[tuple[str, bytes]] = []
        function = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                function.asked.append((self.path, self.read_body()))
                self.send_response(function.status)
                for name, value in function.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(function.body)

        self.server = LoopbackServer(Handler)
        self.url = self.server.url

    def answers(self, body: Any, status: int = 200, **headers: str) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def function() -> Iterator[Function]:
    function = Function()
    with function.server:
        yield function


@pytest.fixture
def event(tmp_path: Path) -> Path:
    path = tmp_path / "event.json"
    path.write_text('{"id": "ü"}\n')
    return path


MARKED = {"outcome": "marked", "correlation_id": "c-1"}
INVALID = {
    "outcome": "dead_lettered",
    "correlation_id": "c-2",
    "error_category": "validation",
    "violations": [{"field": "detail.asset_symbol", "rule": "1 to 20 characters", "received": "nothing"}],
}


def test_an_event_is_posted_and_the_response_shown(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function.answers(MARKED)

    assert mep(monkeypatch, "invoke", event, "--url", function.url) == 0

    ((path, body),) = function.asked
    assert path == INVOCATION_PATH
    assert json.loads(body) == {"id": "ü"}
    assert capsys.readouterr().out.split() == ["outcome", "marked", "correlation_id", "c-1"]


def test_the_path_of_a_url_is_used(function: Function, event: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mep(monkeypatch, "invoke", event, "--url", f"{function.url}/a/path?with=query") == 0

    assert [path for path, _ in function.asked] == ["/a/path?with=query"]


def test_violations_are_readable(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function.answers(INVALID)

    assert mep(monkeypatch, "invoke", event, "--url", function.url) == 0, "a dead letter is a successful response"

    shown = capsys.readouterr().out
    assert "detail.asset_symbol | 1 to 20 characters | nothing" in shown
    assert "validation" in shown


def test_the_response_as_json(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function.answers(INVALID)

    assert mep(monkeypatch, "invoke", "--json", event, "--url", function.url) == 0

    assert json.loads(capsys.readouterr().out) == INVALID


def test_standard_input(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[1]")))

    assert mep(monkeypatch, "invoke", "-", "--url", function.url) == 0

    assert function.asked[0][1] == b"[1]"


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"errorMessage": "category=throttling", "errorType": "EventNotProcessed"}, 200, "category=throttling"),
        (b"Task timed out after 30.00 seconds", 200, "Task timed out after 30.00 seconds"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}, 502, "Runtime.ExitError"),
        (b"", 502, "the response is empty: check the container's log (docker logs)"),
        (b"a\x1b[31m\xff", 500, "a\\x1b[31m"),
    ],
)
def test_an_error_of_the_function_is_exit_status_1(
    function: Function,
    event: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    body: object,
    status: int,
    text: str,
) -> None:
    function.answers(body, status)

    assert mep(monkeypatch, "invoke", event, "--url", function.url) == 1

    assert text in capsys.readouterr().out


@pytest.mark.parametrize("answer", [[1], None, "text"])
def test_any_json_response_is_shown(
    function: Function,
    event: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: object,
) -> None:
    function.answers(answer)

    assert mep(monkeypatch, "invoke", event, "--url", function.url) == 0

    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.parametrize(
    "name", ["mark-earnings", "mark-earnings:live", "arn:aws:lambda:us-east-1:123456789012:function:mark-earnings:3"]
)
def test_a_deployed_function_is_invoked_through_aws(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", function.url)
    function.answers(MARKED)

    assert mep(monkeypatch, "invoke", event, "--url", name) == 0

    ((path, body),) = function.asked
    assert path.startswith("/2015-03-31/functions/")
    assert "mark-earnings" in path
    assert json.loads(body) == {"id": "ü"}


def test_an_error_of_a_deployed_function_is_exit_status_1(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", function.url)
    function.answers({"errorType": "E"}, 200, X_Amz_Function_Error="Unhandled")

    assert mep(monkeypatch, "invoke", event, "--url", "mark-earnings") == 1


def test_an_error_of_aws_is_one_line(
    function: Function, event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", function.url)
    function.answers({"Message": "no such function"}, 404, x_amzn_ErrorType="ResourceNotFoundException")

    assert mep(monkeypatch, "invoke", event, "--url", "mark-earnings") == 3

    error = capsys.readouterr().err
    assert error.startswith("mep: cannot invoke mark-earnings: ")
    assert "no such function" in error
    assert len(error.splitlines()) == 1


def test_a_refused_connection_is_one_line(
    event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with throttling_proxy("http://127.0.0.1:9", 0) as url:
        pass  # the port was just released

    assert mep(monkeypatch, "invoke", event, "--url", url) == 3

    error = capsys.readouterr().err
    assert error.startswith(f"mep: no function responds at {url}: ")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("localhost:9000", "did you mean http://localhost:9000?"),
        ("127.0.0.1", "did you mean http://127.0.0.1?"),
        ("http://127.0.0.1:port", "Port could not be cast"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://", "has no host"),
        ("no function", "neither a URL nor the name or ARN"),
    ],
)
def test_an_invalid_url_is_wrong_usage(
    event: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, text: str
) -> None:
    assert mep(monkeypatch, "invoke", event, "--url", url) == 2

    assert text in capsys.readouterr().err


def test_only_one_event_is_sent(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events.json").write_text('{"id": "1"}\n{"id": "2"}\n')

    assert mep(monkeypatch, "invoke", tmp_path / "events.json", "--url", function.url) == 2

    assert function.asked == []
    assert "events.json has more than one JSON value: `mep invoke` sends one event" in capsys.readouterr().err


def test_an_event_that_is_not_json_is_not_sent(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_text('{"a": 1,}')

    assert mep(monkeypatch, "invoke", tmp_path / "event.json", "--url", function.url) == 2
    assert mep(monkeypatch, "invoke", tmp_path / "nowhere.json", "--url", function.url) == 2

    assert function.asked == []
    wrong, missing = capsys.readouterr().err.splitlines()
    assert "event.json is not JSON: " in wrong
    assert missing == f"mep: cannot read {tmp_path / 'nowhere.json'}: No such file or directory"
