"""The measured process: import a Lambda handler, call it with events, exit.

    python -P bench/driver.py MODULE EVENTS [REPORT]

MODULE is the handler's module (its function is `lambda_handler`), or `-` for no handler: the cost of that run is that
of the interpreter and of this file, and is subtracted from every other run. EVENTS is the number of events, each for
another calendar row. REPORT is an optional file for `name=value` lines; see `report`.

With `AWS_LAMBDA_INITIALIZATION_TYPE=snap-start`, the hooks before a snapshot run after the import, and those after a
restore before the first event: the difference between the runs with one event and with none is what the first event
after a restore waits for.

This module imports only what the interpreter has loaded already, so that all other imports count for the handler.
"""

import os
import sys
import time

ACCOUNT = "123456789012"
FUNCTION = "mark-earnings-processed"
TIMEOUT_SECONDS = 30


class Context:
    """Lambda's context object of an invocation, as its runtime client provides it."""

    function_name = FUNCTION
    function_version = "1"
    invoked_function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{FUNCTION}"
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    log_group_name = f"/aws/lambda/{FUNCTION}"
    log_stream_name = "2026/02/03/[1]5f2b0c"
    identity = None
    client_context = None
    tenant_id = None

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"7c1d5be0-2b1e-4a55-9d3c-{number:012x}"
        self._deadline_ms = int(time.time() * 1000) + TIMEOUT_SECONDS * 1000

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the timeout, never negative."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)


def event(number: int) -> dict[str, object]:
    """Return the EventBridge event with this number, for a calendar row of its own."""
    return {
        "version": "0",
        "id": f"17793124-05d4-b198-2fde-{number:012x}",
        "source": "signal9.advisor",
        "detail-type": "earningsProcessed",
        "account": ACCOUNT,
        "time": "2026-02-03T21:05:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "asset_symbol": f"SYM{number}",
            "earnings_date": f"2026-02-{number % 28 + 1:02d}",
            "event_id": f"evt-{number}",
            "earnings_id": f"earn-{number}",
            "processed_at": "2026-02-03T21:04:58Z",
            "correlation_id": f"corr-{number}",
        },
    }


def no_handler(_event: dict[str, object], _context: Context) -> dict[str, str]:
    """Do nothing, successfully."""
    return {"outcome": "marked"}


def peak_memory_kb() -> int:
    """Return the largest resident set of this process so far, in KiB."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


def without_bytecode() -> int:
    """Return the number of modules without stored bytecode, which makes a cold start three times as expensive."""
    cached = (getattr(module, "__cached__", None) for module in list(sys.modules.values()))
    return sum(1 for path in cached if path and not os.path.exists(path))


def run_hooks(kind: str) -> None:
    """Run the hooks of `snapshot_restore_py` as Lambda's runtime client does, if the handler has registered some.

    Args:
        kind: `before_snapshot` or `after_restore`.
    """
    registry = sys.modules.get("snapshot_restore_py")
    if registry is not None:
        hooks = getattr(registry, f"get_{kind}")()
        for function, arguments, options in reversed(hooks) if kind == "before_snapshot" else hooks:
            function(*arguments, **options)


def main() -> None:
    """Run the handler of the command line and exit without shutting the interpreter down, as on Lambda."""
    module, count = sys.argv[1], int(sys.argv[2])
    modules = [len(sys.modules)]
    handler = no_handler
    if module != "-":
        __import__(module)
        handler = sys.modules[module].lambda_handler
    restored = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    if restored and "BENCH_NOT_PRIMED" not in os.environ:
        run_hooks("before_snapshot")
    modules.append(len(sys.modules))
    stdout_bytes = []
    for number in range(count):
        if restored and number == 0:
            # A restore takes place long after the snapshot: credentials from before it have expired.
            os.environ |= {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "restored"}
            run_hooks("after_restore")
        os.environ["_X_AMZN_TRACE_ID"] = (
            f"Root=1-67891233-abcdef012345{number:012x};Parent=53995c3f{number:08x};Sampled=1"
        )
        result = handler(event(number), Context(number))
        if result.get("outcome") != "marked":
            sys.exit(f"event {number} was not marked: {result}")
        if number == 0:
            modules.append(len(sys.modules))
            sys.stdout.flush()
            stdout_bytes.append(os.fstat(1).st_size)
    sys.stdout.flush()
    if len(sys.argv) > 3:
        stdout_bytes.append(os.fstat(1).st_size)
        report = {
            "peak_memory_kb": peak_memory_kb(),
            "without_bytecode": without_bytecode(),
            "modules_before": modules[0],
            "modules_init": modules[1] - modules[0],
            "modules_first": modules[2] - modules[1],
            "stdout_first": stdout_bytes[0],
            "stdout_rest": stdout_bytes[1] - stdout_bytes[0],
        }
        with open(sys.argv[3], "w", encoding="ascii") as file:
            file.writelines(f"{name}={value}\n" for name, value in report.items())
    os._exit(0)


if __name__ == "__main__":
    main()
