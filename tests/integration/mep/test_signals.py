"""`mep local` as a process that receives a signal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from tests.support.events import event
from tests.support.run_helpers import write_calendar


@pytest.fixture
def running(tmp_path: Path, dynamodb_endpoint: DynamoDBEndpoint) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`mep local` as a process of its own, reading from a pipe that stays open."""
    out = tmp_path / "out"
    calendar = write_calendar(tmp_path / "c.csv", [("AAPL", "2025-07-31")])
    command = ["local", "--calendar", calendar, "--events", "-", "--out", out, "--workers", "1"]
    command += ["--endpoint-url", dynamodb_endpoint.url]
    with subprocess.Popen(
        [sys.executable, "-c", "from mep.__main__ import main; main()", *map(str, command)],
        cwd=PROJECT_ROOT,
        env=dict(os.environ) | {"AWS_REGION": "eu-south-1"},  # a part of DynamoDB Local of its own
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(event("AAPL", "2025-07-31", 1)).encode() + b"\nnot json\n")
        process.stdin.flush()
        while b"line 2 is not JSON" not in process.stderr.readline():  # it is delivering
            assert process.poll() is None
        yield process, out
        process.kill()


def _function_of(pid: int) -> int | None:
    """Return the function process that a process has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"awslambdaric" in stat.with_name("cmdline").read_bytes():
                return int(stat.parent.name)
        except OSError:
            continue
    return None


STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.mark.parametrize(("sent", "status"), STATUSES.items())
def test_a_signal_leaves_no_process_behind(
    running: tuple[subprocess.Popen[bytes], Path], sent: signal.Signals, status: int
) -> None:
    process, out = running
    function = _function_of(process.pid)

    process.send_signal(sent)
    _, error = process.communicate(timeout=60)

    assert process.returncode == status, error
    assert b"Traceback" not in error
    assert function is not None
    with pytest.raises(ProcessLookupError):
        os.kill(function, 0)
    assert json.loads((out / "summary.json").read_text())["interrupted"] is True
