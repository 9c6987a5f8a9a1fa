"""The CPU time of the function's processes per event, relative to V0 in the same run: `make bench-scale`.

V0 (`bench/v0.py`) and the function in each export mode get the same events, as many workers each, and one store: the
fast fake of the soak, without faults. They take turns in short blocks, so that other work on the machine disturbs them
alike. What is counted is all that a process does for its events, in user space and in the kernel, with Lambda's runtime
client.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Annotated, Any

import orjson
import typer

from bench.origin import FUNCTION_LIBRARIES, origin
from bench.report import SCALE, write_documents
from bench.scale import V0, scale
from emulator.clients import loopback_client
from emulator.environment import FunctionConfig, new_trace_header
from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import Worker, start_workers
from emulator.services.tables import AUDIT_TABLE, CALENDAR_TABLE, create_tables
from mep.errors import MepError, RunError
from tests.soak.fake_aws import FakeAwsClient, FakeAwsPorts, fake_aws
from tests.soak.faults import FaultRates
from tests.soak.plan import Plan, Shares
from tests.soak.run import FunctionOutput, function_config

BLOCK = 500
"""Events that one function gets before the next one does."""

_PROGRESS_EVERY_S = 30.0
WORKERS = (1, 8)
MODES = ("direct", "layer")
_PLAN = Plan(seed=1, shares=Shares(down=0, repeat=0, rival=0, no_row=0, invalid=0))
_NO_QUEUE = "http://127.0.0.1:9/000000000000/none"
_RECEIVED = 0.95  # of the datagrams: the kernel drops some if the store is late
_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED of a process: see clock_getcpuclockid(3)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The CPU time so far.

    Attributes:
        events: Events that each function has processed.
        cpu_s: Seconds since the first event, all processes of a function together, by function.
    """

    events: int
    cpu_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScaleRun:
    """One run.

    Attributes:
        workers: Processes of each function.
        events: Events that each function processed.
        init_s: CPU time in seconds of the start of the processes, by function.
        checkpoints: The CPU time at 1, 10, 100 events and so on.
        datagrams: Datagrams that the store received.
        seconds: Wall-clock time.
    """

    workers: int
    events: int
    init_s: Mapping[str, float]
    checkpoints: Sequence[Checkpoint]
    datagrams: int
    seconds: float


class Processes:
    """The processes of one function.

    Args:
        name: The name in the result.
        workers: Started workers.
        first: The number of its first event: no two functions share one.
    """

    def __init__(self, name: str, workers: Sequence[Worker], first: int) -> None:
        self.name = name
        self.first = first
        self._workers = workers
        self._pids = [worker.pid for worker in workers]

    def cpu_s(self) -> float:
        """Return the CPU time of all processes since they were started, in seconds.

        Raises:
            RunError: One of them has ended.
        """
        if [worker.pid for worker in self._workers] != self._pids:
            raise RunError(f"a process of {self.name} ended during the run")
        return sum(time.clock_gettime((~pid << 3) | _PROCESS_CLOCK) for pid in self._pids if pid is not None)

    def process(self, payloads: Sequence[bytes]) -> None:
        """Let the workers process these events, each as many as it can.

        Raises:
            RunError: An event was not marked.
        """
        events, lock = iter(payloads), Lock()

        def work(worker: Worker) -> None:
            while True:
                with lock:
                    payload = next(events, None)
                if payload is None:
                    return
                result = worker.invoke(payload, trace_header=new_trace_header())
                if result.status != "ok" or orjson.loads(result.payload).get("outcome") != "marked":
                    raise RunError(f"{self.name} did not mark an event: {result.payload[:200].decode()}")

        with ThreadPoolExecutor(len(self._workers)) as pool:
            for future in [pool.submit(work, worker) for worker in self._workers]:
                future.result()


def checkpoints(events: int) -> list[int]:
    """Return 1, 10, 100 and so on, up to and with a number of events."""
    powers = itertools.takewhile(lambda power: power < events, (10**exponent for exponent in itertools.count()))
    return [*powers, events]


