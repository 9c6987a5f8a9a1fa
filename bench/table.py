"""Measure the function and its alternatives, and print the comparison table.

    python bench/table.py [--json] [--record] [--events N] [NAME ...]

Creates the environments in `.cache/bench` from `uv.lock`. All variants take about a quarter of an hour on two idle
cores; with NAMEs, only these and V0 are measured. `--record` writes the result to `bench/table.json` and the tables of
the documents from it (`bench/report.py`). bench/README.md describes the columns.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.certificates import make_certificates
from bench.comparison import compared, comparison
from bench.counters import find_counter
from bench.environments import install, site_packages
from bench.measure import BenchError, unchanged_sources
from bench.origin import LIBRARIES, origin
from bench.report import TABLE, write_documents
from bench.run import EVENTS, MEMORY_EVENTS, measure
from bench.variant_list import IDLE, PLAIN, VARIANTS, chosen


def run_all(names: tuple[str, ...], events: int) -> dict[str, Any]:
    """Install the environments, measure, and return the result.

    Args:
        names: Names of variants; empty for all.
        events: The number of warm events.

    Returns:
        JSON values: `figures` and `interpreter` as from `bench.run`, and the versions of what was measured.

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
        **origin(LIBRARIES),
        "counter": counter.name if counter else None,
        "events": events,
        "memory_events": MEMORY_EVENTS,
        "ratios": compared(figures),
        "figures": {name: dataclasses.asdict(found) for name, found in figures.items()},
        "interpreter": dataclasses.asdict(interpreter),
    }


def record(result: dict[str, Any]) -> None:
    """Write a run to `bench/table.json` and into the documents.

    Raises:
        BenchError: Its instructions were not counted.
    """
    if result["counter"] is None:
        raise BenchError("a run without instructions is not recorded: neither perf nor valgrind works here")
    TABLE.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    write_documents()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 with one line on standard error if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--record", action="store_true", help="write bench/table.json and the tables of the documents")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"warm events counted, default {EVENTS}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(variant.name for variant in VARIANTS))
    options = parser.parse_args(arguments)
    if options.events < 1:
        parser.error("--events must be at least 1")
    if options.record and (options.names or options.events != EVENTS):
        parser.error("--record needs all variants and the default number of events")
    try:
        result = run_all(tuple(options.names), options.events)
        if options.record:
            record(result)
    except (BenchError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if options.json else comparison(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
