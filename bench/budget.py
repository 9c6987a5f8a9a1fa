"""Compare a run of the benchmark with the committed budget.

    python bench/run.py --json | python bench/budget.py            # exit status 1 if a value exceeds its budget
    python bench/run.py --json | python bench/budget.py --update   # make this run the new baseline

The values are ratios to V0 in the same run, so another machine, interpreter or library version affects both sides.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASELINE = Path(__file__).with_name("baseline.json")

SLACK = {
    "init": 0.03,
    "cold": 0.03,
    "warm": 0.03,
    "restored": 0.05,
    "peak_kb": 0.04,
    "modules_init": 0.02,
    "attempts_per_event": 0.0,
}
"""How far a value may exceed its baseline: the variation between runs and between machines."""

CEILINGS = {
    "layer": {"init": 0.48, "warm": 0.99, "restored": 1.0, "peak_kb": 0.66},
    "direct": {"init": 0.48, "warm": 0.73, "restored": 1.0, "peak_kb": 0.70},
}
"""Limits of any new baseline, by export mode: with all telemetry on, a cold start is cheaper than the plain one."""

INSTRUCTIONS = frozenset({"init", "cold", "warm", "restored"})


@dataclass(frozen=True)
class Verdict:
    """A value and its budget.

    Attributes:
        mode: The export mode.
        name: As in the output of `bench/run.py --json`.
        baseline: The committed ratio.
        limit: The highest ratio that passes.
        measured: The ratio of this run; None if it could not be measured.
    """

    mode: str
    name: str
    baseline: float
    limit: float
    measured: float | None

    @property
    def within_budget(self) -> bool:
        """Return whether the value is within its budget. A value that was not measured passes."""
        return self.measured is None or self.measured <= self.limit

    def __str__(self) -> str:
        if self.measured is None:
            return f"  left out  {self.mode:7} {self.name:20} cannot be counted on this machine"
        change = 100 * (self.measured / self.baseline - 1)
        word = "kept" if self.within_budget else "OVER"
        return (
            f"  {word:8}  {self.mode:7} {self.name:20} {self.measured:.3f} of V0, baseline {self.baseline:.3f} "
            f"({change:+.1f} %), limit {self.limit:.3f}"
        )


def judge(
    baseline: Mapping[str, Mapping[str, float]], ratios: Mapping[str, Mapping[str, float]], *, counted: bool
) -> list[Verdict]:
    """Compare every value of a run with its budget.

    Args:
        baseline: The committed ratios, by export mode.
        ratios: The ratios of this run, by export mode.
        counted: Whether instructions could be counted.

    Raises:
        KeyError: A mode or a value is missing: no budget may disappear unnoticed.
    """
    verdicts = []
    for mode, ceiling in CEILINGS.items():
        for name, slack in SLACK.items():
            committed = baseline[mode][name]
            limit = min(committed * (1 + slack), ceiling.get(name, float("inf")))
            measured = ratios[mode][name] if counted or name not in INSTRUCTIONS else None
            verdicts.append(Verdict(mode, name, committed, round(limit, 4), measured))
    return verdicts


def main(arguments: list[str] | None = None) -> int:
    """Read a run from standard input, print the comparison, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write this run's ratios to bench/baseline.json")
    update = parser.parse_args(arguments).update
    run: dict[str, Any] = json.load(sys.stdin)
    ratios, counted = run["ratios"], run["counter"] is not None
    if update:
        kept = {mode: {name: ratios[mode][name] for name in SLACK} for mode in CEILINGS}
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n")
    verdicts = judge(json.loads(BASELINE.read_text()), ratios, counted=counted)
    print("\n".join(["what the function costs, beside its budget:", *map(str, verdicts)]))
    return 0 if all(verdict.within_budget for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
