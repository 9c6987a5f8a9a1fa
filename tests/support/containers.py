"""The function's image in a container, as Lambda runs it, with what it talks to.

All containers of a test share one network namespace, so that everything they say to each other stays on a loopback
of their own; only the ports that a test calls are published, on this machine's loopback.
"""

import http.client
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emulator.environment import INVOCATION_PATH, LOCAL_CREDENTIALS, REGION
from emulator.services.dynamodb import dynamodb_client
from emulator.services.managed_service import LOOPBACK
from emulator.services.sqs import QUEUE_NAME, create_queue
from emulator.services.tables import create_tables
from tests.support.container_cleanup import labels, remove_abandoned
from tests.support.dynamodb_local import IMAGE as DYNAMODB_LOCAL
from tests.support.stores import DeadLetters, Tables

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

ROOT = Path(__file__).parents[2]
IMAGE = "mark-earnings-processed"
MEMORY_MB = 128

DYNAMODB_PORT = 8000
"""The port of DynamoDB inside the harness's network."""

_FUNCTION_PORT, _QUEUE_PORT, _AGENT_PORT = 8080, 4566, 2000
_START_SECONDS = 30
_POLL_SECONDS = 0.1
_LOG_SECONDS = 20
"""By which Docker's log may be later than the response."""
_FREEZE_TRIES = 20


# By what the base image surely has. The command of the runtime is `python3.13 .../bootstrap.py`.
_KILL_RUNTIME = """
import os, pathlib, signal
[runtime] = [
    int(process.name)
    for process in pathlib.Path("/proc").glob("[0-9]*")
    if (command := (process / "cmdline").read_bytes().split(b"\\0"))[0].endswith(b"python3.13")
    and command[1].endswith(b"/bootstrap.py")
]
os.kill(runtime, signal.SIGKILL)
"""


def base_image() -> str:
    """Return the name of the image that the function's is built on."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def queue_image() -> str:
    """Return the name of the image with the queue, as the compose file has it."""
    found = re.search(r"image: (ministackorg/ministack:\S+)", (ROOT / "docker-compose.yml").read_text())
    assert found is not None
    return found[1]


@contextmanager
def running(
    image: str,
    *,
    command: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
    ports: tuple[int, ...] = (),
    tmpfs: Mapping[str, str] | None = None,
    files: Mapping[Path, str] | None = None,
    **options: Any,
) -> Iterator["DockerContainer"]:
    """Run a container for the length of a `with` block.

    Args:
        image: Name of the image.
        command: Instead of the image's own.
        environment: Its variables.
        ports: Published on this machine's loopback, at ports of Docker's choice.
        tmpfs: Options of in-memory file systems by path.
        files: Files of this machine to be seen in the container, read-only, with their paths there.
        options: Docker-py's.
    """
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            # testcontainers' clean-up container would have to be pulled, too. And it takes a machine with a certain
            # marker file for a container, and would connect to its address there.
            patch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
            patch.setenv("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
            from testcontainers.core.container import DockerContainer

            container = DockerContainer(image).with_kwargs(**{"labels": labels(), **options})
            if command is not None:
                container.with_command(command)
            container.with_envs(**(environment or {}))
            container.tmpfs.update(tmpfs or {})
            for here, there in (files or {}).items():
                container.with_volume_mapping(str(here), there, "ro")
            for port in ports:
                container.ports[str(port)] = (LOOPBACK, None)  # type: ignore[assignment]
            stack.enter_context(container)
        yield container


def output_of(container: "DockerContainer") -> str:
    """Return what a container has written so far, both streams."""
    return b"".join(container.get_logs()).decode(errors="replace")


@contextmanager
def frozen(container: "DockerContainer") -> Iterator[None]:
    """Stop a container's processes where they are, as Lambda freezes a sandbox, for the length of a `with` block."""
    from docker.errors import APIError  # type: ignore[import-untyped]

    wrapped = container.get_wrapped_container()
    for remaining in reversed(range(_FREEZE_TRIES)):
        try:
            wrapped.pause()
            break
        except APIError:  # on a busy machine the kernel may not have stopped them all in the time the engine gives it
            if not remaining:
                raise
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        wrapped.unpause()


