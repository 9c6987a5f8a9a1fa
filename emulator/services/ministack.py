"""MiniStack, an emulator of AWS in Python: for SQS, for event patterns, and for DynamoDB where Java is missing.

Its conditional writes and transactions are atomic under concurrent requests; those of other emulators are not.
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
        The URL.

    Raises:
        ServiceError: It is not installed, or did not start.
    """
    if importlib.util.find_spec("ministack") is None:
        raise ServiceError("MiniStack is not installed: it comes with the extra `operator`")

    def environment(port: int) -> dict[str, str]:
        return {
            "SERVICES": api,
            "BIND_HOST": LOOPBACK,  # by default it listens on every interface
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,  # the host in queue URLs
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "PYTHONINTMAXSTRDIGITS": "0",  # AWS accepts numbers that are longer than Python's limit
            "DOCKER_HOST": "unix:///nonexistent",  # by default it looks for containers to remove
        }

    command = [sys.executable, "-m", "ministack"]
    with managed_service(Service("MiniStack", lambda _: command, _PROBES[api], environment)) as url:
        yield url
