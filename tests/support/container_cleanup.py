"""Containers of test runs that were killed: removed by the next run, since nothing else does.

testcontainers has a container of its own for that, which would have to be pulled; so it is off here.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

LABEL = "mark-earnings-processed.tests"
"""On each container: the machine and the process that run the test."""


def labels() -> Mapping[str, str]:
    """What a container of this run is labelled with."""
    return {LABEL: f"{socket.gethostname()}:{os.getpid()}"}


def alone(owner: str) -> bool:
    """Return whether a label's process has ended; unknown for another machine's."""
    machine, _, process = owner.rpartition(":")
    return machine == socket.gethostname() and not Path("/proc", process).exists()


def remove_abandoned() -> None:
    """Remove every container whose test run is gone."""
    import docker  # type: ignore[import-untyped]
    from docker.errors import APIError  # type: ignore[import-untyped]

    with closing(docker.from_env(timeout=30)) as client:
        for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            if alone(container.labels[LABEL]):
                with suppress(APIError):  # another run was quicker
                    container.remove(force=True, v=True)
