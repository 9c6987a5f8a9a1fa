"""Runs one Lambda handler in processes of its own and counts what it costs.

Each figure comes from whole processes, so that everything a handler starts (threads, lazy imports) is in it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.counters import Counter

ROOT = Path(__file__).resolve().parent.parent
NO_HANDLER = "-"
_TIMEOUT_SECONDS = 600


class BenchError(Exception):
    """A run that cannot be measured, in one line."""


@dataclass(frozen=True)
class Run:
    """One process of `bench/driver.py`: what it reported of itself and what the stub saw of it."""

    report: Mapping[str, int]
    seen: Mapping[str, int]
    instructions: int | None = None


@dataclass(frozen=True)
class Memory:
    """A handler's memory and side effects over many events, without instrumentation.

    Attributes:
        peak_kb: Largest resident set, KiB, median of several processes.
        peaks_kb: The same of each process.
        modules_init: Modules that importing the handler loaded.
        modules_first: Modules that the first event loaded on top.
        attempts_per_event: HTTP requests per event.
        datagrams_per_event: UDP datagrams per event.
        datagram_bytes_per_event: And their bytes.
        stdout_bytes_per_event: Bytes printed by an event that is not the first.
    """

    peak_kb: float
    peaks_kb: tuple[int, ...]
    modules_init: int
    modules_first: int
    attempts_per_event: float
    datagrams_per_event: float
    datagram_bytes_per_event: float
    stdout_bytes_per_event: float


@contextmanager
def unchanged_sources(root: Path = ROOT) -> Iterator[None]:
    """Measure inside this block: what is edited meanwhile is compiled by a measured process, and counted.

    Args:
        root: the directory that holds `handler`, `otel` and `bench`.

    Raises:
        BenchError: A file of theirs was added, changed or removed before the block ended.
    """

    def written() -> dict[Path, int]:
        files = (file for package in ("handler", "otel", "bench") for file in (root / package).rglob("*.py"))
        return {file: file.stat().st_mtime_ns for file in files}

    before = written()
    yield
    changed = sorted({file.relative_to(root).as_posix() for file, _ in before.items() ^ written().items()})
    if changed:
        raise BenchError(f"{', '.join(changed)} changed while it was measured: run again")


@dataclass
class _Stub:
    """The stand-in for AWS of one measured process; `seen` is filled when its context ends."""

    http: int
    udp: int
    seen: dict[str, int] = field(default_factory=dict)


@contextmanager
def _stub() -> Iterator[_Stub]:
    """Start the stub server, and stop it when the context ends."""
    command = [sys.executable, str(ROOT / "bench" / "stub.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        if process.stdout is None:  # cannot be: it was asked for
            raise BenchError("the stub server has no output")
        ports = process.stdout.readline()
        if not ports:
            raise BenchError("the stub server did not start")
        stub = _Stub(**json.loads(ports))
        try:
            yield stub
        finally:
            said, _ = process.communicate(timeout=30)
            stub.seen.update(json.loads(said))


def _environment(stub: _Stub, home: str) -> dict[str, str]:
    """Lambda's environment, and nothing of the caller's: a stray variable would change the figures."""
    return {
        "PATH": os.defpath,
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "session",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{stub.http}",
        "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{stub.http}",
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{stub.udp}",
        "AWS_LAMBDA_FUNCTION_NAME": "mark-earnings-processed",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/mark-earnings-processed",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/02/03/[1]5f2b0c",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "_HANDLER": "handler.app.lambda_handler",
        "EARNINGS_CALENDAR_TABLE": "earningsCalendar",
        "EARNINGS_AUDIT_TABLE": "earningsAudit",
        "DEAD_LETTER_QUEUE_URL": f"http://127.0.0.1:{stub.http}/123456789012/mark-earnings-processed-dlq",
        "OTEL_SERVICE_NAME": "mark-earnings-processed",
    }


def run(module: str, events: int, counter: Counter | None = None) -> Run:
    """Run a handler's module for so many events in a fresh process, under the counter where one is given.

    Without a counter, standard output goes to a file (its size is measured), with one to the null device.

    Raises:
        BenchError: The process failed, an event was not marked, or nothing was counted.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        out, report = Path(home, "count"), Path(home, "report")
        command = [*(counter.prefix(str(out)) if counter else []), sys.executable, "-P"]
        command += [str(ROOT / "bench" / "driver.py"), module, str(events)]
        command += [] if counter else [str(report)]
        with _stub() as stub, Path(os.devnull if counter else Path(home, "stdout")).open("wb") as stdout:
            try:
                done = subprocess.run(  # noqa: S603 - our own words
                    command,
                    env=_environment(stub, home),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    timeout=_TIMEOUT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise BenchError(f"{module} did not finish {events} events in {_TIMEOUT_SECONDS} s") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise BenchError(f"{module} failed with {events} events: {said[-1]}")
        if module != NO_HANDLER and stub.seen["transactions"] != events:
            raise BenchError(f"{module} sent {stub.seen['transactions']} transactions for {events} events")
        lines = report.read_text().splitlines() if report.exists() else []
        values = {name: int(value) for name, value in (line.split("=") for line in lines)}
        instructions = counter.parse(out.read_text()) if counter else None
        if counter and instructions is None:
            raise BenchError(f"{counter.name} counted nothing")
        return Run(values, stub.seen, instructions)


def instructions(module: str, events: int, counter: Counter) -> int:
    """User-space instructions of a fresh process that handles so many events."""
    counted = run(module, events, counter).instructions
    if counted is None:
        raise BenchError(f"{counter.name} counted nothing")
    return counted


def memory(module: str, events: int, times: int = 3) -> Memory:
    """Peak memory and side effects of a handler over so many events (at least 2), median of several processes.

    Raises:
        BenchError: As `run`; or bytecode is missing, which would make start-up three times dearer.
    """
    runs = [run(module, events) for _ in range(times)]
    last = runs[-1]
    if last.report["without_bytecode"]:
        raise BenchError(f"{last.report['without_bytecode']} modules have no bytecode: is a directory read-only?")
    peaks = tuple(one.report["peak_memory_kb"] for one in runs)
    return Memory(
        peak_kb=statistics.median(peaks),
        peaks_kb=peaks,
        modules_init=last.report["modules_init"],
        modules_first=last.report["modules_first"],
        attempts_per_event=(last.seen["transactions"] + last.seen["other_requests"]) / events,
        datagrams_per_event=last.seen["datagrams"] / events,
        datagram_bytes_per_event=last.seen["datagram_bytes"] / events,
        stdout_bytes_per_event=last.report["stdout_rest"] / (events - 1),
    )