def run_in(container: "DockerContainer", *command: str) -> str:
    """Run a command in a running container and return what it prints.

    Raises:
        AssertionError: It failed.
    """
    result = container.get_wrapped_container().exec_run(list(command))
    text: str = result.output.decode(errors="replace")
    assert result.exit_code == 0, f"{command}: {text}"
    return text


@dataclass(frozen=True)
class Reply:
    """What the emulator answered to an invocation.

    Attributes:
        status: Of HTTP.
        text: The body.
    """

    status: int
    text: str

    @cached_property
    def body(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Function:
    """The function in its container. The emulator takes one request at a time: so does this.

    Attributes:
        container: Its container.
        port: Of this machine's loopback, where it takes invocations.
    """

    container: "DockerContainer"
    port: int
    _processed: list[Reply] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        """For `mep invoke --url`."""
        return f"http://{LOOPBACK}:{self.port}"

    def invoke(self, event: Any, timeout: float = 60) -> Reply:
        """Invoke it with one event.

        Args:
            event: A JSON value.
            timeout: Seconds to wait for the answer.
        """
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=timeout)) as connection:
            connection.request("POST", INVOCATION_PATH, json.dumps(event))
            response = connection.getresponse()
            reply = Reply(response.status, response.read().decode())
        if '"outcome"' in reply.text:
            self._processed.append(reply)
        return reply

    def lines(self) -> list[dict[str, Any]]:
        """The log and metric lines that the function has written so far.

        Docker's log may be later than the response: this waits for an outcome for each event that was answered.
        """
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            found = [json.loads(line) for line in output_of(self.container).splitlines() if line.startswith("{")]
            outcomes = sum(line.get("event_type") == "event_outcome" for line in found)
            if outcomes >= len(self._processed) or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_SECONDS)

    def outcomes(self) -> list[dict[str, Any]]:
        """Return the log lines with an outcome."""
        return [line for line in self.lines() if line.get("event_type") == "event_outcome"]

    def wait_until(self, what: str, happened: Callable[[], bool], seconds: float = _START_SECONDS) -> None:
        """Wait for something to happen.

        Raises:
            AssertionError: It did not; with the container's output.
        """
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s:\n{output_of(self.container)}"
            time.sleep(_POLL_SECONDS)

    def crash(self) -> None:
        """Kill the Python that runs the handler, as the system does when memory is out."""
        run_in(self.container, "python3.13", "-SIc", _KILL_RUNTIME)

    def peak_memory_mb(self) -> tuple[float, float]:
        """The most memory that was in use, megabytes: as the kernel counts the container, and its processes' sum."""
        limit, figures = 1024 * 1024, "/sys/fs/cgroup"
        counted = run_in(
            self.container,
            "sh",
            "-c",
            f"cat {figures}/memory.peak 2>/dev/null || cat {figures}/memory/memory.max_usage_in_bytes",
        )
        status = run_in(self.container, "sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null || true")
        processes: dict[str, int] = {}
        for process in re.finditer(r"^Name:\s+(\S+)$.*?^VmHWM:\s+(\d+) kB$", status, re.MULTILINE | re.DOTALL):
            processes[process[1]] = processes.get(process[1], 0) + int(process[2])
        # Of the commands that looked, nothing.
        own = sum(kilobytes for name, kilobytes in processes.items() if name not in {"sh", "cat"})
        return int(counted) / limit, own / 1024