def measure(events: int, workers: int, modes: Sequence[str], watch: Callable[[int], None]) -> ScaleRun:
    """Send events to V0 and to the function in each export mode.

    Args:
        events: The number of events for each.
        workers: The number of processes of each.
        modes: Keys of `tests.support.export_modes.EXPORT_MODES`.
        watch: Called with the number of events that each function has processed, after each block.

    Raises:
        RunError: An event was not marked, or telemetry was not sent.
        EmulatorError: A function does not start.
    """
    begun = time.monotonic()
    with ExitStack() as stack:
        ports = stack.enter_context(fake_aws(_NO_QUEUE, FaultRates.none(), 1))
        client = stack.enter_context(closing(FakeAwsClient(ports)))
        with closing(loopback_client("dynamodb", ports.url)) as dynamodb:
            create_tables(dynamodb, CALENDAR_TABLE, AUDIT_TABLE)
        output = FunctionOutput()
        functions = []
        for number, (name, config) in enumerate(_configs(ports, modes).items()):
            started = [stack.enter_context(Worker(config, output)) for _ in range(workers)]
            start_workers(started)
            functions.append(Processes(name, started, number * events))
        init_s = {function.name: function.cpu_s() for function in functions}
        reached = []
        for begin, end in itertools.pairwise([0, *checkpoints(events)]):
            for turn, block in enumerate(_blocks(begin, end)):
                for function in functions if turn % 2 else reversed(functions):
                    _send(function, block, client)
                watch(block.stop)
            spent = {function.name: function.cpu_s() - init_s[function.name] for function in functions}
            reached.append(Checkpoint(end, spent))
        counters = client.call("Soak.Counters")
    if counters["committed"] != events * len(functions):
        raise RunError(f"the store committed {counters['committed']} transactions for {events * len(functions)} events")
    if output.starts_without_adot or counters["datagrams"] < _RECEIVED * events * len(modes):
        raise RunError(f"{counters['datagrams']} datagrams came for {events * len(modes)} events")
    return ScaleRun(workers, events, init_s, reached, counters["datagrams"], round(time.monotonic() - begun, 1))


def _configs(ports: FakeAwsPorts, modes: Sequence[str]) -> dict[str, FunctionConfig]:
    """Return V0 and the function in each mode."""
    functions = {V0: replace(function_config(ports, _NO_QUEUE, "direct"), handler="bench.v0.lambda_handler")}
    return functions | {mode: function_config(ports, _NO_QUEUE, mode) for mode in modes}


def _blocks(begin: int, end: int) -> Iterator[range]:
    return (range(start, min(start + BLOCK, end)) for start in range(begin, end, BLOCK))


def _send(function: Processes, block: range, client: FakeAwsClient) -> None:
    """Load the rows of a block of events, and let the function process them."""
    planned = [_PLAN.event(function.first + number) for number in block]
    client.load(CALENDAR_TABLE, [_PLAN.symbol(event) for event in planned])
    function.process([_PLAN.payload(event) for event in planned])


def main(
    *,
    events: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many events each function gets.")] = 10_000,
    workers: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="Processes of each function; a run each. 1 and 8.")
    ] = None,
    mode: Annotated[
        list[str] | None, typer.Option(help="An export mode that is compared with V0. layer and direct.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Write bench/scale.json, and bench/README.md.")] = False,
) -> None:
    """Compare the CPU time per event with V0's, at 1, 10, 100 events and so on.

    With --record, the recorded run with as many workers and events is replaced.
    """
    facts = origin(FUNCTION_LIBRARIES)
    runs = [{**facts, **_measured(events, number, mode or MODES)} for number in workers or WORKERS]
    if record:
        recorded: list[dict[str, Any]] = json.loads(SCALE.read_text(encoding="utf-8"))
        kept = {(run["workers"], run["events"]): run for run in [*recorded, *runs]}
        SCALE.write_text(json.dumps([kept[key] for key in sorted(kept)], indent=2) + "\n", encoding="utf-8")
        write_documents()
    typer.echo(scale(runs))


def _measured(events: int, workers: int, modes: Sequence[str]) -> dict[str, Any]:
    """Return a run as JSON values, with its progress on standard error."""
    shown = time.monotonic()

    def watch(processed: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _PROGRESS_EVERY_S:
            shown = time.monotonic()
            typer.echo(f"scale: {workers} workers: {processed:,} of {events:,} events for each function", err=True)

    run: dict[str, Any] = asdict(measure(events, workers, modes, watch))
    return run


if __name__ == "__main__":
    try:
        typer.run(main)
    except (MepError, EmulatorError) as error:
        typer.echo(f"scale: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
