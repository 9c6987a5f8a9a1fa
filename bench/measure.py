"""Run a Lambda handler in separate processes and measure its cost.

Each value covers whole processes, so that it contains everything that a handler starts (threads, deferred imports).
"""

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.counters import Counter
from bench.target import NO_HANDLER, ROOT, TELEMETRY_LINES, Certificates, Ports, Target

REQUESTS = ("transactions", "idempotency_requests", "otlp_requests", "other_requests")
"""The kinds of requests that the stub counts."""

_TIMEOUT_SECONDS = 600
_MEMORY_PRESSURE = '"event_type":"memory_pressure"'
"""A warning of the function: a target must not set a higher log level."""


class BenchError(Exception):
    """A run cannot be measured; the text is one line."""


@dataclass(frozen=True)
class Run:
    """The report of one process of `bench/driver.py`, and the stub's counts, with the lines of telemetry."""

    report: Mapping[str, int]
    seen: Mapping[str, int]
    instructions: int | None = None


@dataclass(frozen=True)
class Memory:
    """A handler's memory and side effects over many events, without instrumentation.

    Attributes:
        peak_kb: Largest resident set, KiB, median of several processes.
        peaks_kb: The same of each process.
        modules_before: Modules that were loaded before the handler's.
        modules_init: Modules that the import of the handler loaded.
        modules_first: Modules that the first event loaded in addition.
        attempts_per_event: HTTP requests per event.
        datagrams_per_event: UDP datagrams per event.
        datagram_bytes_per_event: Their size.
        stdout_bytes_per_event: Bytes printed per event, without the first.
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
    """Reject a measurement during which a source file changes: a measured process would compile it.

    Args:
        root: The directory with `handler`, `otel` and `bench`.

    Raises:
        BenchError: A source file was added, changed or removed.
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
    """Start the stub server. Its counts are filled in when the context ends."""
    command = [sys.executable, str(ROOT / "bench" / "stub.py")]
    command += ["--tls", str(certificates.server)] if certificates else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise BenchError("the stub server has no output")
        ports = process.stdout.readline()
        if not ports:
            raise BenchError("the stub server did not start")
        seen: dict[str, int] = {}
        try:
            yield Ports(**json.loads(ports)), seen
        finally:
            output, _ = process.communicate(timeout=30)
            seen.update(json.loads(output))


def run(target: Target, events: int, counter: Counter | None = None) -> Run:
    """Run a handler for a number of events in a new process, under the counter if there is one.

    Standard output goes to a file: its size is measured, and its lines of telemetry are counted.

    Raises:
        BenchError: The process failed, an event was not marked, the requests are not the expected ones, or nothing was
            counted.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        report = Path(home, "report")
        words = ["bench/driver.py", target.module, str(events), *([] if counter else [str(report)])]
        with _stub(target.certificates) as (ports, seen):
            count = _process(target, words, target.variables(ports, home), counter)
        output = Path(home, "stdout").read_text(encoding="utf-8", errors="replace")
        if target.telemetry_line:
            seen[TELEMETRY_LINES] = sum(target.telemetry_line in line for line in output.splitlines())
        _check(target, seen, events)
        if _MEMORY_PRESSURE in output:
            raise BenchError(f"{target.module} dropped optional detail, because its memory size is too small")
        lines = report.read_text().splitlines() if report.exists() else []
        values = {name: int(value) for name, value in (line.split("=") for line in lines)}
        return Run(values, seen, count)


def _process(target: Target, words: Sequence[str], variables: Mapping[str, str], counter: Counter | None) -> int | None:
    """Run a script in the target's interpreter and return the count."""
    home = variables["HOME"]
    out = Path(home, "count")
    command = [*(counter.prefix(str(out)) if counter else []), target.python, "-P", *words]
    command = [target.wrapper, *command] if target.wrapper else command
    doing = f"with {words[2]} events" if len(words) > 1 else "while it was launched"
    with Path(home, "stdout").open("wb") as stdout:
        try:
            result = subprocess.run(
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
    if result.returncode != 0:
        # The function writes why it cannot start on standard output, as log lines.
        written = result.stderr.strip() or Path(home, "stdout").read_bytes().strip()
        reasons = written.decode(errors="replace").splitlines() or [f"exit status {result.returncode}, no message"]
        raise BenchError(f"{target.module} failed {doing}: {reasons[-1]}")
    count = counter.parse(out.read_text()) if counter else None
    if counter and count is None:
        raise BenchError(f"{counter.name} counted nothing")
    return count


def _check(target: Target, seen: Mapping[str, int], events: int) -> None:
    """Reject a run that did not do the expected work."""
    if target.module == NO_HANDLER:
        return
    if seen["transactions"] != events:
        raise BenchError(f"{target.module} sent {seen['transactions']} transactions for {events} events")
    if seen["other_requests"]:
        raise BenchError(f"{target.module} sent {seen['other_requests']} requests that the stub does not know")
    if target.sends and seen[target.sends] < events:
        raise BenchError(f"{target.module} sent {seen[target.sends]} {target.sends} for {events} events")


def instructions(target: Target, events: int, counter: Counter) -> int:
    """Return the user-space instructions of a new process that handles a number of events."""
    return run(target, events, counter).instructions or 0


def launch(target: Target, counter: Counter) -> int:
    """Return the user-space instructions of the process that launches the target; 0 if there is none."""
    if not target.launched:
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        variables = dataclasses.replace(target, path=()).variables(Ports(http=1, udp=1), home)
        return _process(target, ["bench/instrument_launcher.py"], variables, counter) or 0


def memory(target: Target, events: int, times: int = 3) -> Memory:
    """Return peak memory and side effects of a handler over at least two events, as the median of several processes.

    Raises:
        BenchError: As in `run`; or bytecode is missing, which makes a cold start three times as expensive.
    """
    runs = [run(target, events) for _ in range(times)]
    last = runs[-1]
    if last.report["without_bytecode"]:
        raise BenchError(f"{last.report['without_bytecode']} modules have no bytecode: is a directory read-only?")
    peaks = tuple(process.report["peak_memory_kb"] for process in runs)
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
