"""The worker: a Lambda execution environment as a real process, which is killed at the deadline."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.environment import PROJECT_ROOT, FunctionConfig, new_trace_header, trace_root
from emulator.errors import EmulatorError
from emulator.lambda_runtime.process import Stream
from emulator.lambda_runtime.worker import InvocationResult, Worker, start_workers

FIXTURES = Path(__file__).parent / "fixtures"
HEADER = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"

type Line = tuple[Stream, str]


def config(handler: str = "functions.by_command", **settings: str) -> FunctionConfig:
    return FunctionConfig(handler=handler, settings=settings, python_path=(FIXTURES,))


@pytest.fixture
def lines() -> list[Line]:
    return []


@pytest.fixture
def worker(lines: list[Line]) -> Iterator[Worker]:
    with Worker(config(), lambda stream, line: lines.append((stream, line))) as worker:
        yield worker


def do(worker: Worker, what: str | None = None, timeout_s: float = 20, **event: Any) -> InvocationResult:
    payload = json.dumps({"do": what, **event}).encode()
    return worker.invoke(payload, trace_header=HEADER, timeout_s=timeout_s)


def gone(pid: int) -> bool:
    """Whether a process has ended, also as a zombie: its parent sees it once the other threads have ended, too."""
    process = Path(f"/proc/{pid}")
    try:
        is_zombie = process.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return is_zombie and len(list(process.joinpath("task").iterdir())) == 1
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> bool:
    until = time.monotonic() + 20
    while not gone(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_function_sees_lambda_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_VARIABLE_OF_THIS_MACHINE", "x")
    function = config("functions.echo", EVENT_SOURCE="a-source")
    with Worker(function, lambda *_: None) as worker:
        result = worker.invoke(b'{"\\u00fc": [1.5]}', trace_header=HEADER, request_id="r-1", timeout_s=7)

    answer = json.loads(result.payload)
    assert (result.status, result.request_id, result.cold_start) == ("ok", "r-1", True)
    assert answer["event"] == {"ü": [1.5]}
    assert answer["request_id"] == "r-1"
    assert answer["arn"] == function.arn
    assert answer["memory"] == "128"
    assert answer["trace"] == HEADER
    assert 0 < answer["remaining_ms"] <= 7000
    environment = answer["environment"]
    assert "A_VARIABLE_OF_THIS_MACHINE" not in environment
    assert environment["EVENT_SOURCE"] == "a-source"
    assert environment["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert environment["AWS_ACCESS_KEY_ID"]
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "us-east-1"


def test_process_stays_warm() -> None:
    with Worker(config("functions.echo"), lambda *_: None) as worker:
        results = [worker.invoke(b"{}", trace_header=HEADER) for _ in range(3)]

    assert [json.loads(result.payload)["calls"] for result in results] == [1, 2, 3]
    assert [result.cold_start for result in results] == [True, False, False]
    assert len({result.request_id for result in results}) == 3


def test_exception_of_the_handler_is_an_error_response(worker: Worker) -> None:
    result = do(worker, "raise")

    assert result.status == "error"
    answer = json.loads(result.payload)
    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "no such row")
    assert result.error_text() == "LookupError: no such row"
    assert json.loads(do(worker).payload)["pid"] == worker.pid, "an exception does not end the process"


def test_invalid_payload_does_not_reach_the_handler(worker: Worker) -> None:
    result = worker.invoke(b"[1,", trace_header=HEADER)

    assert result.status == "error"
    assert json.loads(result.payload)["errorType"] == "Runtime.UnmarshalError"


def test_deadline_kills_the_process(worker: Worker) -> None:
    warm = json.loads(do(worker).payload)["pid"]

    result = do(worker, "sleep", seconds=600, timeout_s=0.3)

    assert result.status == "timeout"
    assert result.request_id in result.error_text()
    assert "Task timed out after 0.30 seconds" in result.error_text()
    assert gone(warm)
    after = do(worker)
    assert (after.status, after.cold_start) == ("ok", True)
    assert json.loads(after.payload)["pid"] != warm


def test_child_processes_end_with_the_function(worker: Worker, lines: list[Line]) -> None:
    assert do(worker, "hang_with_child", timeout_s=2).status == "timeout"

    child = json.loads(next(line for _, line in lines if "child" in line))["child"]
    assert wait_until_gone(child)


@pytest.mark.parametrize(
    ("event", "text"),
    [({"do": "exit", "code": 4}, "exit status 4"), ({"do": "kill"}, "signal: killed")],
)
def test_exit_during_an_invocation_is_a_crash(worker: Worker, event: dict[str, Any], text: str) -> None:
    result = worker.invoke(json.dumps(event).encode(), trace_header=HEADER, timeout_s=100)

    assert result.status == "crashed"
    assert result.error_text().startswith("Runtime.ExitError: ")
    assert text in result.error_text()
    assert do(worker).cold_start


def test_every_invocation_has_a_line_of_its_start_and_a_report(lines: list[Line]) -> None:
    """The lines are around everything that the function writes, also where it is killed before it writes anything."""
    platform: list[dict[str, Any]] = []

    def write(line: dict[str, Any]) -> None:
        platform.append(line)
        lines.append(("stdout", line["type"]))

    with Worker(config(), lambda *line: lines.append(line), platform_sink=write) as worker:
        worker.start()
        lines.clear()
        ends = [do(worker, what, **more) for what, more in COMMANDS.items()]
        written = [text for _, text in lines]
        wait_until_gone(json.loads(ends[-1].payload)["pid"])
        do(worker)

    reports = [line["record"] for line in platform if line["type"] == "platform.report"]
    starts = [line["record"] for line in platform if line["type"] == "platform.start"]
    assert [record["status"] for record in reports] == ["success", "error", "timeout", "error", "success", "success"]
    assert [record["requestId"] for record in starts] == [record["requestId"] for record in reports]
    assert [record["requestId"] for record in reports][:-1] == [end.request_id for end in ends]
    assert [record.get("errorType") for record in reports][3] == "Runtime.ExitError"
    assert ["initDurationMs" in record["metrics"] for record in reports] == [False] * 3 + [True] * 3
    assert reports[2]["metrics"]["durationMs"] >= 300
    assert {record["tracing"]["value"] for record in reports} == {HEADER}
    own = [text for text in written if text in {"platform.start", "platform.report"} or '"number"' in text]
    assert [text.partition(",")[0] for text in own[:5]] == [
        "platform.start",
        *(f'{{"number": {number}' for number in range(3)),
        "platform.report",
    ]


COMMANDS: dict[str, dict[str, Any]] = {
    "print": {"lines": 3},
    "raise": {},
    "sleep": {"seconds": 600, "timeout_s": 0.3},
    "kill": {},
    "exit_later": {},
}


def test_exit_between_invocations_fails_none(worker: Worker) -> None:
    first = do(worker, "exit_later")
    pid = json.loads(first.payload)["pid"]
    assert wait_until_gone(pid)

    second = do(worker)

    assert (first.status, second.status, second.cold_start) == ("ok", "ok", True)


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ("broken_import.handler", "Runtime.ImportModuleError: Unable to import module 'broken_import'"),
        ("exits_on_import.handler", "Runtime.ExitError: Runtime exited with error: exit status 3"),
        ("functions.no_such_handler", "Runtime.HandlerNotFound"),
    ],
)
def test_failed_import_is_an_init_error(handler: str, text: str) -> None:
    platform: list[dict[str, Any]] = []
    with Worker(config(handler), lambda *_: None, platform_sink=platform.append) as worker:
        failure = worker.start()
        result = worker.invoke(b"{}", trace_header=HEADER, request_id="r-2")

    assert failure is not None
    assert failure.status == result.status == "init_error"
    assert result.request_id == "r-2"
    assert result.error_text().startswith(text)
    assert [(line["type"], line["record"].get("status")) for line in platform] == [
        ("platform.start", None),
        ("platform.report", "error"),
    ]


def test_slow_start_is_an_init_error() -> None:
    with Worker(config(), lambda *_: None, init_timeout_s=0) as worker:
        failure = worker.start()

    assert failure is not None
    assert failure.error_text() == "Sandbox.Timedout: Init phase timed out after 0.00 seconds"


def test_started_worker_is_warm(worker: Worker) -> None:
    assert worker.start() is None

    pid = worker.pid

    result = do(worker)
    assert pid == json.loads(result.payload)["pid"]
    assert not result.cold_start


def test_result_comes_after_all_output(worker: Worker, lines: list[Line]) -> None:
    assert do(worker, "print", lines=3000).status == "ok"

    printed = [json.loads(line) for stream, line in lines if stream == "stdout" and line.startswith("{")]
    assert [line["number"] for line in printed] == list(range(3000))
    assert printed[0]["text"] == "ü" * 50
    assert ("stderr", "a warning") in lines
    assert lines[0] == ("stdout", "loading")


def test_close_ends_the_process() -> None:
    with Worker(config(), lambda *_: None) as worker:
        do(worker)
        pid = worker.pid

    assert pid is not None
    assert gone(pid)
    assert worker.pid is None


def test_workers_have_processes_of_their_own() -> None:
    with Worker(config(), lambda *_: None) as one, Worker(config(), lambda *_: None) as two:
        pids = {json.loads(do(worker).payload)["pid"] for worker in (one, two)}

    assert len(pids) == 2


def test_process_dies_with_its_parent(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from emulator.environment import FunctionConfig
from emulator.lambda_runtime.worker import Worker
worker = Worker(FunctionConfig("functions.by_command", python_path=(Path({str(FIXTURES)!r}),)), lambda *_: None)
worker.start()
print(worker.pid, flush=True)
worker.invoke(b'{{"do": "sleep", "seconds": 600}}', trace_header={HEADER!r}, timeout_s=600)
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)

    assert wait_until_gone(child)


def test_trace_headers_have_lambda_s_format() -> None:
    header = new_trace_header()
    again = new_trace_header(root=trace_root(header), sampled=False)

    root, parent, sampled = header.split(";")
    assert [len(part) for part in root.removeprefix("Root=").split("-")] == [1, 8, 24]
    assert len(parent.removeprefix("Parent=")) == 16
    assert sampled == "Sampled=1"
    assert again.endswith(";Sampled=0")
    assert trace_root(again) == trace_root(header)
    assert again.split(";")[1] != parent


def test_exec_wrapper_gets_the_command(tmp_path: Path, lines: list[Line]) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\necho "wrapped: $#"\nexec "$@"\n')
    wrapper.chmod(0o755)
    with Worker(config(AWS_LAMBDA_EXEC_WRAPPER=str(wrapper)), lambda *line: lines.append(line)) as worker:
        assert do(worker).status == "ok"

    assert ("stdout", "wrapped: 4") in lines  # python -m awslambdaric HANDLER


def test_failed_start_of_several_workers_reports_the_error() -> None:
    function = FunctionConfig("broken_import.handler", python_path=(FIXTURES,))
    with (
        Worker(function, lambda *_: None) as one,
        Worker(function, lambda *_: None) as two,
        pytest.raises(EmulatorError, match="ImportModuleError") as caught,
    ):
        start_workers([one, two])

    assert "\n" not in str(caught.value)
