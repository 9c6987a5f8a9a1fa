"""The function before a snapshot and after restores, in a process of its own: a fork is a restore.

A fork has what a sandbox has that is restored from a snapshot: the memory, the state of every generator of random
numbers, and no thread but one. Lambda's own runtime client runs the hooks. The snapshot is taken once; each sandbox is
then restored from it, processes its events and ends, one after another.

    python -m tests.support.snapshot_process PLAN REPORT

PLAN is the JSON of `tests.support.snapshots.Plan`, REPORT the file for what `tests.support.snapshots` reads.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

STATE_IN_THE_SNAPSHOT = 20_261_126


class Context:
    """Lambda's context object.

    Args:
        request_id: Lambda's request ID.
        seconds: Time until the deadline.
    """

    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:MarkEarningsProcessed:live"

    def __init__(self, request_id: str, seconds: float) -> None:
        self.aws_request_id = request_id
        self._deadline = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main() -> None:
    """Start the function, take the snapshot, restore the sandboxes, write the report."""
    plan, report = json.loads(sys.argv[1]), Path(sys.argv[2])
    resolved = record_resolved_hosts()
    output = os.memfd_create("output")
    os.dup2(output, 1)
    from handler import app

    if plan["with_hooks"]:
        from awslambdaric.lambda_runtime_hooks_runner import run_before_snapshot  # type: ignore[import-untyped]

        run_before_snapshot()
    snapshot = {
        "output": read(output),
        "threads": [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()],
        "stream_sockets": stream_sockets(),
        "hosts": sorted(set(resolved)),
        "modules": sorted(name for name in sys.modules if "snapshot" in name or name.endswith(".rehearsal")),
    }
    sandboxes = [restore(app.lambda_handler, sandbox, with_hooks=plan["with_hooks"]) for sandbox in plan["sandboxes"]]
    report.write_text(json.dumps({"snapshot": snapshot, "sandboxes": sandboxes}), encoding="utf-8")
    os._exit(0)  # ADOT's whole set-up would export at exit


def restore(handler: Any, sandbox: dict[str, Any], *, with_hooks: bool) -> dict[str, Any]:
    """Process the events of one sandbox in a fork; return its responses and output, and whether it was killed."""
    responses, output = os.memfd_create("responses"), os.memfd_create("output")
    child = os.fork()
    if not child:
        os.dup2(output, 1)
        try:
            run_sandbox(handler, sandbox, responses, with_hooks=with_hooks)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    answered = [json.loads(line) for line in read(responses).splitlines()]
    return {"responses": answered, "output": read(output), "killed": os.WIFSIGNALED(status)}


def run_sandbox(handler: Any, sandbox: dict[str, Any], responses: int, *, with_hooks: bool) -> None:
    """Run the hooks after the restore, and process the events; append a line for each response."""
    from handler.errors import EventNotProcessed

    random.seed(STATE_IN_THE_SNAPSHOT)  # Python seeds its generator after a fork; after a restore, nobody does
    if with_hooks:
        from awslambdaric.lambda_runtime_hooks_runner import run_after_restore

        run_after_restore()
    if sandbox["killed_after_s"]:
        signal.setitimer(signal.ITIMER_REAL, sandbox["killed_after_s"])
    for number, event in enumerate(sandbox["events"]):
        os.environ["_X_AMZN_TRACE_ID"] = ""
        context = Context(f"request-{os.getpid()}-{number}", sandbox["deadline_s"])
        try:
            response = handler(event, context)
        except EventNotProcessed as error:
            response = {"error": str(error)}
        os.write(responses, json.dumps(response).encode() + b"\n")


def record_resolved_hosts() -> list[str]:
    """Return a list to which each name is added that the process resolves from now on."""
    hosts: list[str] = []
    resolve = socket.getaddrinfo

    def recorded(host: Any, *args: Any, **kwargs: Any) -> Any:
        hosts.append(str(host))
        return resolve(host, *args, **kwargs)

    socket.getaddrinfo = recorded
    return hosts


def read(descriptor: int) -> str:
    """Return what was written to a descriptor."""
    return os.pread(descriptor, 1 << 24, 0).decode(errors="replace")


def stream_sockets() -> int:
    """Return how many TCP sockets this process has."""
    count = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(path.name))) as found:
                count += found.type == socket.SOCK_STREAM
        except OSError:  # not a socket, or the descriptor of the list
            continue
    return count


if __name__ == "__main__":
    main()
