"""Managed services: they are ready inside the block, report a failed start, and never outlive this process."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.managed_service import LOOPBACK, Service, ServiceError, free_port, is_ready, managed_service

PROBE = "DynamoDB_20120810.ListTables"

SERVER = f"""
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.headers["X-Amz-Target"] == "{PROBE}" else 400)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def python(code: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-S", "-c", textwrap.dedent(code), str(port)]


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) != 0


def test_service_runs_inside_the_block_only() -> None:
    with managed_service(Service("it", python(SERVER), PROBE)) as url:
        assert url.startswith("http://127.0.0.1:")
        assert is_ready(port_of(url), PROBE)
    assert refuses(port_of(url))


def test_files_must_be_allowed_some_size() -> None:
    """Java waits forever for a file that it cannot write."""
    code = """
        import resource
        from emulator.services.managed_service import Service, ServiceError, managed_service
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
        try:
            managed_service(Service("it", lambda port: [], "")).__enter__()
        except ServiceError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "it cannot run: files may have 65,536 bytes at most, and 1,048,576 are needed: raise `ulimit -f`\n"
    )


def test_error_response_is_not_ready() -> None:
    with managed_service(Service("it", python(SERVER), PROBE)) as url:
        assert not is_ready(port_of(url), "AmazonSQS.ListQueues")
    assert not is_ready(port_of(url), PROBE)


def test_service_stops_when_the_block_raises() -> None:
    seen = []

    def fail() -> None:
        with managed_service(Service("it", python(SERVER), PROBE)) as url:
            seen.append(port_of(url))
            raise RuntimeError("of the block")

    with pytest.raises(RuntimeError, match="of the block"):
        fail()
    assert refuses(seen[0])


def test_service_that_ignores_sigterm_is_killed() -> None:
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVER}"
    with managed_service(Service("it", python(stubborn), PROBE)) as url:
        pass
    assert refuses(port_of(url))


def test_service_stops_when_this_process_is_killed(tmp_path: Path) -> None:
    code = f"""
        import sys, time
        from emulator.services.managed_service import Service, managed_service
        command = lambda port: [sys.executable, "-S", "-c", {SERVER!r}, str(port)]
        with managed_service(Service("it", command, {PROBE!r})) as url:
            print(url, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        port = port_of(parent.stdout.readline().strip())
        assert is_ready(port, PROBE)
        assert list(tmp_path.iterdir())
        parent.send_signal(signal.SIGKILL)
    for _ in range(500):
        if refuses(port) and not list(tmp_path.iterdir()):
            break
        time.sleep(0.02)
    assert refuses(port)
    assert list(tmp_path.iterdir()) == []


def test_service_gets_a_minimal_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setenv("AWS_PROFILE", "production")
    code = f"import os; open({str(seen)!r}, 'w').write(repr((dict(os.environ), os.getcwd())))\n{SERVER}"
    service = Service("it", python(code), PROBE, lambda port: {"GIVEN": str(port)})
    with managed_service(service) as url:
        environment, directory = eval(seen.read_text())  # noqa: S307 - written by ourselves
        assert Path(directory).is_dir()
    assert "AWS_PROFILE" not in environment
    assert environment["GIVEN"] == str(port_of(url))
    assert environment["PATH"] == os.environ["PATH"]
    assert directory != str(Path.cwd())
    assert not Path(directory).exists()


def test_failed_start_reports_the_end_of_the_log() -> None:
    code = "import sys; print('first\\n' * 100 + 'config:   bad\\n\\tat some.Frame(X.java:1)'); sys.exit(3)"
    with pytest.raises(ServiceError) as caught, managed_service(Service("the service", python(code), PROBE)):
        pytest.fail("it does not start")
    message = str(caught.value)
    assert message.startswith("the service exited on start with status 3")
    assert message.endswith("| config: bad")
    assert "\n" not in message
    assert len(message) < 1000


def test_service_that_never_answers_is_stopped(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"echo $$ > {pid_file}; echo warming up; exec sleep 60"
    service = Service("the service", lambda _: ["/bin/sh", "-c", script], PROBE, start_timeout_s=2)
    with (
        pytest.raises(ServiceError, match=r"^the service did not answer within 2 s; its log ends: warming up$"),
        managed_service(service),
    ):
        pytest.fail("it does not start")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_taken_port_is_retried(tmp_path: Path) -> None:
    tried = tmp_path / "tried"
    code = f"""
import pathlib, sys
tried = pathlib.Path({str(tried)!r})
if not tried.exists():
    tried.touch()
    sys.exit("OSError: [Errno 98] Address already in use")
{SERVER}"""
    with managed_service(Service("it", python(code), PROBE)) as url:
        assert is_ready(port_of(url), PROBE)
    assert tried.exists()


def test_retries_of_taken_ports_end() -> None:
    service = Service("it", python("import sys; sys.exit('Address already in use')"), PROBE)
    with pytest.raises(ServiceError, match="already in use"), managed_service(service):
        pytest.fail("it does not start")


def test_free_port_can_be_bound() -> None:
    with socket.create_server((LOOPBACK, free_port())):
        pass
