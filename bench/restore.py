"""The first event after a restore: V0 and the function, each as it is and primed before the snapshot.

    python bench/restore.py [--json] [--record]    # a table; takes some minutes on two idle cores

Under SnapStart, a start is not what events wait for: it happens once, when a version is published. They wait for the
hooks after the restore and for the first event. `--record` writes the result to `bench/restore.json`, and the table of
bench/README.md from it (`bench/report.py`). That page describes the rows.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.httpsession import DEFAULT_CA_BUNDLE

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.certificates import make_certificates
from bench.comparison import after_a_restore
from bench.counters import Counter, find_counter
from bench.first_events import first_events
from bench.measure import BenchError, unchanged_sources
from bench.origin import FUNCTION_LIBRARIES, origin
from bench.report import RESTORE, write_documents
from bench.run import FUNCTION, MODES, V0, targets_of
from bench.target import Certificates, Target

V0_PRIMED = "bench.variants.v0_primed"


def rows(certificates: Certificates | None = None) -> dict[str, Target]:
    """Return the rows of the table.

    Args:
        certificates: For requests over TLS; None for plain ones.

    Raises:
        BenchError: ADOT's packages are not installed.
    """
    plain = Target(V0, certificates=certificates)
    targets = {"V0": plain, "V0, primed": dataclasses.replace(plain, module=V0_PRIMED)}
    for mode, found in targets_of(FUNCTION, tuple(MODES)).items():
        target = dataclasses.replace(found, certificates=certificates)
        targets[f"ours, {mode}, not primed"] = dataclasses.replace(target, primed=False)
        targets[f"ours, {mode}"] = target
    return targets


def measured(counter: Counter) -> dict[str, Any]:
    """Measure all rows, without TLS and with it.

    Returns:
        JSON values: the origin of the run, and the instructions by row, as `plain` and as `tls`.

    Raises:
        BenchError: A run failed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, unchanged_sources():
        certificates = make_certificates(Path(directory), Path(DEFAULT_CA_BUNDLE))
        plain, tls = (first_events(rows(used), counter) for used in (None, certificates))
    return {**origin(FUNCTION_LIBRARIES), "counter": counter.name, "plain": plain, "tls": tls}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 1 with one line on standard error if a run failed."""
    parser = argparse.ArgumentParser(description="Measure the first event after a restore.")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON object")
    parser.add_argument("--record", action="store_true", help="write bench/restore.json and bench/README.md")
    options = parser.parse_args(arguments)
    counter = find_counter()
    if counter is None:
        print("bench: neither perf nor valgrind works here", file=sys.stderr)
        return 1
    try:
        result = measured(counter)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.record:
        RESTORE.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        write_documents()
    print(json.dumps(result, indent=2) if options.json else after_a_restore(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
