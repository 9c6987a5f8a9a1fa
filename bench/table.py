"""Measure the function and its alternatives, and print the comparison table.

    python bench/table.py [--json] [--events N] [NAME ...]

Creates the environments in `.cache/bench` from `uv.lock`. All variants take about ten minutes on two idle cores; with
NAMEs, only these and V0 are measured. bench/README.md describes the columns.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.certificates import make_certificates
from bench.counters import find_counter
from bench.environments import install, site_packages
from bench.measure import BenchError, unchanged_sources
from bench.run import EVENTS, MEMORY_EVENTS, Figures, measure, ratios
from bench.target import ROOT
from bench.variant_list import IDLE, PLAIN, PLAIN_TLS, VARIANTS, Variant, baseline_of, chosen

LIBRARIES = (
    "boto3",
    "botocore",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-botocore",
    "aws-opentelemetry-distro",
    "aws-lambda-powertools",
    "aws-xray-sdk",
    "lambda-otel-lite",
    "datadog-lambda",
    "ddtrace",
)
_HEADINGS = (
    *("", "init", "warm event", "cold start", "peak memory"),
    *("modules", "requests", "datagrams"),
)
_RATIOS = ("init", "warm", "cold", "peak_kb")


def versions(lock: Path) -> dict[str, str]:
    """Return the locked versions of the relevant libraries.

    Raises:
        KeyError: One of them is not in the lock file.
    """
    locked = {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}
    return {name: locked[name] for name in LIBRARIES}


def machine() -> str:
    """Return the kind of this machine: cores, architecture and processor."""
    name = ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        name = platform.processor()
    return f"{os.cpu_count()} cores, {platform.machine()}" + (f", {name}" if name else "")


def compared(figures: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Return the ratios of every measured variant to its baseline, by name."""
    variants = {variant.name: variant for variant in VARIANTS}
    return {name: ratios(own, figures[baseline_of(variants[name]).name]) for name, own in figures.items()}


def absolutes(variant: Variant, figures: Figures) -> str:
    """Return the absolute values of a baseline as one line."""
    parts = [f"peak memory {figures.memory.peak_kb / 1024:.1f} MiB"]
    if figures.instructions is not None:
        counted = figures.instructions
        million = {"init": counted.init, "warm event": counted.warm, "cold start": counted.cold}
        parts = [f"{name} {value / 1e6:.4g} M instructions" for name, value in million.items()] + parts
    return f"{variant.label}: {', '.join(parts)}"


def launches(figures: Mapping[str, Figures]) -> list[str]:
    """Return the launcher's part of `init`, one line per variant that has a launcher."""
    lines = []
    for variant in VARIANTS:
        found = figures[variant.name].instructions if variant.name in figures else None
        plain = figures[baseline_of(variant).name].instructions if found else None
        if found and plain and found.launch:
            lines.append(f"{variant.label}: {found.launch / plain.init:.2f} of its init is `opentelemetry-instrument`")
    return lines


def table(figures: Mapping[str, Figures]) -> str:
    """Return the figures as a Markdown table: one line per variant, with ratios to V0 first."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    ratio = compared(figures)
    for variant in VARIANTS:
        if variant.name in figures:
            memory = figures[variant.name].memory
            rows.append(
                (
                    variant.label,
                    *(f"{ratio[variant.name][name]:.2f}" if name in ratio[variant.name] else "-" for name in _RATIOS),
                    str(memory.modules_init),
                    f"{memory.attempts_per_event:g}",
                    f"{memory.datagrams_per_event:g}",
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join([row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]) + " |" for row in rows
    ]
    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    plain = [absolutes(variant, figures[variant.name]) for variant in (PLAIN, PLAIN_TLS) if variant.name in figures]
    return "\n".join([lines[0], rule, *lines[1:], "", *(f"- {line}" for line in [*plain, *launches(figures)])])


def run_all(names: tuple[str, ...], events: int) -> dict[str, Any]:
    """Install the environments, measure, and return the result.

    Args:
        names: Names of variants; empty for all.
        events: The number of warm events.

    Returns:
        `figures` and `interpreter` as from `bench.run`, and the versions of what was measured.

    Raises:
        BenchError: A variant cannot be measured.
        ValueError: There is no variant with a name.
    """
    variants = chosen(names)
    for environment in sorted({variant.environment for variant in (*variants, IDLE)}):
        print(f"environment {environment}", file=sys.stderr)
        install(environment)
    counter = find_counter()
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as directory, unchanged_sources():
        certificates = make_certificates(Path(directory), site_packages(PLAIN.environment) / "botocore/cacert.pem")
        targets = {variant.name: variant.target(certificates) for variant in variants}
        print(f"measuring {', '.join(targets)}", file=sys.stderr)
        figures, interpreter = measure(targets, IDLE.target(None), events, counter)
    return {
        "python": platform.python_version(),
        "machine": machine(),
        "libraries": versions(ROOT / "uv.lock"),
        "counter": counter.name if counter else None,
        "events": events,
        "memory_events": MEMORY_EVENTS,
        "figures": figures,
        "interpreter": interpreter,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 with one line on standard error if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"warm events counted, default {EVENTS}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(variant.name for variant in VARIANTS))
    options = parser.parse_args(arguments)
    if options.events < 1:
        parser.error("--events must be at least 1")
    try:
        result = run_all(tuple(options.names), options.events)
    except (BenchError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    figures: dict[str, Figures] = result["figures"]
    if options.json:
        plain = {name: dataclasses.asdict(found) for name, found in figures.items()}
        interpreter = dataclasses.asdict(result["interpreter"])
        print(
            json.dumps({**result, "ratios": compared(figures), "figures": plain, "interpreter": interpreter}, indent=2)
        )
        return 0
    libraries = ", ".join(f"{name} {version}" for name, version in result["libraries"].items())
    print(f"Python {result['python']}, {result['machine']}; instructions: {result['counter'] or 'not counted'}")
    print(f"{libraries}\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
