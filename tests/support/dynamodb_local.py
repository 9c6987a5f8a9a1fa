"""The real DynamoDB Local for tests: in a container where Docker can run it, else as a Java process."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from emulator.services.dynamodb import PROBE, DynamoDBEndpoint, dynamodb_local
from emulator.services.managed_service import LOOPBACK, ServiceError, is_ready
from tests.support.container_cleanup import labels, remove_abandoned

IMAGE = "amazon/dynamodb-local:3.1.0"

_PORT = 8000
_COMMAND = "-Xmx256m -jar DynamoDBLocal.jar -inMemory -sharedDb -disableTelemetry"
_PULL_SECONDS = 60
_START_SECONDS = 30


@contextmanager
def real_dynamodb(image: str = IMAGE) -> Iterator[DynamoDBEndpoint]:
    """Run DynamoDB Local.

    Raises:
        ServiceError: Neither way works; the message has both reasons.
    """
    with ExitStack() as stack:
        try:
            url = stack.enter_context(_in_container(image))
            endpoint = DynamoDBEndpoint(url, "dynamodb-local")
        except ServiceError as no_container:
            try:
                endpoint = stack.enter_context(dynamodb_local())
            except ServiceError as no_process:
                raise ServiceError(f"no DynamoDB Local: {no_container}; {no_process}") from None
        yield endpoint


@contextmanager
def _in_container(image: str) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(_container(image))
        except ServiceError:
            raise
        except Exception as error:  # Docker and testcontainers raise all sorts; each means: not this way
            text = " ".join(str(error).split())[:300]
            raise ServiceError(f"no container: {type(error).__name__}: {text}") from error
        yield url


@contextmanager
def _container(image: str) -> Iterator[str]:
    _require_image(image)
    remove_abandoned()
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            # testcontainers' clean-up container would have to be pulled, too. And it takes a machine with a certain
            # marker file for a container, and would connect to its address there.
            patch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
            patch.setenv("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
            from testcontainers.core.container import DockerContainer

            container = DockerContainer(image).with_command(_COMMAND).with_kwargs(labels=labels())
            # Of loopback only; Docker picks the port.
            container.ports[str(_PORT)] = (LOOPBACK, None)  # type: ignore[assignment]
            stack.enter_context(container)
            port = container.get_exposed_port(_PORT)
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready(port, PROBE):
            if time.monotonic() > deadline:
                log = " | ".join(b"".join(container.get_logs()).decode(errors="replace").split("\n")[-8:])
                raise ServiceError(f"no container: {image} gave no answer within {_START_SECONDS} s: {log}")
            time.sleep(0.1)
        yield f"http://{LOOPBACK}:{port}"


def _require_image(image: str) -> None:
    _require_docker()
    import docker  # type: ignore[import-untyped]
    from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]

    try:
        with closing(docker.from_env(timeout=10)) as client:
            client.ping()
            client.images.get(image)
    except ImageNotFound:
        _pull(image)
    except (DockerException, OSError):
        raise ServiceError("no container: Docker does not answer") from None


def _require_docker() -> None:
    # Before the library tries: it leaves a socket open where nobody listens, which is a warning, which is an error.
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://"):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(host.removeprefix("unix://"))
        except OSError:
            raise ServiceError("no container: Docker does not answer") from None


def _pull(image: str) -> None:
    # By the command line: the library's pull cannot be given an end.
    docker = shutil.which("docker")
    if docker is None:
        raise ServiceError(f"no container: {image} is not here, and there is no docker command to pull it")
    try:
        command = [docker, "pull", "--quiet", image]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PULL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"no container: {image} could not be pulled within {_PULL_SECONDS} s") from None
    if result.returncode:
        raise ServiceError(f"no container: {image} is not here and cannot be pulled")
