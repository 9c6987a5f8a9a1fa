"""The cost of the function relative to V0: cold start, cost per event, peak memory.

    python bench/run.py [--json] [--events N] [--mode MODE ...] [--function MODULE]

Needs valgrind, or a machine where `perf` counts instructions; without both, there are no instruction rows. Takes about
a minute and a half on two idle cores. bench/README.md describes the rows.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.counters import Counter, find_counter
from bench.first_events import first_events
from bench.measure import BenchError, Memory, instructions, launch, memory, run, unchanged_sources
from bench.target import LAYER_WRAPPER, NO_HANDLER, Target

V0 = "bench.v0"
FUNCTION = "handler.app"
MODES: Mapping[str, Mapping[str, Any]] = {
    "layer": {"environ": {"AWS_LAMBDA_EXEC_WRAPPER": LAYER_WRAPPER}, "wrapper": LAYER_WRAPPER, "sends": "datagrams"},
    "direct": {"sends": "datagrams"},
}
"""What selects each export mode, as members of `Target`."""

EVENTS = 50
MEMORY_EVENTS = 200
_MILLION = 1_000_000


@dataclass(frozen=True)
class Instructions:
    """User-space instructions, without those of the interpreter's start and of the driver.

    Attributes:
        init: The import of the handler's module, with the process that launched this one.
        first: The first event: the connection, and deferred work.
        cold: `init` and `first`.
        warm: The mean of the later events.
        launch: The part of `init` of the process that launched this one.
        restored: The first event after a restore, and the hooks after it; 0 if it is not measured.
    """

    init: int
    first: int
    cold: int
    warm: float
    launch: int = 0
    restored: int = 0


@dataclass(frozen=True)
class Figures:
    """The measurements of one handler; `instructions` is None if they cannot be counted."""

    instructions: Instructions | None
    memory: Memory


def derive(counted: Mapping[int, int], idle: Mapping[int, int], events: int, launched: int = 0) -> Instructions:
    """Compute the cost of the phases from the counts of whole processes.

    Args:
        counted: Instructions of the process that handled 0, 1 and 1 + `events` events.
        idle: The same for the process without a handler.
        events: The number of warm events.
        launched: Instructions of the process that launched this one.
    """
    own = {number: counted[number] - idle[number] + launched for number in (0, 1, 1 + events)}
    warm = (own[1 + events] - own[1]) / events
    return Instructions(init=own[0], first=own[1] - own[0], cold=own[1], warm=warm, launch=launched)


def measure(
    targets: Mapping[str, Target], idle: Target, events: int, counter: Counter | None
) -> tuple[dict[str, Figures], Figures]:
    """Measure all targets, and the interpreter without a handler.

    Args:
        targets: By name.
        idle: `NO_HANDLER` in the environment of the baseline.
        events: The number of warm events.
        counter: Counts instructions; None if no counter works.

    Returns:
        The figures by name, and those of the interpreter.
    """
    all_targets = {**targets, NO_HANDLER: idle}
    for target in all_targets.values():
        run(target, 1)  # writes the bytecode and fills the disk cache
    counts = (0, 1, 1 + events)
    counted: dict[str, dict[int, int]] = {}
    launched: dict[str, int] = {}
    if counter is not None:
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            futures = {
                (name, number): pool.submit(instructions, target, number, counter)
                for name, target in all_targets.items()
                for number in reversed(counts)
            }
            launches = {name: pool.submit(launch, target, counter) for name, target in all_targets.items()}
            for (name, number), future in futures.items():
                counted.setdefault(name, {})[number] = future.result()
            launched = {name: future.result() for name, future in launches.items()}
    nothing = dict.fromkeys(counts, 0)
    memories = {name: memory(target, MEMORY_EVENTS) for name, target in all_targets.items()}
    bare = memories[NO_HANDLER].modules_before
    figures = {
        name: Figures(
            derive(counted[name], nothing if name == NO_HANDLER else counted[NO_HANDLER], events, launched[name])
            if counted
            else None,
            # Modules that `sitecustomize` loads before the handler are part of the cold start.
            dataclasses.replace(used, modules_init=used.modules_init + used.modules_before - bare),
        )
        for name, used in memories.items()
    }
    interpreter = figures.pop(NO_HANDLER)
    return figures, interpreter


def with_restored(
    figures: Mapping[str, Figures], targets: Mapping[str, Target], counter: Counter | None
) -> dict[str, Figures]:
    """Return the figures with those of the first event after a restore, if instructions can be counted."""
    restored = first_events(targets, counter) if counter else {}
    return {
        name: dataclasses.replace(
            of, instructions=of.instructions and dataclasses.replace(of.instructions, restored=restored[name])
        )
        for name, of in figures.items()
    }


def _millions(value: float) -> str:
    return f"{value / _MILLION:.2f} M"


def _mebibytes(value: float) -> str:
    return f"{value / 1024:.1f} MiB"


def _number(value: float) -> str:
    return f"{value:g}" if value == round(value) else f"{value:.1f}"


_ROWS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("init, instructions", "instructions.init", _millions),
    ("first event, instructions", "instructions.first", _millions),
    ("cold start (both)", "instructions.cold", _millions),
    ("warm event, instructions", "instructions.warm", _millions),
    ("first event after a restore", "instructions.restored", _millions),
    ("peak memory", "memory.peak_kb", _mebibytes),
    ("modules imported by init", "memory.modules_init", _number),
    ("modules, first event", "memory.modules_first", _number),
    ("requests per event", "memory.attempts_per_event", _number),
    ("datagrams per event", "memory.datagrams_per_event", _number),
    ("datagram bytes per event", "memory.datagram_bytes_per_event", _number),
    ("stdout bytes per event", "memory.stdout_bytes_per_event", _number),
)


def _value(figures: Figures, path: str) -> float | None:
    group, name = path.split(".")
    part: Any = getattr(figures, group)
    return None if part is None else getattr(part, name)


def ratios(function: Figures, v0: Figures) -> dict[str, float]:
    """Return the ratios of the function's figures to V0's, where both exist and V0's is not zero."""
    pairs = ((path, _value(function, path), _value(v0, path)) for _, path, _ in _ROWS)
    return {
        path.split(".")[1]: round(value / baseline, 4)
        for path, value, baseline in pairs
        if value is not None and baseline
    }


