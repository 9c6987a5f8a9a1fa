"""LocalEmu in a container, a third-party emulator of AWS, with DynamoDB Local beside it.

Both, and the containers in which it runs the function's image, share one network namespace: everything they say to each
other stays on a loopback of their own. Two ports are published, on this machine's loopback. The function's runtime
takes a fixed port there, so that only one of its containers can run at a time: events are sent one after the other.
"""

import json
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.clients import loopback_client
from emulator.environment import ACCOUNT_ID
from emulator.services.dynamodb import PROBE, dynamodb_client
from emulator.services.managed_service import LOOPBACK, is_ready
from tests.support.containers import DYNAMODB_PORT, ROOT, base_image, output_of, running
from tests.support.dynamodb_local import IMAGE as DYNAMODB_LOCAL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from testcontainers.core.container import DockerContainer

PACKAGES = ROOT / ".cache" / "emulator" / "lib" / "python3.13" / "site-packages"
"""LocalEmu, as `make test-emulator` installs it from tests/system/localemu/environment/uv.lock."""

GATEWAY_PORT = 4566
"""Of all AWS APIs, inside the namespace."""

DYNAMODB_URL = f"http://{LOOPBACK}:{DYNAMODB_PORT}"
"""Of DynamoDB Local, inside the namespace. LocalEmu has a DynamoDB, too, but its transactions are not atomic."""

_LABEL = "mark-earnings-processed.emulator"
_START_SECONDS = 300
_PATIENCE_SECONDS = 300
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Emulator:
    """The emulator, running.

    Attributes:
        url: Of all AWS APIs, from this machine.
        dynamodb_url: Of DynamoDB Local, from this machine.
        container: LocalEmu's.
        network: For other containers: the namespace they share.
    """

    url: str
    dynamodb_url: str
    container: "DockerContainer"
    network: str

    def client(self, service: str, account: str = ACCOUNT_ID) -> Any:
        """Return a client for one of its APIs. The caller closes it.

        Args:
            service: As boto3 calls it.
            account: The emulator keeps the data of each account apart; an access key that is a number names it.
        """
        # On a busy machine an answer takes its time. What is asked a second time meanwhile is done twice.
        patient: dict[str, Any] = {"read_timeout": _PATIENCE_SECONDS, "retries": {"total_max_attempts": 1}}
        return loopback_client(service, self.url, access_key=account, **patient)

    def dynamodb(self) -> "DynamoDBClient":
        """Return a client for DynamoDB Local. The caller closes it."""
        return dynamodb_client(self.dynamodb_url)

    def inside(self, url: str) -> str:
        """Return a URL of its APIs as the function, inside, has to call it."""
        return url.replace(self.url, f"http://{LOOPBACK}:{GATEWAY_PORT}")

    def outside(self, url: str) -> str:
        """Return a URL of its APIs, as they give it, as this machine has to call it."""
        return url.replace(f"http://{LOOPBACK}:{GATEWAY_PORT}", self.url)

    def wait_until[T](self, what: str, look: Callable[[], T], seconds: float = _PATIENCE_SECONDS) -> T:
        """Wait until `look` returns something true, and return that.

        Raises:
            AssertionError: It did not; with the end of the emulator's log.
        """
        deadline = time.monotonic() + seconds
        while not (found := look()):
            log = self._log() if time.monotonic() > deadline else ""
            assert not log, f"{what}: not within {seconds} s; the emulator's log ends:\n{log}"
            time.sleep(_POLL_SECONDS)
        return found

    def _log(self) -> str:
        lines = output_of(self.container).splitlines()
        return "\n".join(
            [line for line in lines if "CFN_IGNORE" not in line and "not currently emulated" not in line][-30:]
        )

    def function_lines(self, function: str, account: str = ACCOUNT_ID) -> list[dict[str, Any]]:
        """The log and metric lines that a function has written, as CloudWatch Logs has them."""
        with closing(self.client("logs", account)) as logs:
            try:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
                messages = [event["message"] for page in pages for event in page["events"]]
            except logs.exceptions.ResourceNotFoundException:
                return []
        return [json.loads(message) for message in messages if message.startswith("{")]