@dataclass(frozen=True)
class Harness:
    """DynamoDB Local and a queue in containers, and the function beside them on the same loopback.

    Attributes:
        network: For other containers: the namespace they share.
        dynamodb: The container with DynamoDB Local; it keeps its data when it is stopped and started.
        port: The port of the function's runtime interface emulator.
        dynamodb_url: Of DynamoDB, from this machine.
        queue_url: Of the queue service, from this machine.
    """

    network: str
    dynamodb: "DockerContainer"
    port: int
    dynamodb_url: str
    queue_url: str

    @contextmanager
    def tables(self) -> Iterator[Tables]:
        """Two empty tables of a test's own."""
        name = uuid.uuid4().hex[:8]
        with closing(dynamodb_client(self.dynamodb_url)) as client:
            tables = Tables(self.dynamodb_url, f"calendar-{name}", f"audit-{name}", client)
            create_tables(client, tables.calendar_table, tables.audit_table)
            yield tables

    def dead_letters(self) -> DeadLetters:
        """An empty queue of a test's own."""
        return DeadLetters(create_queue(self.queue_url, f"{QUEUE_NAME}-{uuid.uuid4().hex[:8]}"))

    def environment(self, tables: Tables, dead_letters: DeadLetters) -> dict[str, str]:
        """The function's variables, as its container needs them."""
        queue = dead_letters.queue_url.rpartition("/")[2]
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **LOCAL_CREDENTIALS,
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{LOOPBACK}:{DYNAMODB_PORT}",
            "AWS_ENDPOINT_URL_SQS": f"http://{LOOPBACK}:{_QUEUE_PORT}",
            "AWS_XRAY_DAEMON_ADDRESS": f"{LOOPBACK}:{_AGENT_PORT}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "AWS_LAMBDA_FUNCTION_NAME": "MarkEarningsProcessed",
            "EARNINGS_CALENDAR_TABLE": tables.calendar_table,
            "EARNINGS_AUDIT_TABLE": tables.audit_table,
            "DEAD_LETTER_QUEUE_URL": f"http://{LOOPBACK}:{_QUEUE_PORT}/000000000000/{queue}",
        }

    @contextmanager
    def function(self, image: str, environment: Mapping[str, str], **options: Any) -> Iterator[Function]:
        """Run the function under Lambda's conditions; `options` are docker-py's."""
        conditions: dict[str, Any] = {
            "read_only": True,
            "user": "993:990",
            "mem_limit": f"{MEMORY_MB}m",
            "memswap_limit": f"{MEMORY_MB}m",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "network_mode": self.network,
        }
        writable = {"/tmp": "rw,size=512m,mode=1777"}
        with running(image, environment=environment, tmpfs=writable, **conditions, **options) as container:
            function = Function(container, self.port)
            function.wait_until("the emulator answers", lambda: _answers(self.port))
            yield function

    def beside(self, script: Path, *arguments: object) -> AbstractContextManager["DockerContainer"]:
        """Run a Python script, with the standard library only, on the harness's loopback."""
        command = ["python3.13", "/script.py", *map(str, arguments)]
        return running(base_image(), entrypoint=command, files={script: "/script.py"}, network_mode=self.network)

    def agent(self) -> AbstractContextManager["DockerContainer"]:
        """A UDP socket where the X-Ray agent is: prints every datagram as a line of hexadecimal digits."""
        return self.beside(ROOT / "tests" / "system" / "image" / "agent.py", _AGENT_PORT)


@contextmanager
def harness() -> Iterator[Harness]:
    """Run DynamoDB Local and a queue for the length of a `with` block."""
    remove_abandoned()
    with ExitStack() as stack:
        ports = (_FUNCTION_PORT, DYNAMODB_PORT, _QUEUE_PORT)
        # Does nothing but hold the namespace: the others come and go.
        holder = stack.enter_context(running(base_image(), ports=ports, entrypoint=["sleep", "infinity"]))
        network = f"container:{holder.get_container_id()}"
        function, dynamodb, queue = (holder.get_exposed_port(port) for port in ports)
        # On a file, not in memory: a test ends it and starts it again.
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", "DynamoDBLocal.jar"]
        store = stack.enter_context(
            running(
                DYNAMODB_LOCAL,
                command=[*options, "-dbPath", "/tmp", "-sharedDb", "-disableTelemetry"],
                network_mode=network,
            )
        )
        service = {"SERVICES": "sqs", "MINISTACK_HOST": LOOPBACK}
        stack.enter_context(running(queue_image(), environment=service, network_mode=network))
        for port in (dynamodb, queue):
            deadline = time.monotonic() + _START_SECONDS
            while not _answers(port):
                assert time.monotonic() < deadline, f"no answer within {_START_SECONDS} s:\n{output_of(store)}"
                time.sleep(_POLL_SECONDS)
        yield Harness(network, store, function, f"http://{LOOPBACK}:{dynamodb}", f"http://{LOOPBACK}:{queue}")


def _answers(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=5)) as connection:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