def table(functions: Mapping[str, Figures], v0: Figures, interpreter: Figures) -> str:
    """Return the figures as a table: one row each, for the function in each mode, V0 and the interpreter alone."""
    heads = "".join(f"{'ratio':>7}{name:>14}" for name in functions)
    lines = [f"{'':27}{heads}{'V0':>14}{'interpreter':>14}"]
    for label, path, text in _ROWS:
        cells = ""
        for figures in functions.values():
            ratio = ratios(figures, v0).get(path.split(".")[1])
            cells += f"{'' if ratio is None else f'{ratio:.3f}':>7}{_cell(figures, path, text)}"
        cells += _cell(v0, path, text) + _cell(interpreter, path, text)
        if cells.strip():
            lines.append(f"{label:27}{cells}")
    return "\n".join(lines)


def _cell(figures: Figures, path: str, text: Callable[[float], str]) -> str:
    value = _value(figures, path)
    return f"{'' if value is None else text(value):>14}"


def targets_of(module: str, modes: Sequence[str]) -> dict[str, Target]:
    """Return the target of a module in each export mode.

    Raises:
        BenchError: ADOT's packages are not installed: the function would export in direct mode.
    """
    if "layer" in modes and find_spec("amazon") is None:
        raise BenchError("the layer's packages are not installed: make setup")
    return {mode: Target(module, **MODES[mode]) for mode in modes}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 with one line on standard error if a run failed."""
    parser = argparse.ArgumentParser(description="Measure the function relative to V0.")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"warm events counted, default {EVENTS}")
    parser.add_argument("--mode", action="append", choices=MODES, help="an export mode; default: each of them")
    parser.add_argument("--function", metavar="MODULE", help=f"another handler, measured once; default {FUNCTION}")
    options = parser.parse_args(arguments)
    if options.events < 1:
        parser.error("--events must be at least 1")
    counter = find_counter()
    how = counter.name if counter else "not counted: neither perf nor valgrind works here"
    try:
        named = {options.function: Target(options.function)} if options.function else {}
        functions = named or targets_of(FUNCTION, options.mode or tuple(MODES))
        with unchanged_sources():
            targets = {"V0": Target(V0), **functions}
            figures, interpreter = measure(targets, Target(NO_HANDLER), options.events, counter)
            figures = with_restored(figures, targets, counter)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    v0 = figures.pop("V0")
    if options.json:
        result = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "counter": counter.name if counter else None,
            "events": options.events,
            "memory_events": MEMORY_EVENTS,
            "ratios": {name: ratios(function, v0) for name, function in figures.items()},
            "functions": {name: dataclasses.asdict(function) for name, function in figures.items()},
            "v0": dataclasses.asdict(v0),
            "interpreter": dataclasses.asdict(interpreter),
        }
        print(json.dumps(result, indent=2))
        return 0
    print(f"Python {platform.python_version()} on {platform.machine()}; instructions: {how}")
    print(f"{options.events} warm events counted; memory over {MEMORY_EVENTS} events, median of 3\n")
    print(table(figures, v0, interpreter))
    return 0


if __name__ == "__main__":
    sys.exit(main())
