"""The first event after a restore: V0 and the function, each as it is and primed before the snapshot.

    python bench/restore.py [--tls]    # a table; takes about five minutes on two idle cores

Under SnapStart, a start is not what events wait for: it happens once, when a version is published. They wait for the
hooks after the restore and for the first event. bench/README.md describes the rows.
"""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from botocore.httpsession import DEFAULT_CA_BUNDLE

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.certificates import make_certificates
from bench.counters import find_counter
from bench.first_events import first_events
from bench.measure import BenchError, unchanged_sources
from bench.run import FUNCTION, MODES, V0
from bench.target import Certificates, Target

V0_PRIMED = "bench.variants.v0_primed"


def rows(certificates: Certificates | None = None) -> dict[str, Target]:
    """Return the rows of the table.

    Args:
        certificates: For requests over TLS; None for plain ones.
    """
    plain = Target(V0, certificates=certificates)
    targets = {"V0": plain, "V0, primed": dataclasses.replace(plain, module=V0_PRIMED)}
    for mode, members in MODES.items():
        target = Target(FUNCTION, certificates=certificates, **members)
        targets[f"ours, {mode}, not primed"] = dataclasses.replace(target, primed=False)
        targets[f"ours, {mode}"] = target
    return targets


def table(first: Mapping[str, int]) -> str:
    """Return the counts and their ratios to V0's as a Markdown table."""
    width = max(map(len, first))
    lines = [f"| {'':{width}} | first event after a restore | ratio |", f"|{'-' * (width + 2)}|---:|---:|"]
    for name, count in first.items():
        lines.append(f"| {name:{width}} | {count / 1e6:.2f} M | {count / first['V0']:.2f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 with one line on standard error if a run failed."""
    parser = argparse.ArgumentParser(description="Measure the first event after a restore.")
    parser.add_argument("--tls", action="store_true", help="requests over TLS, as on Lambda")
    tls = parser.parse_args(arguments).tls
    counter = find_counter()
    if counter is None:
        print("bench: neither perf nor valgrind works here", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory, unchanged_sources():
            print(
                table(
                    first_events(
                        rows(make_certificates(Path(directory), Path(DEFAULT_CA_BUNDLE)) if tls else None), counter
                    )
                )
            )
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
