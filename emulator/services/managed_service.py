"""Runs an emulator of an AWS service as a process on loopback: starts it, waits until it is ready, terminates it."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.errors import EmulatorError
from emulator.services import child_guard

LOOPBACK = "127.0.0.1"

_INHERITED = ("PATH", "HOME", "LANG", "JAVA_HOME")
_MIN_FILE_BYTES = 1024 * 1024
_PORT_ATTEMPTS = 3
_SIGNING_NAMES = {"AmazonSQS": "sqs", "AWSEvents": "events", "DynamoDB_20120810": "dynamodb"}
_POLL_SECONDS = 0.05
_STOP_SECONDS = 10


class ServiceError(EmulatorError):
    """A local service did not start."""


class _PortTakenError(ServiceError):
    """Another process took the port before the service could bind it."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program that serves an AWS protocol over HTTP.

    Attributes:
        name: The name in error messages.
        command: Returns the command line for a port.
        probe: The `X-Amz-Target` of a call without parameters that it answers as soon as it works.
        environment: Returns further environment variables for a port.
        start_timeout_s: Seconds until it must answer.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    probe: str
    environment: Callable[[int], Mapping[str, str]] = field(default=lambda _: {})
    start_timeout_s: float = 60


def free_port() -> int:
    """Return a free TCP port of loopback."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def managed_service(service: Service) -> Iterator[str]:
    """Run a service for the length of a `with` block.

    It runs in a temporary directory, with few of this process's environment variables. It ends with this process, also
    when that is killed.

    Yields:
        The URL.

    Raises:
        ServiceError: It did not start; the message has the end of its log.
    """
    _check_file_size(service)
    with contextlib.ExitStack() as stack:
        for remaining in reversed(range(_PORT_ATTEMPTS)):
            port = free_port()
            try:
                stack.enter_context(_process(service, port))
                break
            except _PortTakenError:
                if not remaining:
                    raise
        yield f"http://{LOOPBACK}:{port}"


def _check_file_size(service: Service) -> None:
    """Refuse a limit of the size of files with which Java would wait forever for a file that it cannot write."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY and limit < _MIN_FILE_BYTES:
        text = f"files may have {limit:,} bytes at most, and {_MIN_FILE_BYTES:,} are needed: raise `ulimit -f`"
        raise ServiceError(f"{service.name} cannot run: {text}")


@contextlib.contextmanager
def _process(service: Service, port: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="mep-service-", ignore_cleanup_errors=True) as home:
        log = Path(home, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", child_guard.__file__, home, *service.command(port)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **{key: os.environ[key] for key in _INHERITED if key in os.environ},
                    "TMPDIR": home,
                    **service.environment(port),
                },
                start_new_session=True,  # Ctrl-C must not stop it: its data is still to be read then
            )
        try:
            _wait_until_ready(service, process, port, log)
            yield
        finally:
            _stop(process)


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + service.start_timeout_s
    while True:
        ready = is_ready(port, service.probe)
        # After the answer: if the process has ended, another one answered.
        if process.poll() is not None:
            text = _tail(log)
            error = _PortTakenError if "already in use" in text else ServiceError
            raise error(f"{service.name} exited on start with status {process.returncode}; its log ends: {text}")
        if ready:
            return
        if time.monotonic() > deadline:
            seconds = f"{service.start_timeout_s:g} s"
            raise ServiceError(f"{service.name} did not answer within {seconds}; its log ends: {_tail(log)}")
        time.sleep(_POLL_SECONDS)


def is_ready(port: int, target: str) -> bool:
    """Whether the AWS service on a port of loopback answers the call `target` (an `X-Amz-Target`)."""
    name = _SIGNING_NAMES[target.partition(".")[0]]
    scope = f"{LOCAL_CREDENTIALS['AWS_ACCESS_KEY_ID']}/20250101/{REGION}/{name}/aws4_request"
    headers = {
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
        # The emulators check the format of a signature only.
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("POST", "/", body=b"{}", headers=headers)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path, lines: int = 8, length: int = 800) -> str:
    text = (" ".join(line.split()) for line in log.read_text(errors="replace").splitlines())
    # The cause is above a stack trace, not in it.
    relevant = [line for line in text if line and not line.startswith(("at ", "... "))][-lines:]
    return " | ".join(relevant)[-length:] or "(empty)"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
