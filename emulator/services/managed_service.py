"""Starts a local stand-in for an AWS service on loopback, waits until it answers, and ends it for certain."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.errors import EmulatorError
from emulator.services import child_guard

LOOPBACK = "127.0.0.1"

_INHERITED = ("PATH", "HOME", "LANG", "JAVA_HOME")
_PORT_ATTEMPTS = 3
_SIGNING_NAMES = {"AmazonSQS": "sqs", "AWSEvents": "events", "DynamoDB_20120810": "dynamodb"}
_POLL_SECONDS = 0.05
_STOP_SECONDS = 10


class ServiceError(EmulatorError):
    """A local service could not be started; the message is one line and says why."""


class _PortTakenError(ServiceError):
    """Somebody else took the port between our looking and the service's binding it."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program that speaks an AWS protocol over HTTP.

    Attributes:
        name: what to call it in errors.
        command: makes its command line for a port.
        probe: the `X-Amz-Target` of a call without parameters that it answers once it works.
        environment: makes the variables it needs for a port, in addition to what every program gets.
        start_timeout_s: seconds it has until it answers.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    probe: str
    environment: Callable[[int], Mapping[str, str]] = field(default=lambda _: {})
    start_timeout_s: float = 60


def free_port() -> int:
    """Return a TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def managed_service(service: Service) -> Iterator[str]:
    """Run a service for the length of a `with` block.

    It runs in a directory of its own that is removed afterwards, with little of our environment, and it ends with us
    even when we are killed.

    Yields:
        Its URL.

    Raises:
        ServiceError: it did not start; with the end of its log.
    """
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
                start_new_session=True,  # Ctrl-C is for us: what is left to read must still be there then
            )
        try:
            _wait_until_it_answers(service, process, port, log)
            yield
        finally:
            _stop(process)


def _wait_until_it_answers(service: Service, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + service.start_timeout_s
    while True:
        answered = is_ready(port, service.probe)
        # Looked at after the answer: a process that is gone did not give it.
        if process.poll() is not None:
            text = _tail(log)
            error = _PortTakenError if "already in use" in text else ServiceError
            raise error(f"{service.name} ended at its start (exit status {process.returncode}); its log ends: {text}")
        if answered:
            return
        if time.monotonic() > deadline:
            waited = f"{service.start_timeout_s:g} s"
            raise ServiceError(f"{service.name} gave no answer within {waited}; its log ends: {_tail(log)}")
        time.sleep(_POLL_SECONDS)


def is_ready(port: int, target: str) -> bool:
    """Whether an AWS service on a port of loopback answers a call without parameters.

    Args:
        port: where to ask.
        target: the call's `X-Amz-Target`.
    """
    name = _SIGNING_NAMES[target.partition(".")[0]]
    scope = f"{LOCAL_CREDENTIALS['AWS_ACCESS_KEY_ID']}/20250101/{REGION}/{name}/aws4_request"
    headers = {
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
        # The emulators look at the form of a signature only.
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("POST", "/", body=b"{}", headers=headers)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path, lines: int = 8, length: int = 800) -> str:
    text = (" ".join(line.split()) for line in log.read_text(errors="replace").splitlines())
    # What went wrong stands above a stack trace, not in it.
    kept = [line for line in text if line and not line.startswith(("at ", "... "))][-lines:]
    return " | ".join(kept)[-length:] or "(empty)"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
