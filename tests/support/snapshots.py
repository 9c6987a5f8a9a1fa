"""Sandboxes that were restored from one snapshot of the function: what they wrote, sent and answered."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emulator.environment import FunctionConfig
from tests.support.telemetry import json_lines

SNAP_START: Mapping[str, str] = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@dataclass(frozen=True)
class Planned:
    """What one sandbox does.

    Attributes:
        events: Those that it processes, in this order.
        deadline_s: Seconds that each has.
        killed_after_s: Seconds after the restore at which the process is killed; 0 for never.
    """

    events: Sequence[Mapping[str, Any]]
    deadline_s: float = 120
    killed_after_s: float = 0


@dataclass(frozen=True)
class RestoredSandbox:
    """What one sandbox did.

    Attributes:
        responses: For each event, the function's response, or the class of its exception as `error`.
        logs: Log lines.
        metrics: Metric lines.
        killed: Whether the process was killed.
    """

    responses: Sequence[Mapping[str, Any]]
    logs: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    killed: bool


@dataclass(frozen=True)
class Snapshot:
    """What there was when the snapshot was taken.

    Attributes:
        output: Standard output until then.
        threads: Names of threads, without the main one.
        stream_sockets: Number of TCP sockets.
        hosts: Names and addresses that were resolved.
        modules: Those that are for SnapStart.
        sandboxes: What was restored from it.
    """

    output: str
    threads: Sequence[str]
    stream_sockets: int
    hosts: Sequence[str]
    modules: Sequence[str]
    sandboxes: Sequence[RestoredSandbox]


def restore(settings: Mapping[str, str], *planned: Planned, with_hooks: bool = True) -> Snapshot:
    """Start the function, take a snapshot, and restore sandboxes from it, one after another.

    Args:
        settings: The function's environment variables.
        planned: What each sandbox does.
        with_hooks: Whether the process has SnapStart's variables and runs its hooks.
    """
    extra = SNAP_START if with_hooks else {}
    config = FunctionConfig(credentials={}, settings={**settings, **extra})
    environment = config.environment("127.0.0.1:1")
    wrapper = environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    plan = json.dumps({"with_hooks": with_hooks, "sandboxes": [asdict(sandbox) for sandbox in planned]})
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report")
        command = [sys.executable, "-m", "tests.support.snapshot_process", plan, str(report)]
        subprocess.run([*([wrapper] if wrapper else ()), *command], env=environment, cwd=config.task_root, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))
    return Snapshot(**found["snapshot"], sandboxes=[_restored(sandbox) for sandbox in found["sandboxes"]])


def _restored(found: Mapping[str, Any]) -> RestoredSandbox:
    lines = json_lines(found["output"].encode())
    return RestoredSandbox(
        found["responses"],
        [line for line in lines if "_aws" not in line],
        [line for line in lines if "_aws" in line],
        found["killed"],
    )