@contextmanager
def emulator() -> Iterator[Emulator]:
    """Run the emulator for the length of a `with` block; no container is left, whatever happens inside."""
    owner = str(os.getpid())
    _remove_containers(lambda label: not Path("/proc", label).exists())
    with ExitStack() as stack:
        stack.callback(_remove_containers, lambda label: label == owner)
        mine: Mapping[str, Any] = {"labels": {_LABEL: owner}}
        ports = (GATEWAY_PORT, DYNAMODB_PORT)
        holder = stack.enter_context(running(base_image(), ports=ports, entrypoint=["sleep", "infinity"], **mine))
        network = f"container:{holder.get_container_id()}"
        gateway, dynamodb = (holder.get_exposed_port(port) for port in ports)
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", "DynamoDBLocal.jar"]
        stack.enter_context(
            running(
                DYNAMODB_LOCAL,
                command=[*options, "-inMemory", "-sharedDb", "-disableTelemetry"],
                network_mode=network,
                **mine,
            )
        )
        container = stack.enter_context(_localemu(network, owner))
        made = Emulator(f"http://{LOOPBACK}:{gateway}", f"http://{LOOPBACK}:{dynamodb}", container, network)
        made.wait_until("DynamoDB Local answers", lambda: is_ready(dynamodb, PROBE), _START_SECONDS)
        made.wait_until("LocalEmu answers", lambda: _healthy(made.url), _START_SECONDS)
        yield made


@contextmanager
def _localemu(network: str, owner: str) -> Iterator["DockerContainer"]:
    docker = shutil.which("docker")
    assert docker is not None
    environment = {
        "PYTHONPATH": "/emulator",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/tmp",
        "FILESYSTEM_ROOT": "/tmp/localemu",
        "GATEWAY_SERVER": "hypercorn",
        "GATEWAY_LISTEN": f"0.0.0.0:{GATEWAY_PORT}",  # of the namespace; published on loopback only
        "LOCALEMU_HOST": f"{LOOPBACK}:{GATEWAY_PORT}",
        "OVERRIDE_IN_DOCKER": "0",  # it would look for the function at an address of its own
        "MAIN_CONTAINER_NAME": f"mark-earnings-processed-emulator-{owner}",  # what its containers' names begin with
        "LAMBDA_DOCKER_NETWORK": network,
        "LAMBDA_DOCKER_FLAGS": f"--label {_LABEL}={owner}",
        "HOSTNAME_FROM_LAMBDA": LOOPBACK,
        "LAMBDA_RETRY_BASE_DELAY": "1",  # seconds, where Lambda waits a minute, and then two
        "SQS_ENDPOINT_STRATEGY": "path",
        "LS_LOG": "warning",
        "DISABLE_EVENTS": "1",  # nothing to its makers
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }
    with running(
        base_image(),
        environment=environment,
        files={
            PACKAGES: "/emulator",
            Path(docker).resolve(): "/usr/local/bin/docker",
            Path("/var/run/docker.sock"): "/var/run/docker.sock",
        },
        entrypoint=["python3.13", "-m", "localemu.runtime.main"],
        network_mode=network,
        labels={_LABEL: owner},
    ) as container:
        yield container


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_localemu/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _remove_containers(wanted: Callable[[str], bool]) -> None:
    """Remove containers of emulators, with those that run functions.

    Args:
        wanted: Whether those of this owner (a process number) are meant. What a killed test run left has none.
    """
    import docker  # type: ignore[import-untyped]

    with closing(docker.from_env()) as client:
        for container in client.containers.list(all=True, filters={"label": _LABEL}, ignore_removed=True):
            if wanted(container.labels[_LABEL]):
                try:
                    container.remove(force=True, v=True)
                except docker.errors.NotFound:
                    continue
