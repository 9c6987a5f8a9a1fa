"""MiniStack, an emulator of AWS in Python: the queue always, event patterns, DynamoDB where Java cannot run.

Its conditions and transactions hold under concurrent requests, which is not so of every emulator.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Literal

from emulator.environment import ACCOUNT_ID, REGION
from emulator.services.managed_service import LOOPBACK, Service, ServiceError, managed_service

_PROBES = {
    "dynamodb": "DynamoDB_20120810.ListTables",
    "events": "AWSEvents.ListEventBuses",
    "sqs": "AmazonSQS.ListQueues",
}


@contextlib.contextmanager
def ministack(api: Literal["dynamodb", "events", "sqs"]) -> Iterator[str]:
    """Run MiniStack with one AWS API, in a process of its own.

    Yields:
        Its URL.

    Raises:
        ServiceError: it is not installed, or did not start.
    """
    if importlib.util.find_spec("ministack") is None:
        raise ServiceError("MiniStack is not installed: `uv sync --group local` brings it")

    def environment(port: int) -> dict[str, str]:
        return {
            "SERVICES": api,
            "BIND_HOST": LOOPBACK,  # it would listen on every interface
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,  # the host in queue URLs
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "PYTHONINTMAXSTRDIGITS": "0",  # numbers of any length: AWS is not written in Python
            "DOCKER_HOST": "unix:///nonexistent",  # it would look for containers to tidy away
        }

    command = [sys.executable, "-m", "ministack"]
    with managed_service(Service("MiniStack", lambda _: command, _PROBES[api], environment)) as url:
        yield url
