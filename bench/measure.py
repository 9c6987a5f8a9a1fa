"""Runs one Lambda handler in processes of its own and counts what it costs.

Each figure comes from whole processes, so that everything a handler starts (threads, lazy imports) is in it.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.counters import Counter
from bench.target import NO_HANDLER, ROOT, Certificates, Ports, Target

REQUESTS = ("transactions", "idempotency_requests", "otlp_requests", "other_requests")
"""What the stub counts as a request."""

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
        modules_before: Modules that were there before the handler's was imported.
        modules_init: Modules that importing the handler loaded.
        modules_first: Modules that the first event loaded on top.
        attempts_per_event: HTTP requests per event.
        datagrams_per_event: UDP datagrams per event.
        datagram_bytes_per_event: And their bytes.
        stdout_bytes_per_event: Bytes printed by an event that is not the first.
    """

    peak_kb: float
    peaks_kb: tuple[int, ...]
    modules_before: int
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


@contextmanager
def _stub(certificates: Certificates | None) -> Iterator[tuple[Ports, dict[str, int]]]:
    """Start the stub server; what it saw is filled in when the context ends."""
    command = [sys.executable, str(ROOT / "bench" / "stub.py")]
    command += ["--tls", str(certificates.server)] if certificates else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:  # cannot be: it was asked for
            raise BenchError("the stub server has no output")
        ports = process.stdout.readline()
        if not ports:
            raise BenchError("the stub server did not start")
        seen: dict[str, int] = {}
        try:
            yield Ports(**json.loads(ports)), seen
        finally:
            said, _ = process.communicate(timeout=30)
            seen.update(json.loads(said))


def run(target: Target, events: int, counter: Counter | None = None) -> Run:
    """Run a handler for so many events in a fresh process, under the counter where one is given.

    Without a counter, standard output goes to a file (its size is measured), with one to the null device.

    Raises:
        BenchError: The process failed, an event was not marked, something was sent that should not be or was not sent
            that should be, or nothing was counted.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        report = Path(home, "report")
        words = ["bench/driver.py", target.module, str(events), *([] if counter else [str(report)])]
        with _stub(target.certificates) as (ports, seen):
            count = _process(target, words, target.variables(ports, home), counter)
        _check(target, seen, events)
        lines = report.read_text().splitlines() if report.exists() else []
        values = {name: int(value) for name, value in (line.split("=") for line in lines)}
        return Run(values, seen, count)


def _process(target: Target, words: Sequence[str], variables: Mapping[str, str], counter: Counter | None) -> int | None:
    """Run one of our scripts in the subject's interpreter to its end, and return what was counted."""
    home = variables["HOME"]
    out = Path(home, "count")
    command = [*(counter.prefix(str(out)) if counter else []), target.python, "-P", *words]
    command = [target.wrapper, *command] if target.wrapper else command
    doing = f"with {words[2]} events" if len(words) > 1 else "while it was launched"
    with Path(os.devnull if counter else Path(home, "stdout")).open("wb") as stdout:
        try:
            done = subprocess.run(
                command,
                env=variables,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchError(f"{target.module} did not finish {doing} in {_TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise BenchError(f"{target.module} failed {doing}: {said[-1]}")
    count = counter.parse(out.read_text()) if counter else None
    if counter and count is None:
        raise BenchError(f"{counter.name} counted nothing")
    return count


def _check(target: Target, seen: Mapping[str, int], events: int) -> None:
    """Refuse a run that did other work than it should have done."""
    if target.module == NO_HANDLER:
        return
    if seen["transactions"] != events:
        raise BenchError(f"{target.module} sent {seen['transactions']} transactions for {events} events")
    if seen["other_requests"]:
        raise BenchError(f"{target.module} sent {seen['other_requests']} requests that the stub does not know")
    if target.sends and seen[target.sends] < events:
        raise BenchError(f"{target.module} sent {seen[target.sends]} {target.sends} for {events} events")


def instructions(target: Target, events: int, counter: Counter) -> int:
    """User-space instructions of a fresh process that handles so many events."""
    return run(target, events, counter).instructions or 0


def launch(target: Target, counter: Counter) -> int:
    """User-space instructions of the process that becomes the subject's, its interpreter included; 0 for none."""
    if not target.launched:
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        variables = dataclasses.replace(target, path=()).variables(Ports(http=1, udp=1), home)
        return _process(target, ["bench/instrument_launcher.py"], variables, counter) or 0


def memory(target: Target, events: int, times: int = 3) -> Memory:
    """Peak memory and side effects of a handler over so many events (at least 2), median of several processes.

    Raises:
        BenchError: As `run`; or bytecode is missing, which would make start-up three times dearer.
    """
    runs = [run(target, events) for _ in range(times)]
    last = runs[-1]
    if last.report["without_bytecode"]:
        raise BenchError(f"{last.report['without_bytecode']} modules have no bytecode: is a directory read-only?")
    peaks = tuple(one.report["peak_memory_kb"] for one in runs)
    return Memory(
        peak_kb=statistics.median(peaks),
        peaks_kb=peaks,
        modules_before=last.report["modules_before"],
        modules_init=last.report["modules_init"],
        modules_first=last.report["modules_first"],
        attempts_per_event=sum(last.seen[kind] for kind in REQUESTS) / events,
        datagrams_per_event=last.seen["datagrams"] / events,
        datagram_bytes_per_event=last.seen["datagram_bytes"] / events,
        stdout_bytes_per_event=last.report["stdout_rest"] / (events - 1),
    )
